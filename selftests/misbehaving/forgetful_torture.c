// SPDX-License-Identifier: GPL-2.0
/* Test: forgetful.c as a peer of torture_owner */
#define OWNER torture_owner
#include "forgetful.c"
