// SPDX-License-Identifier: GPL-2.0
/*
 * Test: the table of an owner in which one function has another signature. The kernel must refuse
 * the peers. peers.mk generates signature.h.
 */
#include "signature.h"

D2D_EXPORT_TABLE(module_a);
