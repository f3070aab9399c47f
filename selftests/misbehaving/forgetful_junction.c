// SPDX-License-Identifier: GPL-2.0
/* Test: forgetful.c as a peer of junction */
#define OWNER junction
#include "forgetful.c"
