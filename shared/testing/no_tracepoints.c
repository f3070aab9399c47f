// SPDX-License-Identifier: GPL-2.0
/*
 * Stands in for shared/owner/points.c in the module of the unit tests. module_a
 * is loaded beside it and defines the tracepoints, which exist once in a kernel;
 * for the owner's crate under test none is ever enabled.
 */
#include "../owner/points.h"

bool d2d_is_on(u32 step)
{
	return false;
}

void d2d_hit(u32 step, const struct d2d_hit *hit)
{
}
