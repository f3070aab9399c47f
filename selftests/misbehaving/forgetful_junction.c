// SPDX-License-Identifier: GPL-2.0
/* Test: the module of forgetful.c, but as a peer of junction instead of module_a */
#define OWNER junction
#include "forgetful.c"
