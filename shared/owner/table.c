// SPDX-License-Identifier: GPL-2.0
/*
 * The table that an owner exports. Kbuild compiles this file for each owner, whose name is
 * D2D_OWNER_NAME. module_owner! defines the functions. By recorded.h, the compiler compares the
 * table with the record of its major version.
 */
#include "d2d_table.h"
#include "recorded.h"

D2D_EXPORT_TABLE(D2D_OWNER_NAME);
