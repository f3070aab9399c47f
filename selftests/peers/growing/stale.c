// SPDX-License-Identifier: GPL-2.0
/*
 * Test: the peer of c.c, built with a header that was generated from another declaration of the
 * pair: that of growing_swapped. The peer refuses the owner's operations table.
 */
#define GROWING_HEADER "swapped.h"

#include "c.c"
