// SPDX-License-Identifier: GPL-2.0
/* Test: the module of forgetful.c, but as a peer of middle or c_middle instead of module_a */
#define OWNER middle
#include "forgetful.c"
