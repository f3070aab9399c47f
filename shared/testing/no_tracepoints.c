// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces shared/owner/points.c in the module of the unit tests. points.c defines the
 * tracepoints. A kernel can have each tracepoint only once, and module_a, which is loaded
 * with the tests, has them already. To the tested crate, all tracepoints are off.
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
