/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The role of a peer, for a module in C with several roles. A file that includes this header
 * defines the operations op_ping(), op_bounce() and op_drain(). It also defines ROLE(name), the
 * name of a function of this role.
 *
 * An operation of one role may wait for an event or a request of another role. d2d_detach() waits
 * for the operations. So the module's exit calls d2d_leave() for each role first.
 */
#ifndef C_ROLE_H
#define C_ROLE_H

#include <linux/module.h>

#include "d2d_data.h"
#include "d2d_ops.h"
#include "d2d_pair.h"
#include "d2d_queue.h"
#include "d2d_table.h"

#define role_ping	ROLE(ping)
#define role_bounce	ROLE(bounce)
#define role_put	ROLE(put)
#define role_start	ROLE(start)
#define role_leave	ROLE(leave)
#define role_stop	ROLE(stop)

/* Any context, while the driver is attached. */
int role_ping(u32 value, u32 *result);
int role_bounce(u32 hops, u32 *result);
int role_put(u64 note);
/* May sleep. */
int role_start(void);
void role_leave(void);
void role_stop(void);

static d2d_handle self;
/* Set before the handshake is completed. */
static struct d2d_context *context;

static const u64 owner_chain[] = D2D_PAIR_OWNER_CHAIN;

static struct d2d_pair_owner_ops owner = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_owner_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, owner_chain),
};

static int op_ping(void *this, u32 value, u32 *result);
static int op_bounce(void *this, u32 hops, u32 *result);
static int op_drain(void *this, u32 *result);

static const u64 chain[] = D2D_PAIR_PEER_CHAIN;

static const struct d2d_pair_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_peer_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, chain),
	.ping = op_ping,
	.bounce = op_bounce,
	.drain = op_drain,
};

int role_ping(u32 value, u32 *result)
{
	return owner.ping(context->owner.self, value, result);
}

int role_bounce(u32 hops, u32 *result)
{
	int err;

	d2d_hot_call("owner", "bounce");
	err = owner.bounce(context->owner.self, hops, result);
	d2d_hot_return("owner", "bounce", err);
	return err;
}

int role_put(u64 note)
{
	return d2d_queue_put(&context->to_owner, D2D_PAIR_KIND_NOTE, &note, sizeof(note));
}

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

void role_leave(void)
{
	d2d_leave(self);
}

void role_stop(void)
{
	d2d_detach(self);
	d2d_unregister(self);
}

#endif /* C_ROLE_H */
