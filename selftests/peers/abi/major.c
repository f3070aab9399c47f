// SPDX-License-Identifier: GPL-2.0
/* Test: the table of an owner with another D2D_ABI_MAJOR. The kernel must refuse the peers. */
#include "d2d.h"

#undef D2D_ABI_MAJOR
#define D2D_ABI_MAJOR	2

#include "d2d_table.h"

D2D_EXPORT_TABLE(module_a);
