/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Part of the twin (twin.h). The tracepoints in inline functions, which other modules use, too.
 * All tracepoints of a group share a static key. While they are all off, a function executes one
 * static branch for all of them.
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
#define twin_hot_enabled(group)	(!sizeof(#group))
#endif

enum twin_queue_step { TWIN_QUEUE_ENQUEUE, TWIN_QUEUE_DEQUEUE, TWIN_QUEUE_DOORBELL };

/* Hits the tracepoint of a step of a queue. */
void twin_trace_queue(const char *driver, const struct twin_queue *queue,
		      enum twin_queue_step step, u32 n);
/* Hits the tracepoint of a call of an operation, or of the operation's return. */
void twin_trace_op(const char *driver, const char *op, bool returned, int status);

#endif /* TWIN_TRACEPOINT_KEY_H */
