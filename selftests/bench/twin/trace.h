/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All printed steps share one tracepoint. Each step that is too frequent to be printed has its own.
 * A header whose inline functions hit tracepoints includes tracepoint_key.h instead of this file.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM twin

#if !defined(TWIN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define TWIN_TRACE_H

#include <linux/tracepoint.h>

#include "twin.h"

/* A group's key (tracepoint_key.h) counts how many of the group's tracepoints are on. */
int twin_queues_on(void);
void twin_queues_off(void);
int twin_ops_on(void);
void twin_ops_off(void);

TRACE_EVENT(twin_step,
	    TP_PROTO(const char *driver, const char *step, u64 seq, struct va_format *detail),
	    TP_ARGS(driver, step, seq, detail),
	    TP_STRUCT__entry(__string(driver, driver)
			     __string(step, step)
			     __field(u64, seq)
			     __vstring(detail, detail->fmt, detail->va)
			    ),
	    TP_fast_assign(__assign_str(driver);
			   __assign_str(step);
			   __entry->seq = seq;
			   __assign_vstr(detail, detail->fmt, detail->va);
			  ),
	    TP_printk("driver=%s seq=%llu step=%s %s", __get_str(driver), __entry->seq,
		      __get_str(step), __get_str(detail))
);

DECLARE_EVENT_CLASS(twin_queue,
		    TP_PROTO(const char *driver, const struct twin_queue *queue, u32 n),
		    TP_ARGS(driver, queue, n),
		    TP_STRUCT__entry(__string(driver, driver)
				     __field(u32, id)
				     __field(u32, n)
				     __field(u32, depth)
				    ),
		    TP_fast_assign(__assign_str(driver);
				   __entry->id = queue->id;
				   __entry->n = n;
				   __entry->depth = queue->depth;
				  ),
		    TP_printk("driver=%s queue=%u n=%u depth=%u", __get_str(driver), __entry->id,
			      __entry->n, __entry->depth)
);

DECLARE_EVENT_CLASS(twin_op,
		    TP_PROTO(const char *driver, const char *op, int status),
		    TP_ARGS(driver, op, status),
		    TP_STRUCT__entry(__string(driver, driver)
				     __string(op, op)
				     __field(int, status)
				    ),
		    TP_fast_assign(__assign_str(driver);
				   __assign_str(op);
				   __entry->status = status;
				  ),
		    TP_printk("driver=%s op=%s status=%d", __get_str(driver), __get_str(op),
			      __entry->status)
);

DECLARE_EVENT_CLASS(twin_by_handle,
		    TP_PROTO(u64 handle, int status),
		    TP_ARGS(handle, status),
		    TP_STRUCT__entry(__field(u64, handle)
				     __field(int, status)
				    ),
		    TP_fast_assign(__entry->handle = handle;
				   __entry->status = status;
				  ),
		    TP_printk("handle=0x%llx status=%d", __entry->handle, __entry->status)
);

#define TWIN_QUEUE(step)							\
	DEFINE_EVENT_FN(twin_queue, twin_##step,				\
			TP_PROTO(const char *driver, const struct twin_queue *queue, u32 n),	\
			TP_ARGS(driver, queue, n), twin_queues_on, twin_queues_off)
#define TWIN_OP(step)								\
	DEFINE_EVENT_FN(twin_op, twin_##step,					\
			TP_PROTO(const char *driver, const char *op, int status),	\
			TP_ARGS(driver, op, status), twin_ops_on, twin_ops_off)
#define TWIN_BY_HANDLE(step)							\
	DEFINE_EVENT(twin_by_handle, twin_##step, TP_PROTO(u64 handle, int status),	\
		     TP_ARGS(handle, status))

TWIN_QUEUE(enqueue);
TWIN_QUEUE(dequeue);
TWIN_QUEUE(doorbell);
TWIN_OP(op_call);
TWIN_OP(op_return);
TWIN_BY_HANDLE(request_send);
TWIN_BY_HANDLE(request_dispatch);
TWIN_BY_HANDLE(request_complete);
TWIN_BY_HANDLE(request_cancel);
TWIN_BY_HANDLE(request_completion);
TWIN_BY_HANDLE(event_set);
TWIN_BY_HANDLE(event_wait);

#undef TWIN_QUEUE
#undef TWIN_OP
#undef TWIN_BY_HANDLE

#endif /* TWIN_TRACE_H */

/* This header is not in include/trace/events/: the compiler finds it by -I (bench.mk). */
#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
