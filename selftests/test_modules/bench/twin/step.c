// SPDX-License-Identifier: GPL-2.0
/* The lines of the life cycle, and the tracepoints. */
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/preempt.h>
#include <linux/printk.h>

#define CREATE_TRACE_POINTS
#include "trace.h"
#include "owner.h"
#include "point.h"

EXPORT_TRACEPOINT_SYMBOL_GPL(twin_enqueue);
EXPORT_TRACEPOINT_SYMBOL_GPL(twin_dequeue);
EXPORT_TRACEPOINT_SYMBOL_GPL(twin_doorbell);
EXPORT_TRACEPOINT_SYMBOL_GPL(twin_op_call);
EXPORT_TRACEPOINT_SYMBOL_GPL(twin_op_return);

void twin_hit_enqueue(const char *driver, const struct twin_queue *queue, u32 n)
{
	trace_twin_enqueue(driver, queue, n);
}
EXPORT_SYMBOL_NS_GPL(twin_hit_enqueue, "TWIN");

void twin_hit_dequeue(const char *driver, const struct twin_queue *queue, u32 n)
{
	trace_twin_dequeue(driver, queue, n);
}
EXPORT_SYMBOL_NS_GPL(twin_hit_dequeue, "TWIN");

void twin_hit_doorbell(const char *driver, const struct twin_queue *queue, u32 n)
{
	trace_twin_doorbell(driver, queue, n);
}
EXPORT_SYMBOL_NS_GPL(twin_hit_doorbell, "TWIN");

void twin_hit_op_call(const char *driver, const char *op, int status)
{
	trace_twin_op_call(driver, op, status);
}
EXPORT_SYMBOL_NS_GPL(twin_hit_op_call, "TWIN");

void twin_hit_op_return(const char *driver, const char *op, int status)
{
	trace_twin_op_return(driver, op, status);
}
EXPORT_SYMBOL_NS_GPL(twin_hit_op_return, "TWIN");

static atomic64_t seq;

static const char *context_name(void)
{
	if (in_hardirq())
		return "hardirq";
	if (in_serving_softirq())
		return "softirq";
	return current->flags & PF_WQ_WORKER ? "worker" : "task";
}

static void print_step(const char *driver, const char *step, struct va_format *detail)
{
	u64 number = atomic64_inc_return(&seq);

	pr_info("%s: twin: seq=%llu in=%s step=%s %pV\n", driver, number, context_name(), step,
		detail);
	trace_twin_step(driver, step, number, detail);
}

void twin_step(const char *driver, const char *step, const char *format, ...)
{
	struct va_format detail = { .fmt = format };
	va_list args;

	va_start(args, format);
	detail.va = &args;
	print_step(driver, step, &detail);
	va_end(args);
}
EXPORT_SYMBOL_NS_GPL(twin_step, "TWIN");

int twin_refuse(const char *driver, const char *reason, int err, const char *format, ...)
{
	struct va_format detail = { .fmt = format };
	va_list args;

	va_start(args, format);
	detail.va = &args;
	twin_step(driver, "refuse", "reason=%s err=%d %pV", reason, err, &detail);
	va_end(args);
	return err;
}
EXPORT_SYMBOL_NS_GPL(twin_refuse, "TWIN");
