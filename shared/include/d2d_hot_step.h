/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hot steps, which are too frequent to be always traced. A group of them is on while one of its
 * tracepoints is on (shared/owner/d2d_trace.h). The groups queues and ops are also on while the
 * owner prints their steps as lines. While a group is off, each of its steps costs one static
 * branch. Rust drivers have shared/d2d/hot_step.rs.
 *
 * Any context but NMI. Each module has static keys of its own. The owner switches the keys of each
 * module that has registered a driver.
 */
#ifndef D2D_HOT_STEP_H
#define D2D_HOT_STEP_H

#include <linux/jump_label.h>
#include <linux/module.h>
#include <linux/string.h>

#include "d2d.h"
#include "d2d_step.h"

#define D2D_HOT_KEY(group)	struct static_key_false group;
struct d2d_hot_keys { D2D_GROUPS(D2D_HOT_KEY) };

#define D2D_KEY_OFF(group)	.group = STATIC_KEY_FALSE_INIT,
#define D2D_DEFINE_HOT_KEYS	struct d2d_hot_keys d2d_own_hot_keys = { D2D_GROUPS(D2D_KEY_OFF) }

/* The bench builds the modules with D2D_NO_TRACEPOINTS, too, to see what the branches cost. */
#ifndef D2D_NO_TRACEPOINTS
#define d2d_hot_enabled(group)	static_branch_unlikely(&d2d_own_hot_keys.group)
#else
#define d2d_hot_enabled(group)	(!sizeof(#group))
#endif

/**
 * d2d_hot_queue_step() - trace a step of a queue
 * @queue: the queue, which the caller has locked
 * @step: D2D_STEP_ENQUEUE, D2D_STEP_DEQUEUE or D2D_STEP_DOORBELL
 * @n: the number of items that are put or taken
 */
static noinline __cold __maybe_unused void d2d_hot_queue_step(const struct d2d_queue *queue,
							      enum d2d_step step, u32 n)
{
	const char *name = queue->id % 2 ? "to_owner" : "to_peer";
	struct d2d_record hit = {
		.driver = THIS_MODULE->name,
		.driver_length = strlen(THIS_MODULE->name),
		.step = step,
		.flags = D2D_RECORD_HOT,
		.fields = { D2D_TEXT(QUEUE, name), D2D_NUMBER(CTX, queue->id / 2) },
	};

	if (step == D2D_STEP_DOORBELL) {
		hit.fields[2] = (struct d2d_field)D2D_NUMBER(HANDLE, queue->doorbell);
	} else {
		hit.fields[2] = (struct d2d_field)D2D_NUMBER(N, n);
		hit.fields[3] = (struct d2d_field)D2D_NUMBER(DEPTH, queue->put - queue->taken);
	}
	d2d_trace(&hit);
}

static noinline __cold __maybe_unused void d2d_hot_queue_trace(struct d2d_queue *queue,
							       unsigned long flags,
							       enum d2d_step step, u32 n,
							       d2d_handle doorbell)
{
	d2d_hot_queue_step(queue, step, n);
	if (doorbell)
		d2d_hot_queue_step(queue, D2D_STEP_DOORBELL, 0);
	spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * d2d_hot_queue_unlock() - trace a step of a queue, and unlock the queue
 * @queue: the queue, locked, so that the trace has the queue's steps in their order
 * @flags: what spin_lock_irqsave() has stored
 * @step: D2D_STEP_ENQUEUE or D2D_STEP_DEQUEUE
 * @n: the number of items that are put or taken
 * @doorbell: the event that the caller is going to set, or 0
 *
 * Each branch unlocks the queue itself. With one unlock after both, the compiler would keep @queue
 * and @flags in registers across the call of d2d_hot_queue_trace(), and save these registers even
 * while the group is off.
 */
static inline void d2d_hot_queue_unlock(struct d2d_queue *queue, unsigned long flags,
					enum d2d_step step, u32 n, d2d_handle doorbell)
{
	if (d2d_hot_enabled(queues))
		d2d_hot_queue_trace(queue, flags, step, n, doorbell);
	else
		spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * d2d_hot_call() - trace the call of an operation, before the call
 * @side: whose operation it is: "owner" or "peer"
 * @op: the name of the operation
 */
static inline void d2d_hot_call(const char *side, const char *op)
{
	if (d2d_hot_enabled(ops))
		d2d_trace(D2D_RECORD(THIS_MODULE->name, OP_CALL, D2D_RECORD_HOT,
				     D2D_TEXT(TO, side), D2D_TEXT(OP, op)));
}

/**
 * d2d_hot_return() - trace the return of an operation
 * @side: whose operation it is: "owner" or "peer"
 * @op: the name of the operation
 * @status: what it has returned
 */
static inline void d2d_hot_return(const char *side, const char *op, int status)
{
	if (d2d_hot_enabled(ops))
		d2d_trace(D2D_RECORD(THIS_MODULE->name, OP_RETURN, D2D_RECORD_HOT,
				     D2D_TEXT(FROM, side), D2D_TEXT(OP, op),
				     D2D_NUMBER(STATUS, status)));
}

#endif /* D2D_HOT_STEP_H */
