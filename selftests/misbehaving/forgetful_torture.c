// SPDX-License-Identifier: GPL-2.0
/* Test: the module of forgetful.c, but as a peer of torture_owner instead of module_a */
#define OWNER torture_owner
#include "forgetful.c"
