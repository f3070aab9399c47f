/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: what a C driver does with a queue. Any context but NMI; none
 * of it sleeps or allocates. Rust drivers have shared/d2d/queue.rs.
 *
 * An item that was taken is named by a handle, so that one that was released or
 * belongs to another queue is refused and not touched. Whoever redeems the handle
 * holds the item, until it releases it; there is one who can.
 */
#ifndef D2D_QUEUE_H
#define D2D_QUEUE_H

#include <linux/errno.h>
#include <linux/string.h>

#include "d2d.h"
#include "d2d_event.h"
#include "d2d_point.h"

/* The item that a handle names, or NULL. The lock is held. */
static inline struct d2d_item *d2d_queue_find(struct d2d_queue *queue, d2d_handle handle)
{
	u32 index = handle & ((1u << D2D_ITEM_INDEX_BITS) - 1);
	struct d2d_item *item;

	if (index >= queue->capacity)
		return NULL;
	item = queue->pool[index];
	return item->handed && item->handle == handle ? item : NULL;
}

/* Copies a payload to a new item. -EMSGSIZE too long, -ENOSPC the queue is full. */
static inline int d2d_queue_put(struct d2d_queue *queue, u32 kind, const void *payload, u32 len)
{
	d2d_handle doorbell = 0;
	struct d2d_item *item;
	unsigned long flags;
	int err = 0;

	if (len > queue->item_size)
		return -EMSGSIZE;
	spin_lock_irqsave(&queue->lock, flags);
	item = list_first_entry_or_null(&queue->free, struct d2d_item, node);
	if (item) {
		item->seq = queue->put++;
		item->kind = kind;
		item->len = len;
		memcpy(item->payload, payload, len);
		list_move_tail(&item->node, &queue->items);
		if (!queue->depth++)
			doorbell = queue->doorbell;
		queue->high_water = max(queue->high_water, queue->depth);
	} else {
		queue->refused++;
		err = -ENOSPC;
	}
	/* Under the lock, so that the trace has the queue's own order. */
	if (d2d_point_enabled(queues)) {
		d2d_point_hit(queue, D2D_STEP_ENQUEUE, !err);
		if (doorbell)
			d2d_point_hit(queue, D2D_STEP_DOORBELL, 0);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	if (doorbell)
		d2d_event_ring(doorbell);
	return err;
}

/*
 * Ties a queue that the caller takes items from to an event, its doorbell, or to
 * none (0). The event is set whenever the queue has an item that was empty before,
 * and now if it has one. One that is closed is silent.
 */
static inline void d2d_queue_set_doorbell(struct d2d_queue *queue, d2d_handle event)
{
	unsigned long flags;
	u32 depth;

	spin_lock_irqsave(&queue->lock, flags);
	queue->doorbell = event;
	depth = queue->depth;
	if (d2d_point_enabled(queues) && event && depth)
		d2d_point_hit(queue, D2D_STEP_DOORBELL, 0);
	spin_unlock_irqrestore(&queue->lock, flags);
	if (event && depth)
		d2d_event_ring(event);
}

/* Takes the oldest item. Returns its handle, or 0 if there is none. */
static inline d2d_handle d2d_queue_take(struct d2d_queue *queue)
{
	struct d2d_item *item;
	d2d_handle handle = 0;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	item = list_first_entry_or_null(&queue->items, struct d2d_item, node);
	if (item) {
		list_del(&item->node);
		queue->depth--;
		queue->taken++;
		queue->handed++;
		item->handed = D2D_ITEM_ON_THE_WAY;
		item->handle += 1ULL << 32;
		if (!(item->handle >> 32))
			item->handle += 1ULL << 32;
		handle = item->handle;
		if (d2d_point_enabled(queues))
			d2d_point_hit(queue, D2D_STEP_DEQUEUE, 1);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return handle;
}

/* Redeems a handle. The item itself, until it is released; NULL if the handle is stale. */
static inline struct d2d_item *d2d_queue_redeem(struct d2d_queue *queue, d2d_handle handle)
{
	struct d2d_item *item;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	item = d2d_queue_find(queue, handle);
	if (item && item->handed == D2D_ITEM_HELD)
		item = NULL;
	if (item)
		item->handed = D2D_ITEM_HELD;
	else
		queue->stale++;
	spin_unlock_irqrestore(&queue->lock, flags);
	return item;
}

/* Gives the item back for reuse, redeemed or not. -ESTALE it was released before. */
static inline int d2d_queue_release(struct d2d_queue *queue, d2d_handle handle)
{
	struct d2d_item *item;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	item = d2d_queue_find(queue, handle);
	if (item) {
		item->handed = 0;
		queue->handed--;
		list_add_tail(&item->node, &queue->free);
	} else {
		queue->stale++;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return item ? 0 : -ESTALE;
}

#endif /* D2D_QUEUE_H */
