// SPDX-License-Identifier: GPL-2.0
/*
 * Defines the tracepoints, which only C can do, and their static keys. All tracepoints of
 * a group share one key, so that code that hits several of them needs one branch.
 */
#include <linux/export.h>
#include <linux/module.h>

#include "d2d_point.h"
#include "points.h"

#ifdef CONFIG_TRACEPOINTS

#define CREATE_TRACE_POINTS
#include "d2d_trace.h"

#define D2D_KEY_OFF(group)	.group = STATIC_KEY_FALSE_INIT,
struct d2d_point_keys d2d_points = { D2D_GROUPS(D2D_KEY_OFF) };
EXPORT_SYMBOL_NS_GPL(d2d_points, "D2D");

#define D2D_SWITCH(group)				\
int d2d_##group##_on(void)				\
{							\
	static_branch_inc(&d2d_points.group);		\
	return 0;					\
}							\
							\
void d2d_##group##_off(void)				\
{							\
	static_branch_dec(&d2d_points.group);		\
}

D2D_GROUPS(D2D_SWITCH)

#define D2D_POINT(constant, point, name, group) \
	[D2D_STEP_##constant] = { trace_d2d_##point##_enabled, trace_d2d_##point },

static const struct {
	bool (*is_on)(void);
	void (*hit)(const struct d2d_record *record, u64 seq, u64 load, const char *in,
		    const char *detail);
} points[D2D_STEP_COUNT] = { D2D_STEPS(D2D_POINT) };

bool d2d_is_on(u32 step)
{
	return step < D2D_STEP_COUNT && points[step].is_on();
}

void d2d_hit(const struct d2d_record *record, u64 seq, u64 load, const char *in,
	     const char *detail)
{
	points[record->step].hit(record, seq, load, in, detail);
}

#else

bool d2d_is_on(u32 step)
{
	return false;
}

void d2d_hit(const struct d2d_record *record, u64 seq, u64 load, const char *in,
	     const char *detail)
{
}

#endif
