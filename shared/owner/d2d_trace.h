/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: the tracepoints, events/d2d/ in tracefs, one for each step of
 * the vocabulary. Code that hits one includes d2d_point.h or d2d.h instead.
 *
 * The text of an event is that of a line in dmesg, with the driver before it, and
 * its fields are for filters: what a step does not have is 0 or "", -1 for ctx
 * and req. seq is that of the line in dmesg, or 0 for what has none there.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM d2d

#if !defined(D2D_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define D2D_TRACE_H

#include <linux/tracepoint.h>

#include "points.h"

/* A group has a key in struct d2d_point_keys, which counts its events that are on. */
int d2d_queues_on(void);
void d2d_queues_off(void);
int d2d_ops_on(void);
void d2d_ops_off(void);
int d2d_requests_on(void);
void d2d_requests_off(void);
int d2d_events_on(void);
void d2d_events_off(void);

DECLARE_EVENT_CLASS(d2d_step,
		    TP_PROTO(const struct d2d_hit *hit),
		    TP_ARGS(hit),
		    TP_STRUCT__entry(__string(driver, hit->driver)
				     __field(u64, seq)
				     __field(u64, load)
				     __string(in, hit->in)
				     __field(s32, ctx)
				     __field(s32, req)
				     __field(u64, handle)
				     __field(u32, code)
				     __field(s32, status)
				     __field(u32, n)
				     __field(u32, depth)
				     __string_len(queue, hit->queue.text, hit->queue.len)
				     __string_len(op, hit->op.text, hit->op.len)
				     __string_len(name, hit->name.text, hit->name.len)
				     __string_len(step, hit->step.text, hit->step.len)
				     __string(detail, hit->detail)
				    ),
		    TP_fast_assign(__assign_str(driver);
				   __entry->seq = hit->seq;
				   __entry->load = hit->load;
				   __assign_str(in);
				   __entry->ctx = hit->ctx;
				   __entry->req = hit->req;
				   __entry->handle = hit->handle;
				   __entry->code = hit->code;
				   __entry->status = hit->status;
				   __entry->n = hit->n;
				   __entry->depth = hit->depth;
				   __assign_str(queue);
				   __assign_str(op);
				   __assign_str(name);
				   __assign_str(step);
				   __assign_str(detail);
				  ),
		    TP_printk("driver=%s seq=%llu load=%llu in=%s step=%s %s",
			      __get_str(driver), __entry->seq, __entry->load, __get_str(in),
			      __get_str(step), __get_str(detail))
);

/* A step that only a line tells of. */
#define D2D_LINE(step)								\
	DEFINE_EVENT(d2d_step, d2d_##step, TP_PROTO(const struct d2d_hit *hit), TP_ARGS(hit))
/* One that places of a group hit as well. */
#define D2D_HOT(group, step)							\
	DEFINE_EVENT_FN(d2d_step, d2d_##step, TP_PROTO(const struct d2d_hit *hit),	\
			TP_ARGS(hit), d2d_##group##_on, d2d_##group##_off)

D2D_LINE(load);
D2D_LINE(alloc);
D2D_LINE(init_lock);
D2D_LINE(init_queue);
D2D_LINE(export);
D2D_LINE(register);
D2D_LINE(lookup);
D2D_HOT(requests, build_request);
D2D_HOT(requests, call_driver);
D2D_HOT(requests, dispatch);
D2D_LINE(adopt);
D2D_LINE(fill);
D2D_HOT(requests, complete);
D2D_HOT(requests, completion);
D2D_LINE(attached);
D2D_HOT(queues, enqueue);
D2D_HOT(queues, dequeue);
D2D_LINE(drain);
D2D_HOT(queues, doorbell);
D2D_HOT(ops, op_call);
D2D_HOT(ops, op_return);
D2D_LINE(event_create);
D2D_LINE(event_open);
D2D_HOT(events, event_set);
D2D_HOT(events, event_wait);
D2D_HOT(requests, pend);
D2D_HOT(requests, cancel);
D2D_LINE(detach);
D2D_LINE(rundown);
D2D_LINE(unregister);
D2D_LINE(free);
D2D_LINE(unload);
D2D_LINE(refuse);

#undef D2D_LINE
#undef D2D_HOT

#endif /* D2D_TRACE_H */

/* Not in the kernel's own directory, but found by -I. */
#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE d2d_trace
#include <trace/define_trace.h>
