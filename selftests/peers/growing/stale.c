// SPDX-License-Identifier: GPL-2.0
/*
 * Test: the peer of c.c with the header generated from swapped.rs. This peer must refuse the
 * owner's operations table.
 */
#define GROWING_HEADER "swapped.h"

#include "c.c"
