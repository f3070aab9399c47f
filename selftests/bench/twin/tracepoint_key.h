/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracepoints of inline functions, in two groups. While all tracepoints of a group are off, an
 * inline function skips them by one static branch.
 */
#ifndef TWIN_TRACEPOINT_KEY_H
#define TWIN_TRACEPOINT_KEY_H

#include <linux/jump_label.h>
#include <linux/module.h>

#include "twin.h"

#ifdef CONFIG_TRACEPOINTS
DECLARE_STATIC_KEY_FALSE(twin_queues_key);
DECLARE_STATIC_KEY_FALSE(twin_ops_key);

#define twin_hot_enabled(group)	static_branch_unlikely(&twin_##group##_key)
#else
/* Always false; uses @group, as checkpatch demands. */
#define twin_hot_enabled(group)	(!sizeof(#group))
#endif

enum twin_queue_step { TWIN_QUEUE_ENQUEUE, TWIN_QUEUE_DEQUEUE, TWIN_QUEUE_DOORBELL };

void twin_trace_queue(const char *driver, const struct twin_queue *queue,
		      enum twin_queue_step step, u32 n);
void twin_trace_op(const char *driver, const char *op, bool returned, int status);

#endif /* TWIN_TRACEPOINT_KEY_H */
