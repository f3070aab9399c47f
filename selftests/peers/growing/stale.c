// SPDX-License-Identifier: GPL-2.0
/*
 * Test: the peer of c.c, built with the wrong header. The header was generated from the declaration
 * in swapped.rs, which differs from the owner's declaration of the pair. The peer refuses the
 * owner's operations table.
 */
#define GROWING_HEADER "swapped.h"

#include "c.c"
