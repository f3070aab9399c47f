/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The blocks of data of a context, for a C driver. Rust drivers have shared/d2d/data.rs and
 * shared/d2d/context.rs.
 *
 * One lock protects all three blocks. A driver uses a pointer to a block only while it holds the
 * lock. Any context but NMI; no function sleeps.
 */
#ifndef D2D_DATA_H
#define D2D_DATA_H

#include <linux/align.h>
#include <linux/lockdep.h>
#include <linux/spinlock.h>

#include "d2d.h"
#include "d2d_nofault.h"

/**
 * d2d_data_check() - check the sizes of the blocks, and that they can be read
 * @offered: a context that d2d_context_check() has accepted
 * @driver: the peer's name, which the refusal shows
 * @owner_size: bytes of the owner's block that the peer knows
 * @peer_size: bytes of the peer's block that the peer knows
 * @shared_size: bytes of the shared block that the peer knows
 *
 * Return: 0, or, with a line in the log,
 * * %-EMSGSIZE - a block is smaller than the peer expects, or larger than D2D_DATA_SIZE
 * * %-EFAULT - a block cannot be read
 */
static inline int d2d_data_check(const struct d2d_context *offered, const char *driver,
				 u64 owner_size, u64 peer_size, u64 shared_size)
{
	const u64 stated[] = {
		offered->data.owner_size, offered->data.peer_size, offered->data.shared_size,
	};
	const u64 expected[] = { owner_size, peer_size, shared_size };
	static const char *const names[] = { "owner", "peer", "shared" };
	const u8 *blocks = (const u8 *)offered->data.blocks;
	u64 at, bytes = 0;
	u8 byte;
	int n;

	for (n = 0; n < 3; n++) {
		if (stated[n] < expected[n] || stated[n] > D2D_DATA_SIZE) {
			d2d_trace(D2D_RECORD(driver, REFUSE, 0, D2D_TEXT(REASON, "bad-data-size"),
					     D2D_NUMBER(ERRNO, -EMSGSIZE), D2D_TEXT(WHAT, names[n]),
					     D2D_NUMBER(GOT, stated[n]),
					     D2D_NUMBER(EXPECTED, expected[n])));
			return -EMSGSIZE;
		}
		bytes += ALIGN(stated[n], 8);
	}
	for (at = 0; at < bytes; at += PAGE_SIZE) {
		if (d2d_get_nofault(&byte, blocks + at))
			return d2d_refuse(driver, "bad-context-pointer", -EFAULT, at, bytes);
	}
	if (bytes && d2d_get_nofault(&byte, blocks + bytes - 1))
		return d2d_refuse(driver, "bad-context-pointer", -EFAULT, bytes - 1, bytes);
	return 0;
}

/**
 * d2d_data_lock() - lock the blocks of a context, with interrupts disabled
 * @context: the context
 *
 * Context: Any context. Interrupts are disabled until d2d_data_unlock().
 *
 * Return: the interrupt flag, for d2d_data_unlock()
 */
static inline unsigned long d2d_data_lock(struct d2d_context *context)
	__acquires(&context->data.lock)
{
	unsigned long flags;

	spin_lock_irqsave(&context->data.lock, flags);
	return flags;
}

/**
 * d2d_data_unlock() - unlock the blocks of a context
 * @context: the context
 * @flags: what d2d_data_lock() has returned
 *
 * Context: Any context, with the lock held.
 */
static inline void d2d_data_unlock(struct d2d_context *context, unsigned long flags)
	__releases(&context->data.lock)
{
	spin_unlock_irqrestore(&context->data.lock, flags);
}

/**
 * d2d_data_owner() - return the owner's block
 * @context: the context
 *
 * Context: Any context, with the lock held.
 *
 * Return: the owner's block, aligned to 8 bytes
 */
static inline void *d2d_data_owner(struct d2d_context *context)
{
	lockdep_assert_held(&context->data.lock);
	return context->data.blocks;
}

/**
 * d2d_data_peer() - return the peer's block
 * @context: the context
 *
 * Context: Any context, with the lock held.
 *
 * Return: the peer's block, aligned to 8 bytes
 */
static inline void *d2d_data_peer(struct d2d_context *context)
{
	return d2d_data_owner(context) + ALIGN(context->data.owner_size, 8);
}

/**
 * d2d_data_shared() - return the block that both sides share
 * @context: the context
 *
 * Context: Any context, with the lock held.
 *
 * Return: the shared block, aligned to 8 bytes. It keeps its contents when a peer detaches
 */
static inline void *d2d_data_shared(struct d2d_context *context)
{
	return d2d_data_peer(context) + ALIGN(context->data.peer_size, 8);
}

#endif /* D2D_DATA_H */
