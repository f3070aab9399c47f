// SPDX-License-Identifier: GPL-2.0
/* Prints the lines of the trace, and defines the tracepoints. */
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/preempt.h>
#include <linux/printk.h>

#define CREATE_TRACE_POINTS
#include "trace.h"
#include "owner.h"
#include "tracepoint_key.h"

#ifdef CONFIG_TRACEPOINTS
struct static_key_false twin_queues_key = STATIC_KEY_FALSE_INIT;
EXPORT_SYMBOL_NS_GPL(twin_queues_key, "TWIN");
struct static_key_false twin_ops_key = STATIC_KEY_FALSE_INIT;
EXPORT_SYMBOL_NS_GPL(twin_ops_key, "TWIN");

int twin_queues_on(void)
{
	static_branch_inc(&twin_queues_key);
	return 0;
}

void twin_queues_off(void)
{
	static_branch_dec(&twin_queues_key);
}

int twin_ops_on(void)
{
	static_branch_inc(&twin_ops_key);
	return 0;
}

void twin_ops_off(void)
{
	static_branch_dec(&twin_ops_key);
}
#endif

void twin_trace_queue(const char *driver, const struct twin_queue *queue,
		      enum twin_queue_step step, u32 n)
{
	switch (step) {
	case TWIN_QUEUE_ENQUEUE:
		trace_twin_enqueue(driver, queue, n);
		break;
	case TWIN_QUEUE_DEQUEUE:
		trace_twin_dequeue(driver, queue, n);
		break;
	case TWIN_QUEUE_DOORBELL:
		trace_twin_doorbell(driver, queue, n);
		break;
	}
}
EXPORT_SYMBOL_NS_GPL(twin_trace_queue, "TWIN");

void twin_trace_op(const char *driver, const char *op, bool returned, int status)
{
	if (returned)
		trace_twin_op_return(driver, op, status);
	else
		trace_twin_op_call(driver, op, status);
}
EXPORT_SYMBOL_NS_GPL(twin_trace_op, "TWIN");

static atomic64_t seq;

static const char *execution_context(void)
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

	pr_info("%s: twin: seq=%llu in=%s step=%s %pV\n", driver, number, execution_context(), step,
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
