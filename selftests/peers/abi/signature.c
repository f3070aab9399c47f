// SPDX-License-Identifier: GPL-2.0
/*
 * Test: the table of an owner in which one function does not have the signature that the peers
 * expect. The major version is the one that they expect. peers.mk generates the header. The
 * kernel's module loader refuses the peers.
 */
#include "signature.h"

D2D_EXPORT_TABLE(module_a);
