// SPDX-License-Identifier: GPL-2.0
/*
 * Test: the table of an owner that has one more exported function than its peers know. The peers
 * must work with this owner. peers.mk generates appended.h.
 */
#include "appended.h"

int d2d_appended(void);

int d2d_appended(void)
{
	return 0;
}

D2D_EXPORT_TABLE(module_a);
