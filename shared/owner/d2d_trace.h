/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracepoints, one for each step of d2d_step.h. In tracefs they are in events/d2d_NAME/, where
 * NAME is the owner's. Drivers include d2d_step.h or d2d_hot_step.h instead.
 *
 * A trace event prints the text of the line in dmesg. Its other fields are for filters. If the step
 * lacks such a field, it is 0 or "", but -1 for ctx and req. seq is 0 if the step has no line.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM D2D_TRACE_SYSTEM

#if !defined(D2D_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define D2D_TRACE_H

#include <linux/tracepoint.h>

#include "d2d_hot_step.h"
#include "tracepoints.h"

#ifndef D2D_TRACE_FIELDS
#define D2D_TRACE_FIELDS

static noinline const struct d2d_field *d2d_find_field(const struct d2d_record *record, u32 key)
{
	for (u32 i = 0; i < D2D_RECORD_FIELDS && record->fields[i].key; i++)
		if (record->fields[i].key == key)
			return &record->fields[i];
	return NULL;
}

static noinline u64 d2d_number(const struct d2d_record *record, u32 key, u64 none)
{
	const struct d2d_field *field = d2d_find_field(record, key);

	return field && field->length == D2D_IS_NUMBER ? field->value : none;
}

static noinline u32 d2d_text_length(const struct d2d_record *record, u32 key)
{
	const struct d2d_field *field = d2d_find_field(record, key);

	return field && field->length != D2D_IS_NUMBER ? field->length : 0;
}

/* Returns "" if there is no such text. A text in a field does not end with a NUL. */
static noinline const char *d2d_text(const struct d2d_record *record, u32 key)
{
	if (!d2d_text_length(record, key))
		return "";
	return (const char *)(unsigned long)d2d_find_field(record, key)->value;
}
#endif

#define D2D_PROTO								\
	TP_PROTO(const struct d2d_record *record, u64 seq, u64 load, const char *in,	\
		 const char *detail)
#define D2D_TEXT_FIELD(name, constant)						\
	__string_len(name, d2d_text(record, D2D_FIELD_##constant),		\
		     d2d_text_length(record, D2D_FIELD_##constant))

DECLARE_EVENT_CLASS(d2d_step,
		    D2D_PROTO,
		    TP_ARGS(record, seq, load, in, detail),
		    TP_STRUCT__entry(__string(driver, record->driver)
				     __field(u64, seq)
				     __field(u64, load)
				     __string(in, in)
				     __field(s32, ctx)
				     __field(s32, req)
				     __field(u64, handle)
				     __field(u32, code)
				     __field(s32, status)
				     __field(u32, n)
				     __field(u32, depth)
				     D2D_TEXT_FIELD(queue, QUEUE)
				     D2D_TEXT_FIELD(op, OP)
				     D2D_TEXT_FIELD(name, NAME)
				     __string(step, d2d_step_names[record->step].text)
				     __string(detail, detail)
				    ),
		    TP_fast_assign(__assign_str(driver);
				   __entry->seq = seq;
				   __entry->load = load;
				   __assign_str(in);
				   __entry->ctx = d2d_number(record, D2D_FIELD_CTX, -1);
				   __entry->req = d2d_number(record, D2D_FIELD_REQ, -1);
				   __entry->handle = d2d_number(record, D2D_FIELD_HANDLE, 0);
				   __entry->code = d2d_number(record, D2D_FIELD_CODE, 0);
				   __entry->status =
					d2d_number(record, D2D_FIELD_STATUS,
						   d2d_number(record, D2D_FIELD_ERRNO, 0));
				   __entry->n = d2d_number(record, D2D_FIELD_N, 0);
				   __entry->depth = d2d_number(record, D2D_FIELD_DEPTH, 0);
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

/* The kernel calls a function of the step's group when it switches the tracepoint on or off. */
#define D2D_HOT_TRACEPOINT(name, group)					\
	DEFINE_EVENT_FN(d2d_step, d2d_##name, D2D_PROTO,			\
			TP_ARGS(record, seq, load, in, detail),			\
			d2d_##group##_on, d2d_##group##_off);
#define D2D_TRACEPOINT_none(name)					\
	DEFINE_EVENT(d2d_step, d2d_##name, D2D_PROTO,				\
		     TP_ARGS(record, seq, load, in, detail));
#define D2D_TRACEPOINT_requests(name)	D2D_HOT_TRACEPOINT(name, requests)
#define D2D_TRACEPOINT_queues(name)	D2D_HOT_TRACEPOINT(name, queues)
#define D2D_TRACEPOINT_ops(name)	D2D_HOT_TRACEPOINT(name, ops)
#define D2D_TRACEPOINT_events(name)	D2D_HOT_TRACEPOINT(name, events)
#define D2D_STEP_TRACEPOINT(constant, tracepoint, name, group)	D2D_TRACEPOINT_##group(tracepoint)
D2D_STEPS(D2D_STEP_TRACEPOINT)

#undef D2D_HOT_TRACEPOINT
#undef D2D_TRACEPOINT_none
#undef D2D_TRACEPOINT_requests
#undef D2D_TRACEPOINT_queues
#undef D2D_TRACEPOINT_ops
#undef D2D_TRACEPOINT_events
#undef D2D_STEP_TRACEPOINT
#undef D2D_PROTO
#undef D2D_TEXT_FIELD

#endif /* D2D_TRACE_H */

/* This file is not in the kernel's include/trace/events/; Kbuild adds its directory by -I. */
#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE d2d_trace
#include <trace/define_trace.h>
