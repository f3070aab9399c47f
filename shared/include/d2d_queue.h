/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions of a queue, for C drivers. Any context but NMI; no function sleeps or allocates.
 * Rust drivers have shared/d2d/queue.rs.
 *
 * d2d_queue_take() returns a handle. Only one driver can redeem it, and then uses the item until it
 * releases the item. A peer releases its items before it detaches. When it detaches, the handles
 * that nobody has redeemed become stale. An owner may use the items that it has redeemed until it
 * calls d2d_owner_stop(), and releases them before.
 */
#ifndef D2D_QUEUE_H
#define D2D_QUEUE_H

#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "d2d.h"
#include "d2d_event.h"
#include "d2d_hot_step.h"

/**
 * d2d_queue_find() - find the item whose index is in a handle
 * @queue: the queue
 * @handle: any number. The function refuses the generation 0: D2D_ITEM_HELD() of such a number can
 *	be 0, which is the claim of an item that no handle names
 *
 * Only the functions of this file use it.
 *
 * Return: the item, or NULL if the number cannot be the handle of an item
 */
static inline struct d2d_item *d2d_queue_find(struct d2d_queue *queue, d2d_handle handle)
{
	u32 index = handle & ((1u << D2D_ITEM_INDEX_BITS) - 1);

	if (!(handle & D2D_HANDLE_ITEM) || !(handle >> 32) || index >= queue->capacity)
		return NULL;
	return queue->pool[index];
}

/**
 * d2d_queue_note_stale() - count a handle that names no item
 * @queue: the queue
 *
 * Only the functions of this file use it.
 */
static inline void d2d_queue_note_stale(struct d2d_queue *queue)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	queue->stale++;
	spin_unlock_irqrestore(&queue->lock, flags);
}

/**
 * d2d_queue_put() - put an item with a copy of a payload
 * @queue: the queue
 * @kind: the meaning of the payload, as the drivers have agreed
 * @payload: the payload
 * @len: its bytes
 *
 * Sets the queue's doorbell if the queue was empty.
 *
 * Return: 0, %-EMSGSIZE if the payload is larger than an item, or %-ENOSPC if the queue is full
 */
static inline int d2d_queue_put(struct d2d_queue *queue, u32 kind, const void *payload, u32 len)
{
	struct d2d_item *item;
	unsigned long flags;
	d2d_handle doorbell;
	bool was_empty;

	if (len > queue->item_size)
		return -EMSGSIZE;
	spin_lock_irqsave(&queue->lock, flags);
	item = queue->free ?: xchg(&queue->released, NULL);
	if (unlikely(!item)) {
		queue->refused++;
		d2d_hot_queue_unlock(queue, flags, D2D_STEP_ENQUEUE, 0, 0);
		return -ENOSPC;
	}
	was_empty = queue->put == queue->taken;
	queue->free = item->next;
	item->seq = queue->put++;
	item->kind = kind;
	item->len = len;
	memcpy(item->payload, payload, len);
	*(was_empty ? &queue->first : &queue->last->next) = item;
	queue->last = item;
	queue->high_water = max(queue->high_water, (u32)(queue->put - queue->taken));
	doorbell = was_empty ? queue->doorbell : 0;
	d2d_hot_queue_unlock(queue, flags, D2D_STEP_ENQUEUE, 1, doorbell);
	if (doorbell)
		d2d_event_ring(doorbell);
	return 0;
}

/**
 * d2d_queue_set_doorbell() - make an event the doorbell of a queue
 * @queue: the queue, from which the caller takes items
 * @event: the event; 0 removes the doorbell
 *
 * If the queue is not empty now, this call sets the event.
 */
static inline void d2d_queue_set_doorbell(struct d2d_queue *queue, d2d_handle event)
{
	unsigned long flags;
	bool rings;

	spin_lock_irqsave(&queue->lock, flags);
	queue->doorbell = event;
	rings = event && queue->put != queue->taken;
	if (d2d_hot_enabled(queues) && rings)
		d2d_hot_queue_step(queue, D2D_STEP_DOORBELL, 0);
	spin_unlock_irqrestore(&queue->lock, flags);
	if (rings)
		d2d_event_ring(event);
}

/**
 * d2d_queue_take() - take the oldest item
 * @queue: the queue
 *
 * Return: the handle of the item, or 0 if the queue is empty
 */
static inline d2d_handle d2d_queue_take(struct d2d_queue *queue)
{
	struct d2d_item *item;
	unsigned long flags;
	d2d_handle handle;

	spin_lock_irqsave(&queue->lock, flags);
	if (queue->put == queue->taken) {
		spin_unlock_irqrestore(&queue->lock, flags);
		return 0;
	}
	item = queue->first;
	queue->first = item->next;
	queue->taken++;
	item->handle += 1ULL << 32;
	if (!(item->handle >> 32))
		item->handle += 1ULL << 32;
	handle = item->handle;
	queue->handed = 1;
	/* Pairs with the exchange of the claim in d2d_queue_redeem() and _release(). */
	smp_store_release(&item->claim, handle);
	d2d_hot_queue_unlock(queue, flags, D2D_STEP_DEQUEUE, 1, 0);
	return handle;
}

/**
 * d2d_queue_redeem() - redeem a handle
 * @queue: the queue
 * @handle: the handle
 *
 * Return: the item, or NULL if the handle is stale
 */
static inline struct d2d_item *d2d_queue_redeem(struct d2d_queue *queue, d2d_handle handle)
{
	struct d2d_item *item = d2d_queue_find(queue, handle);

	if (!item || cmpxchg(&item->claim, handle, D2D_ITEM_HELD(handle)) != handle) {
		d2d_queue_note_stale(queue);
		return NULL;
	}
	return item;
}

/**
 * d2d_queue_expect() - check the kind and the length of an item
 * @item: an item that the caller has redeemed
 * @driver: the caller's name, which the refusal shows
 * @kind: the kind that the caller expects
 * @len: the bytes of the payload of such an item
 *
 * No other function of this file checks the items that the other side puts.
 *
 * Return: 0, or %-ENOMSG, with a line in the log, if the kind or the length is not the expected one
 */
static inline int d2d_queue_expect(const struct d2d_item *item, const char *driver, u32 kind,
				   u32 len)
{
	if (item->kind == kind && item->len == len)
		return 0;
	d2d_trace(D2D_RECORD(driver, REFUSE, 0, D2D_TEXT(REASON, "unknown-item"),
			     D2D_NUMBER(ERRNO, -ENOMSG), D2D_NUMBER(KIND, item->kind),
			     D2D_NUMBER(BYTES, item->len), D2D_NUMBER(EXPECTED, kind)));
	return -ENOMSG;
}

/**
 * d2d_queue_release() - release the item of a handle, redeemed or not
 * @queue: the queue
 * @handle: the handle, which is stale from then on
 *
 * Return: 0, or %-ESTALE if the handle is stale
 */
static inline int d2d_queue_release(struct d2d_queue *queue, d2d_handle handle)
{
	struct d2d_item *item = d2d_queue_find(queue, handle);
	d2d_handle held = D2D_ITEM_HELD(handle);
	struct d2d_item *first;

	/* handle before held: another thread may redeem it between the two exchanges. */
	if (!item || (cmpxchg(&item->claim, handle, 0) != handle &&
		      cmpxchg(&item->claim, held, 0) != held)) {
		d2d_queue_note_stale(queue);
		return -ESTALE;
	}
	first = READ_ONCE(queue->released);
	do {
		item->next = first;
	} while (!try_cmpxchg(&queue->released, &first, item));
	return 0;
}

#endif /* D2D_QUEUE_H */
