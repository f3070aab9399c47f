/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Part of the twin (twin.h). The tracepoints that inline functions of this and other modules hit.
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

enum twin_hit { TWIN_HIT_ENQUEUE, TWIN_HIT_DEQUEUE, TWIN_HIT_DOORBELL };

void twin_hit_queue(const char *driver, const struct twin_queue *queue, enum twin_hit hit, u32 n);
void twin_hit_op(const char *driver, const char *op, bool returned, int status);

#endif /* TWIN_TRACEPOINT_KEY_H */
