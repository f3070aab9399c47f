// SPDX-License-Identifier: GPL-2.0
/*
 * Test: the table of an owner in which a function has another signature, though the major version
 * is the same. Kbuild generates the header (peers.mk). The kernel's loader refuses the peers.
 */
#include "signature.h"

D2D_EXPORT_TABLE(module_a);
