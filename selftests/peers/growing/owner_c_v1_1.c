// SPDX-License-Identifier: GPL-2.0
/* Test: the owner of owner_c.c with the header generated for version 1.1 */
#define GROWING_HEADER "v1_1.h"

#include "owner_c.c"
