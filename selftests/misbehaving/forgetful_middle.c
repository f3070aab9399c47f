// SPDX-License-Identifier: GPL-2.0
/* Test: forgetful.c as a peer of middle or c_middle */
#define OWNER middle
#include "forgetful.c"
