// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces shared/owner/points.c in the module of the unit tests. points.c defines
 * the tracepoints, which a kernel can have only once, and module_a, which is loaded
 * as well, has them. The tested crate of the owner finds all tracepoints disabled.
 */
#include "../owner/points.h"

bool d2d_is_on(u32 step)
{
	return false;
}

void d2d_hit(const struct d2d_record *record, u64 seq, u64 load, const char *in,
	     const char *detail)
{
}
