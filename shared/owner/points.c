// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints, which C has to define, and the keys of those that hot paths
 * hit. A key is one for several events where one place hits several: so that the
 * place has one branch.
 */
#include <linux/export.h>
#include <linux/module.h>

#include "d2d_point.h"
#include "points.h"

#ifdef CONFIG_TRACEPOINTS

#define CREATE_TRACE_POINTS
#include "d2d_trace.h"

struct d2d_point_keys d2d_points = {
	.queues = STATIC_KEY_FALSE_INIT,
	.ops = STATIC_KEY_FALSE_INIT,
	.requests = STATIC_KEY_FALSE_INIT,
	.events = STATIC_KEY_FALSE_INIT,
};
EXPORT_SYMBOL_NS_GPL(d2d_points, "D2D");

int d2d_queues_on(void)
{
	static_branch_inc(&d2d_points.queues);
	return 0;
}

void d2d_queues_off(void)
{
	static_branch_dec(&d2d_points.queues);
}

int d2d_ops_on(void)
{
	static_branch_inc(&d2d_points.ops);
	return 0;
}

void d2d_ops_off(void)
{
	static_branch_dec(&d2d_points.ops);
}

int d2d_requests_on(void)
{
	static_branch_inc(&d2d_points.requests);
	return 0;
}

void d2d_requests_off(void)
{
	static_branch_dec(&d2d_points.requests);
}

int d2d_events_on(void)
{
	static_branch_inc(&d2d_points.events);
	return 0;
}

void d2d_events_off(void)
{
	static_branch_dec(&d2d_points.events);
}

#define D2D_POINT(step) { trace_d2d_##step##_enabled, trace_d2d_##step }

static const struct {
	bool (*is_on)(void);
	void (*hit)(const struct d2d_hit *hit);
} points[D2D_STEP_COUNT] = {
	[D2D_STEP_LOAD] = D2D_POINT(load),
	[D2D_STEP_ALLOC] = D2D_POINT(alloc),
	[D2D_STEP_INIT_LOCK] = D2D_POINT(init_lock),
	[D2D_STEP_INIT_QUEUE] = D2D_POINT(init_queue),
	[D2D_STEP_EXPORT] = D2D_POINT(export),
	[D2D_STEP_REGISTER] = D2D_POINT(register),
	[D2D_STEP_LOOKUP] = D2D_POINT(lookup),
	[D2D_STEP_BUILD_REQUEST] = D2D_POINT(build_request),
	[D2D_STEP_CALL_DRIVER] = D2D_POINT(call_driver),
	[D2D_STEP_DISPATCH] = D2D_POINT(dispatch),
	[D2D_STEP_ADOPT] = D2D_POINT(adopt),
	[D2D_STEP_FILL] = D2D_POINT(fill),
	[D2D_STEP_COMPLETE] = D2D_POINT(complete),
	[D2D_STEP_COMPLETION] = D2D_POINT(completion),
	[D2D_STEP_ATTACHED] = D2D_POINT(attached),
	[D2D_STEP_ENQUEUE] = D2D_POINT(enqueue),
	[D2D_STEP_DEQUEUE] = D2D_POINT(dequeue),
	[D2D_STEP_DRAIN] = D2D_POINT(drain),
	[D2D_STEP_DOORBELL] = D2D_POINT(doorbell),
	[D2D_STEP_OP_CALL] = D2D_POINT(op_call),
	[D2D_STEP_OP_RETURN] = D2D_POINT(op_return),
	[D2D_STEP_EVENT_CREATE] = D2D_POINT(event_create),
	[D2D_STEP_EVENT_OPEN] = D2D_POINT(event_open),
	[D2D_STEP_EVENT_SET] = D2D_POINT(event_set),
	[D2D_STEP_EVENT_WAIT] = D2D_POINT(event_wait),
	[D2D_STEP_PEND] = D2D_POINT(pend),
	[D2D_STEP_CANCEL] = D2D_POINT(cancel),
	[D2D_STEP_DETACH] = D2D_POINT(detach),
	[D2D_STEP_RUNDOWN] = D2D_POINT(rundown),
	[D2D_STEP_UNREGISTER] = D2D_POINT(unregister),
	[D2D_STEP_FREE] = D2D_POINT(free),
	[D2D_STEP_UNLOAD] = D2D_POINT(unload),
	[D2D_STEP_REFUSE] = D2D_POINT(refuse),
};

bool d2d_is_on(u32 step)
{
	return points[step].is_on();
}

void d2d_hit(u32 step, const struct d2d_hit *hit)
{
	points[step].hit(hit);
}

#else

bool d2d_is_on(u32 step)
{
	return false;
}

void d2d_hit(u32 step, const struct d2d_hit *hit)
{
}

#endif
