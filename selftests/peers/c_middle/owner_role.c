// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a module in C that is a peer of module_a and an owner. It exports the table of middle
 * (middle.rs), so the peers of middle can attach to it. It passes calls and items on in both
 * directions, and serves no requests. This file has the owner's role.
 */
#include <linux/module.h>

#include "../never.h"
#include "c_middle.h"
#include "d2d_ops.h"
#include "d2d_owner.h"
#include "d2d_pair.h"
#include "d2d_hot_step.h"
#include "d2d_queue.h"

static bool waits;
module_param(waits, bool, 0);
MODULE_PARM_DESC(waits, "Whether an operation of the peer's role waits for an event of the owner's role");

static d2d_handle self;
static struct d2d_context *context;

int below_ping(u32 value, u32 *result)
{
	const struct d2d_pair_peer_ops *ops;
	struct d2d_peer peer;
	int err;

	err = d2d_peer_enter(context, &peer);
	if (err)
		return err;
	ops = container_of_const(peer.ops, struct d2d_pair_peer_ops, hdr);
	err = ops->ping ? ops->ping(peer.self, value, result) : -EOPNOTSUPP;
	d2d_peer_exit(context, &peer);
	return err;
}

int below_bounce(u32 hops, u32 *result)
{
	const struct d2d_pair_peer_ops *ops;
	struct d2d_peer peer;
	int err;

	err = d2d_peer_enter(context, &peer);
	if (err)
		return err;
	ops = container_of_const(peer.ops, struct d2d_pair_peer_ops, hdr);
	d2d_hot_call("peer", "bounce");
	err = ops->bounce ? ops->bounce(peer.self, hops, result) : -EOPNOTSUPP;
	d2d_hot_return("peer", "bounce", err);
	d2d_peer_exit(context, &peer);
	return err;
}

int below_put(u64 note)
{
	return d2d_queue_put(&context->to_peer, D2D_PAIR_KIND_NOTE, &note, sizeof(note));
}

int below_drain(u32 *result)
{
	const struct d2d_pair_peer_ops *ops;
	struct d2d_peer peer;
	int err;

	err = d2d_peer_enter(context, &peer);
	if (err)
		return err;
	ops = container_of_const(peer.ops, struct d2d_pair_peer_ops, hdr);
	err = ops->drain ? ops->drain(peer.self, result) : -EOPNOTSUPP;
	d2d_peer_exit(context, &peer);
	return err ?: move_notes(&context->to_owner, above_put, result);
}

void below_wait(void)
{
	wait_for_never();
}

static int c_middle_ping(void *this, u32 value, u32 *result)
{
	return above_ping(value, result);
}

static int c_middle_bounce(void *this, u32 hops, u32 *result)
{
	return above_bounce(hops, result);
}

static int c_middle_drain(void *this, u32 *result)
{
	u32 back;

	return move_notes(&context->to_owner, above_put, result) ?: above_drain(&back);
}

static const u64 chain[] = D2D_PAIR_OWNER_CHAIN;

static const struct d2d_pair_owner_ops ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_owner_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, chain),
	.ping = c_middle_ping,
	.bounce = c_middle_bounce,
	.drain = c_middle_drain,
};

static const u64 peer_chain[] = D2D_PAIR_PEER_CHAIN;

static const struct d2d_pair_peer_ops peer_ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_peer_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, peer_chain),
};

static void prepare(void *this, struct d2d_context *prepared)
{
	context = prepared;
}

static int dispatch(void *this, const struct d2d_request *request)
{
	return d2d_complete(request->handle, -ENOTTY, 0) ?: -ENOTTY;
}

/*
 * The operations in peer_role.c call below_*(). So the owner's role starts first and stops last.
 *
 * The operations in this file need the peer's role. They run only between init and exit, because
 * their callers import symbols of c_middle: the kernel loads them later and unloads them earlier.
 */
static int __init c_middle_init(void)
{
	static const struct d2d_owner owner = {
		.ops = &ops.hdr,
		.peer_ops = &peer_ops.hdr,
		.dispatch = dispatch,
		.prepare = prepare,
		.flags = D2D_DISPATCH_ATOMIC,
		.owner_flags = D2D_OWNER_PRINT_HOT_STEPS,
		.contexts = 1,
		.capacity = 256,
		.item_size = sizeof(u64),
		.timeout = 5000,
		D2D_PAIR_DATA_SIZES,
	};
	int err;

	err = d2d_owner_start(&owner, &self);
	if (err)
		return err;
	err = above_start();
	if (err)
		goto stop_owner;
	err = waits ? create_never(self) : 0;
	if (err)
		goto stop_above;
	return 0;

stop_above:
	above_stop();
stop_owner:
	d2d_owner_stop();
	return err;
}
module_init(c_middle_init);

/* above_stop() waits for operations, which may wait (never.h). So both drivers leave first. */
static void __exit c_middle_exit(void)
{
	above_leave();
	d2d_leave(self);
	above_stop();
	d2d_owner_stop();
}
module_exit(c_middle_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a peer of module_a in C that is an owner, too");
MODULE_LICENSE("GPL");
