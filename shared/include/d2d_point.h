/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: the tracepoints of what happens too often for a line in
 * dmesg. They are defined once, by the owner (shared/owner/d2d_trace.h), and all drivers hit
 * them. While none of a group is on, the group costs one patched branch at each
 * place, and on a kernel without tracepoints nothing. Rust drivers have
 * shared/d2d/point.rs.
 */
#ifndef D2D_POINT_H
#define D2D_POINT_H

#include <linux/jump_label.h>
#include <linux/module.h>
#include <linux/string.h>

#include "d2d.h"

#ifdef CONFIG_TRACEPOINTS
/* A key for each group of tracepoints that hot paths hit: one of them is on. */
struct d2d_point_keys {
	struct static_key_false queues;		/* enqueue, dequeue, doorbell */
	struct static_key_false ops;		/* op_call, op_return */
	struct static_key_false requests;	/* build_request to completion, pend, cancel */
	struct static_key_false events;		/* event_set, event_wait */
};

extern struct d2d_point_keys d2d_points;
#endif

/* The bench measures what these branches cost: once it builds all without them. */
#if defined(CONFIG_TRACEPOINTS) && !defined(D2D_NO_POINTS)
#define d2d_point_enabled(group)	static_branch_unlikely(&d2d_points.group)
#else
#define d2d_point_enabled(group)	(!sizeof(#group))
#endif

/*
 * What a queue's tracepoint is hit with. There is no pointer in it: the caller holds the
 * queue's lock, which other drivers need, and the owner follows no pointer under such a lock.
 */
struct d2d_queue_hit {
	char driver[MODULE_NAME_LEN];	/* name of the module, cut off if there is no NUL */
	d2d_handle doorbell;	/* the queue's, as the next two are */
	u32 queue;		/* id */
	u32 depth;
	u32 step;		/* enum d2d_step */
	u32 n;			/* items */
};

/*
 * Exported as the functions of d2d.h are; each hits the tracepoint of a step in the
 * name of a driver, without a line, and so without a seq: it is 0. Any context but NMI.
 *
 * d2d_point_queue: n items were put or taken, or the doorbell is going to be rung. The
 *	queue's lock is held, so that the trace has the queue's own order
 * d2d_point_op: an operation of a side ("owner" or "peer") is called, or has returned a
 *	status
 */
void d2d_point_queue(struct d2d_queue_hit hit);
void d2d_point_op(const char *driver, enum d2d_step step, const char *side, const char *op,
		  int status);

/* Hits the tracepoint of a step of n items of a queue, or of its doorbell. The lock is held. */
static inline void d2d_point_hit(const struct d2d_queue *queue, enum d2d_step step, u32 n)
{
	struct d2d_queue_hit hit = {
		.doorbell = queue->doorbell,
		.queue = queue->id,
		.depth = queue->put - queue->taken,
		.step = step,
		.n = n,
	};

	strscpy(hit.driver, THIS_MODULE->name);
	d2d_point_queue(hit);
}

/* Before a driver in C calls an operation of the other side. */
static inline void d2d_point_call(const char *side, const char *op)
{
	if (d2d_point_enabled(ops))
		d2d_point_op(THIS_MODULE->name, D2D_STEP_OP_CALL, side, op, 0);
}

/* And when it has returned this status. */
static inline void d2d_point_return(const char *side, const char *op, int status)
{
	if (d2d_point_enabled(ops))
		d2d_point_op(THIS_MODULE->name, D2D_STEP_OP_RETURN, side, op, status);
}

#endif /* D2D_POINT_H */
