// SPDX-License-Identifier: GPL-2.0
/*
 * Test: the table of an owner that was built with a later version of d2d_table.h, which peers.mk
 * generates. The later version has one more function. Peers that were built with the older version
 * work with this owner.
 */
#include "appended.h"

int d2d_appended(void);

int d2d_appended(void)
{
	return 0;
}

D2D_EXPORT_TABLE(module_a);
