/* SPDX-License-Identifier: GPL-2.0 */
/* The two sides' links, and the calls through them */
#ifndef TWIN_LINK_H
#define TWIN_LINK_H

#include <linux/errno.h>
#include <linux/srcu.h>

#include "tracepoint_key.h"
#include "twin.h"

/* A checked copy of the peer's endpoint */
struct twin_peer {
	struct twin_peer_ops ops;
	void *self;
};

struct twin_owner_link {
	struct twin_context *context;
	struct srcu_struct srcu;	/* readers: the owner's threads inside the peer */
	struct twin_peer __rcu *peer;	/* the copy below, or NULL if no thread may enter */
	struct twin_peer copy;
};

struct twin_peer_link {
	struct twin_context *context;
	struct twin_owner_ops owner;
	void *self;
};

/*
 * -EOPNOTSUPP: the owner lacks the operation. The calls need no protection: the peer imports the
 * owner's symbols, so the owner stays loaded.
 */
static inline int twin_owner_ping(const struct twin_peer_link *link, u32 value, u32 *result)
{
	int err;

	if (!link->owner.ping)
		return -EOPNOTSUPP;
	if (!twin_hot_enabled(ops))
		return link->owner.ping(link->self, value, result);
	twin_trace_op(THIS_MODULE->name, "ping", false, 0);
	err = link->owner.ping(link->self, value, result);
	twin_trace_op(THIS_MODULE->name, "ping", true, err);
	return err;
}

static inline int twin_owner_call_peer(const struct twin_peer_link *link, u64 times, u32 *result)
{
	int err;

	if (!link->owner.call_peer)
		return -EOPNOTSUPP;
	if (!twin_hot_enabled(ops))
		return link->owner.call_peer(link->self, times, result);
	twin_trace_op(THIS_MODULE->name, "call_peer", false, 0);
	err = link->owner.call_peer(link->self, times, result);
	twin_trace_op(THIS_MODULE->name, "call_peer", true, err);
	return err;
}

/* The caller has entered rundown protection of the peer. */
static inline int twin_peer_ping(const struct twin_peer *peer, u32 value, u32 *result)
{
	int err;

	if (!peer->ops.ping)
		return -EOPNOTSUPP;
	if (!twin_hot_enabled(ops))
		return peer->ops.ping(peer->self, value, result);
	twin_trace_op(THIS_MODULE->name, "ping", false, 0);
	err = peer->ops.ping(peer->self, value, result);
	twin_trace_op(THIS_MODULE->name, "ping", true, err);
	return err;
}

/* -ESHUTDOWN: the peer is detaching or detached. */
static inline int twin_peer_ping_protected(struct twin_owner_link *link, u32 value, u32 *result)
{
	struct srcu_ctr __percpu *entered = srcu_read_lock_fast(&link->srcu);
	const struct twin_peer *peer = srcu_dereference(link->peer, &link->srcu);
	int err = peer ? twin_peer_ping(peer, value, result) : -ESHUTDOWN;

	srcu_read_unlock_fast(&link->srcu, entered);
	return err;
}

#endif /* TWIN_LINK_H */
