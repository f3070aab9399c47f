/* SPDX-License-Identifier: GPL-2.0 */
/*
 * c_bridge: a module in C that is a peer of two owners, and passes calls and items from each of
 * them to the other one. first.c is a peer of module_a, second.c one of other_a. Each of the two
 * files includes this one with
 *
 *   ROLE(name)		the name of a function of its own
 *   OTHER(name)	the name of a function of the other file
 *
 * and defines the functions of its role here. In each of the two, the build puts another prefix
 * before the names of the library's functions (d2d-peer-role-flags in shared/library.mk).
 */
#ifndef C_BRIDGE_H
#define C_BRIDGE_H

#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "d2d_data.h"
#include "d2d_ops.h"
#include "d2d_pair.h"
#include "d2d_queue.h"
#include "d2d_table.h"

/*
 * Whether both roles have a context. An operation uses the other role as a reader of RCU, so that
 * the exit can wait until no thread does: the operations of this pair do not sleep.
 */
extern bool c_bridge_joined;

#define role_ping	ROLE(ping)
#define role_bounce	ROLE(bounce)
#define role_put	ROLE(put)
#define role_drain	ROLE(drain)
#define role_start	ROLE(start)
#define role_stop	ROLE(stop)
#define other_ping	OTHER(ping)
#define other_bounce	OTHER(bounce)
#define other_put	OTHER(put)
#define other_drain	OTHER(drain)
#define other_start	OTHER(start)
#define other_stop	OTHER(stop)

/* Call the owner of a role, or exchange items with it. Any context, once the roles are joined. */
int role_ping(u32 value, u32 *result);
int other_ping(u32 value, u32 *result);
int role_bounce(u32 hops, u32 *result);
int other_bounce(u32 hops, u32 *result);
int role_put(u64 note);
int other_put(u64 note);
int role_drain(int (*put)(u64 note));
int other_drain(int (*put)(u64 note));
/* Register and attach a role; detach and unregister it. May sleep. */
int role_start(void);
int other_start(void);
void role_stop(void);
void other_stop(void);

static d2d_handle self;
/* Set before the handshake is completed. */
static struct d2d_context *context;

static const u64 owner_chain[] = D2D_PAIR_OWNER_CHAIN;

static struct d2d_pair_owner_ops owner = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_owner_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, owner_chain),
};

int role_ping(u32 value, u32 *result)
{
	return owner.ping(context->owner.self, value, result);
}

int role_bounce(u32 hops, u32 *result)
{
	int err;

	d2d_point_call("owner", "bounce");
	err = owner.bounce(context->owner.self, hops, result);
	d2d_point_return("owner", "bounce", err);
	return err;
}

int role_put(u64 note)
{
	return d2d_queue_put(&context->to_owner, D2D_PAIR_KIND_NOTE, &note, sizeof(note));
}

/* Takes all items from the owner, and passes those that are notes to put(), if there is one. */
static int take(int (*put)(u64 note), u32 *taken)
{
	struct d2d_item *item;
	d2d_handle handle;
	int err = 0;
	u64 note;

	*taken = 0;
	while (!err && (handle = d2d_queue_take(&context->to_peer))) {
		item = d2d_queue_redeem(&context->to_peer, handle);
		if (put && item && item->kind == D2D_PAIR_KIND_NOTE && item->len == sizeof(note)) {
			memcpy(&note, item->payload, sizeof(note));
			err = put(note);
		}
		d2d_queue_release(&context->to_peer, handle);
		++*taken;
	}
	return err;
}

int role_drain(int (*put)(u64 note))
{
	u32 taken;

	return owner.drain(context->owner.self, &taken) ?: take(put, &taken);
}

static bool are_joined(void)
{
	/* Whoever sees the value that c_bridge_init() has stored also sees both contexts. */
	return smp_load_acquire(&c_bridge_joined);
}

/* The operations of this role. Until the roles are joined, they answer the owner themselves. */
static int own_ping(void *this, u32 value, u32 *result)
{
	guard(rcu)();
	if (are_joined())
		return other_ping(value, result);
	*result = value + 1;
	return 0;
}

static int own_bounce(void *this, u32 hops, u32 *result)
{
	int err;

	guard(rcu)();
	if (are_joined())
		return other_bounce(hops, result);
	*result = 0;
	if (!hops)
		return 0;
	err = role_bounce(hops - 1, result);
	++*result;
	return err;
}

static int own_drain(void *this, u32 *result)
{
	guard(rcu)();
	if (!are_joined())
		return take(NULL, result);
	return take(other_put, result) ?: other_drain(role_put);
}

static const u64 chain[] = D2D_PAIR_PEER_CHAIN;

static const struct d2d_pair_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_peer_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, chain),
	.ping = own_ping,
	.bounce = own_bounce,
	.drain = own_drain,
};

static int adopt(struct d2d_context *offered)
{
	int err;

	err = d2d_context_check(offered) ?:
	      d2d_ops_copy(&owner.hdr, &offered->owner, offered->module);
	if (err)
		return err;
	if (!owner.ping || !owner.bounce || !owner.drain)
		return -EOPNOTSUPP;
	context = offered;
	context->peer = (struct d2d_endpoint){ .ops = &ops.hdr };
	return 0;
}

static int dispatch(void *this, const struct d2d_request *request)
{
	int err = -ENOTTY;

	if (request->code == D2D_IOCTL_SHARE_CONTEXT)
		err = adopt(request->user_buffer);
	return d2d_complete(request->handle, err, 0) ?: err;
}

int role_start(void)
{
	static const struct d2d_driver driver =
		D2D_DRIVER_INIT(KBUILD_MODNAME, .dispatch = dispatch, .flags = D2D_DISPATCH_ATOMIC);
	int err;

	err = d2d_register(&driver, &self);
	if (err)
		return err;
	err = d2d_attach(self);
	if (err)
		d2d_unregister(self);
	return err;
}

void role_stop(void)
{
	d2d_detach(self);
	d2d_unregister(self);
}

#endif /* C_BRIDGE_H */
