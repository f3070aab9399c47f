// SPDX-License-Identifier: GPL-2.0
/*
 * The peer's role of c_middle: a peer of module_a. below.c has the owner's role. Both files use
 * functions of the library that have the same names, so the build puts a prefix before the names in
 * this file (d2d-peer-role-flags in shared/library.mk).
 */
#include <linux/module.h>

#include "c_middle.h"
#include "d2d_data.h"
#include "d2d_ops.h"
#include "d2d_pair.h"
#include "d2d_queue.h"
#include "d2d_table.h"

static d2d_handle self;
/* Set before the handshake is completed. */
static struct d2d_context *context;

static const u64 owner_chain[] = D2D_PAIR_OWNER_CHAIN;

static struct d2d_pair_owner_ops owner = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_owner_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, owner_chain),
};

int above_ping(u32 value, u32 *result)
{
	return owner.ping(context->owner.self, value, result);
}

int above_bounce(u32 hops, u32 *result)
{
	int err;

	d2d_point_call("owner", "bounce");
	err = owner.bounce(context->owner.self, hops, result);
	d2d_point_return("owner", "bounce", err);
	return err;
}

int above_put(u64 note)
{
	return d2d_queue_put(&context->to_owner, D2D_PAIR_KIND_NOTE, &note, sizeof(note));
}

int above_drain(u32 *result)
{
	return owner.drain(context->owner.self, result) ?:
	       move_notes(&context->to_peer, below_put, result);
}

static int c_middle_ping(void *this, u32 value, u32 *result)
{
	int err = below_ping(value, result);

	if (err == -ESHUTDOWN) {
		*result = value + 1;
		err = 0;
	}
	return err;
}

/* If no peer is attached below, this module is the end of the chain, so it calls module_a back. */
static int c_middle_bounce(void *this, u32 hops, u32 *result)
{
	int err = below_bounce(hops, result);

	if (err != -ESHUTDOWN)
		return err;
	*result = 0;
	if (!hops)
		return 0;
	err = above_bounce(hops - 1, result);
	++*result;
	return err;
}

static int c_middle_drain(void *this, u32 *result)
{
	u32 taken;
	int err;

	err = move_notes(&context->to_peer, below_put, result);
	if (err)
		return err;
	err = below_drain(&taken);
	return err == -ESHUTDOWN ? 0 : err;
}

static const u64 chain[] = D2D_PAIR_PEER_CHAIN;

static const struct d2d_pair_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_peer_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, chain),
	.ping = c_middle_ping,
	.bounce = c_middle_bounce,
	.drain = c_middle_drain,
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

int above_start(void)
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

void above_stop(void)
{
	d2d_detach(self);
	d2d_unregister(self);
}

MODULE_IMPORT_NS("D2D");
D2D_OWNER(module_a);
