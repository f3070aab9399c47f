// SPDX-License-Identifier: GPL-2.0
/*
 * Test: the table of an owner. One function in it has another signature than the peers expect.
 * The major version is the one that the peers expect. peers.mk generates the header. The
 * kernel's module loader must refuse the peers.
 */
#include "signature.h"

D2D_EXPORT_TABLE(module_a);
