// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces shared/owner/tracepoints.c in the module of the unit tests, which is no owner: all
 * tracepoints are off.
 */
#include "../owner/tracepoints.h"

void d2d_hot_keys_add(u32 slot, struct d2d_hot_keys *keys)
{
}

void d2d_hot_keys_remove(u32 slot)
{
}

void d2d_lines_on(void)
{
}

bool d2d_is_on(u32 step)
{
	return false;
}

void d2d_hit(const struct d2d_record *record, u64 seq, u64 load, const char *in,
	     const char *detail)
{
}
