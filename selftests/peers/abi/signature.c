// SPDX-License-Identifier: GPL-2.0
/*
 * Test: the table of an owner in which a function has another signature than the peers expect,
 * though the major version is the same. peers.mk generates the header. The kernel's module loader
 * refuses the peers.
 */
#include "signature.h"

D2D_EXPORT_TABLE(module_a);
