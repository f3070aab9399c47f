/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The twin's queues. Any execution context but NMI may call these functions. They neither sleep nor
 * allocate memory.
 */
#ifndef TWIN_QUEUE_H
#define TWIN_QUEUE_H

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "event.h"
#include "tracepoint_key.h"
#include "twin.h"

/* An item's handle, from the highest bit: the generation, the queue's id, the item's index */
#define TWIN_ITEM_INDEX_BITS	24

static inline struct twin_item *twin_queue_item(const struct twin_queue *queue, u32 index)
{
	return queue->pool[index / queue->per_chunk] + index % queue->per_chunk * queue->stride;
}

static inline void twin_queue_fill(struct twin_queue *queue, struct twin_item *item, u32 kind,
				   const void *payload, u32 len)
{
	item->seq = queue->put++;
	item->kind = kind;
	item->len = len;
	memcpy(item->payload, payload, len);
}

/* Called under the lock. Returns the doorbell that the caller must ring after unlocking, or 0. */
static inline twin_handle twin_queue_filled(struct twin_queue *queue, u32 n)
{
	twin_handle doorbell = !queue->depth && n ? queue->doorbell : 0;

	queue->depth += n;
	queue->high_water = max(queue->high_water, queue->depth);
	/* The lock is held, so the trace has the items in the order of the queue. */
	if (twin_hot_enabled(queues)) {
		twin_trace_queue(THIS_MODULE->name, queue, TWIN_QUEUE_ENQUEUE, n);
		if (doorbell)
			twin_trace_queue(THIS_MODULE->name, queue, TWIN_QUEUE_DOORBELL, n);
	}
	return doorbell;
}

/* -EMSGSIZE: the payload is too long. -ENOSPC: the queue is full. */
static inline int twin_queue_put(struct twin_queue *queue, u32 kind, const void *payload, u32 len)
{
	twin_handle doorbell = 0;
	struct twin_item *item;
	unsigned long flags;
	int err = 0;

	if (len > queue->item_size)
		return -EMSGSIZE;
	spin_lock_irqsave(&queue->lock, flags);
	item = list_first_entry_or_null(&queue->free, struct twin_item, node);
	if (item) {
		twin_queue_fill(queue, item, kind, payload, len);
		list_move_tail(&item->node, &queue->items);
		doorbell = twin_queue_filled(queue, 1);
	} else {
		queue->refused++;
		err = -ENOSPC;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	if (doorbell)
		twin_event_ring(doorbell);
	return err;
}

/*
 * Puts up to TWIN_MAX_BATCH payloads of @len bytes each. Returns how many fitted, or -EMSGSIZE if
 * @len is too large.
 */
static inline int twin_queue_put_batch(struct twin_queue *queue, u32 kind, const void *payloads,
				       u32 len, u32 count)
{
	twin_handle doorbell;
	struct twin_item *item;
	unsigned long flags;
	LIST_HEAD(filled);
	u32 n = 0;

	if (len > queue->item_size)
		return -EMSGSIZE;
	count = min(count, TWIN_MAX_BATCH);
	spin_lock_irqsave(&queue->lock, flags);
	list_for_each_entry(item, &queue->free, node) {
		if (n == count)
			break;
		twin_queue_fill(queue, item, kind, payloads + n++ * len, len);
	}
	/* The filled items are those before @item. */
	list_cut_before(&filled, &queue->free, &item->node);
	list_splice_tail(&filled, &queue->items);
	doorbell = twin_queue_filled(queue, n);
	queue->refused += count - n;
	spin_unlock_irqrestore(&queue->lock, flags);
	if (doorbell)
		twin_event_ring(doorbell);
	return n;
}

/*
 * Moves up to @max of the oldest items (TWIN_MAX_BATCH at most) to the end of @batch. Returns how
 * many.
 */
static inline u32 twin_queue_take_batch(struct twin_queue *queue, struct list_head *batch, u32 max)
{
	struct list_head *last = &queue->items;
	struct list_head taken;
	unsigned long flags;
	u32 n, i;

	spin_lock_irqsave(&queue->lock, flags);
	n = min3(max, TWIN_MAX_BATCH, queue->depth);
	for (i = 0; i < n; i++)
		last = last->next;
	list_cut_position(&taken, &queue->items, last);
	queue->depth -= n;
	queue->taken += n;
	if (twin_hot_enabled(queues) && n)
		twin_trace_queue(THIS_MODULE->name, queue, TWIN_QUEUE_DEQUEUE, n);
	spin_unlock_irqrestore(&queue->lock, flags);
	list_splice_tail(&taken, batch);
	return n;
}

static inline void twin_queue_release_batch(struct twin_queue *queue, struct list_head *batch)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	list_splice_tail_init(batch, &queue->free);
	spin_unlock_irqrestore(&queue->lock, flags);
}

/* Returns the oldest item, or NULL. The caller owns it until twin_queue_release(). */
static inline struct twin_item *twin_queue_take(struct twin_queue *queue)
{
	struct twin_item *item;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	item = list_first_entry_or_null(&queue->items, struct twin_item, node);
	if (item) {
		list_del(&item->node);
		queue->depth--;
		queue->taken++;
		if (twin_hot_enabled(queues))
			twin_trace_queue(THIS_MODULE->name, queue, TWIN_QUEUE_DEQUEUE, 1);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return item;
}

static inline void twin_queue_release(struct twin_queue *queue, struct twin_item *item)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	list_add_tail(&item->node, &queue->free);
	spin_unlock_irqrestore(&queue->lock, flags);
}

/* For the side that takes items. @event 0: no doorbell. If the queue has items, rings @event. */
static inline void twin_queue_set_doorbell(struct twin_queue *queue, twin_handle event)
{
	unsigned long flags;
	u32 depth;

	spin_lock_irqsave(&queue->lock, flags);
	queue->doorbell = event;
	depth = queue->depth;
	if (twin_hot_enabled(queues) && event && depth)
		twin_trace_queue(THIS_MODULE->name, queue, TWIN_QUEUE_DOORBELL, depth);
	spin_unlock_irqrestore(&queue->lock, flags);
	if (event && depth)
		twin_event_ring(event);
}

/* If the handle is stale, counts it, and returns NULL. The caller holds the lock. */
static inline struct twin_item *twin_queue_find(struct twin_queue *queue, twin_handle handle)
{
	u32 index = handle & GENMASK(TWIN_ITEM_INDEX_BITS - 1, 0);
	struct twin_item *item;

	if ((u32)handle >> TWIN_ITEM_INDEX_BITS == queue->id && index < queue->capacity) {
		item = twin_queue_item(queue, index);
		if (item->handle_state && item->generation == handle >> 32)
			return item;
	}
	queue->stale++;
	return NULL;
}

/* From then on, the item belongs to the driver that redeems the handle. */
static inline twin_handle twin_queue_make_handle(struct twin_queue *queue, struct twin_item *item)
{
	twin_handle handle;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	queue->handle_count++;
	item->handle_state = TWIN_ITEM_ON_THE_WAY;
	item->generation = item->generation + 1 ?: 1;
	handle = (u64)item->generation << 32 | queue->id << TWIN_ITEM_INDEX_BITS | item->index;
	spin_unlock_irqrestore(&queue->lock, flags);
	return handle;
}

/* Returns NULL if the handle is stale. */
static inline struct twin_item *twin_queue_redeem(struct twin_queue *queue, twin_handle handle)
{
	struct twin_item *item;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	item = twin_queue_find(queue, handle);
	if (item && item->handle_state == TWIN_ITEM_HELD) {
		queue->stale++;
		item = NULL;
	}
	if (item)
		item->handle_state = TWIN_ITEM_HELD;
	spin_unlock_irqrestore(&queue->lock, flags);
	return item;
}

/* Releases the item, whether its handle was redeemed or not. -ESTALE: the handle is stale. */
static inline int twin_queue_release_handle(struct twin_queue *queue, twin_handle handle)
{
	struct twin_item *item;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	item = twin_queue_find(queue, handle);
	if (item) {
		item->handle_state = 0;
		queue->handle_count--;
		list_add_tail(&item->node, &queue->free);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return item ? 0 : -ESTALE;
}

#endif /* TWIN_QUEUE_H */
