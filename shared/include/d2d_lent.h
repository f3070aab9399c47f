/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lent memory, for example a ring: memory of one side of a context that both sides use.
 * Rust drivers have shared/d2d/lent.rs.
 *
 * The memory consists of one or more structures of one type. The generated header of the pair has
 * the type and its hash. A peer lends its memory when it fills in its endpoint, and keeps it until
 * d2d_detach() has returned. An owner lends its memory in prepare(), and keeps it until
 * d2d_owner_stop() has returned.
 *
 * No lock protects lent memory. Either side may read and write it at any time, in any execution
 * context, so both use only the kernel's functions for unlocked accesses: READ_ONCE(),
 * WRITE_ONCE(), smp_load_acquire(), smp_store_release(), xchg(), cmpxchg() and the like.
 *
 * Any context but NMI; no function sleeps.
 */
#ifndef D2D_LENT_H
#define D2D_LENT_H

#include <linux/err.h>
#include <linux/errno.h>

#include "d2d.h"
#include "d2d_nofault.h"

/**
 * d2d_lend() - lend memory to the other side of a context
 * @endpoint: the caller's own endpoint in the context
 * @memory: the memory
 * @size: bytes of all of the memory
 * @hash: the hash of its structure, such as GAUGE_PAIR_RING_HASH
 *
 * Return: 0, or, with a line in the log,
 * * %-EINVAL - @memory is NULL, or @size is 0
 * * %-EALREADY - the endpoint lends memory already
 */
static inline int d2d_lend(struct d2d_endpoint *endpoint, void *memory, size_t size, u64 hash)
{
	if (!memory || !size)
		return d2d_refuse(KBUILD_MODNAME, "nothing-to-lend", -EINVAL, size, 1);
	if (endpoint->lent.memory)
		return d2d_refuse(KBUILD_MODNAME, "already-lending", -EALREADY, size, 0);
	endpoint->lent = (struct d2d_lent){ .memory = memory, .size = size, .hash = hash };
	return 0;
}

/**
 * d2d_lent() - get the memory that the other side of a context lends
 * @endpoint: the endpoint of the lender
 * @size: the bytes that the caller needs
 * @hash: the hash of the structure that the caller expects
 * @all: where to store the size of all of the memory, in bytes, or NULL. Use the stored size: the
 *       other side can change @endpoint->lent.size
 *
 * A peer may use the owner's memory after d2d_context_check(), and until the peer is detached. An
 * owner uses the peer's memory only between d2d_peer_enter() and d2d_peer_exit().
 *
 * The function does not check how the memory is aligned.
 *
 * Return: the memory, or an error pointer, with a line in the log:
 * * %-ENODATA - nothing is lent
 * * %-EPROTOTYPE - the memory consists of another structure
 * * %-EMSGSIZE - it is smaller than @size
 * * %-EFAULT - its first or last byte cannot be read
 */
static inline void *d2d_lent(const struct d2d_endpoint *endpoint, size_t size, u64 hash,
			     size_t *all)
{
	const struct d2d_lent lent = endpoint->lent;
	u8 byte;

	if (!lent.memory)
		return ERR_PTR(d2d_refuse(KBUILD_MODNAME, "nothing-lent", -ENODATA, 0, size));
	if (lent.hash != hash)
		return ERR_PTR(d2d_refuse(KBUILD_MODNAME, "other-lent-type", -EPROTOTYPE,
					  lent.hash, hash));
	if (!size || lent.size < size)
		return ERR_PTR(d2d_refuse(KBUILD_MODNAME, "lent-too-small", -EMSGSIZE, lent.size,
					  size));
	if (d2d_get_nofault(&byte, (u8 *)lent.memory) ||
	    d2d_get_nofault(&byte, (u8 *)lent.memory + lent.size - 1))
		return ERR_PTR(d2d_refuse(KBUILD_MODNAME, "bad-lent-memory", -EFAULT, lent.size,
					  size));
	if (all)
		*all = lent.size;
	return lent.memory;
}

/**
 * d2d_lent_index() - find which of the lent structures a request is about
 * @lent: the memory, from d2d_lent()
 * @all: the size of all of the memory, in bytes, from d2d_lent()
 * @size: the bytes of one structure, 1 to @all
 * @user_buffer: that of struct d2d_request
 *
 * Does not follow @user_buffer, which may come from any driver. The caller uses the structure
 * through @lent.
 *
 * Return: the index of the structure to which @user_buffer points, or
 * * %-ENODATA - @user_buffer is NULL
 * * %-EFAULT - it does not point to the beginning of one of the structures
 */
static inline s64 d2d_lent_index(const void *lent, size_t all, size_t size,
				 const void *user_buffer)
{
	size_t offset = (uintptr_t)user_buffer - (uintptr_t)lent;

	if (!user_buffer)
		return -ENODATA;
	if (offset % size || offset / size >= all / size)
		return -EFAULT;
	return offset / size;
}

#endif /* D2D_LENT_H */
