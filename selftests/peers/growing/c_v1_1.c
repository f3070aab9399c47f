// SPDX-License-Identifier: GPL-2.0
/* Test: the peer of c.c with the header generated for version 1.1 */
#define GROWING_HEADER "v1_1.h"

#include "c.c"
