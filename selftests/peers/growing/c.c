// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a peer in C with version 1.0 of the growing pair. It is built with the header that was
 * recorded when version 1.0 was the newest one. The owner, which has version 1.1, accepts the peer.
 */
#include <linux/module.h>

#ifndef GROWING_HEADER
#define GROWING_HEADER "growing-1.0.h"
#endif

#include "d2d_data.h"
#include "d2d_ops.h"
#include "d2d_table.h"
#include GROWING_HEADER

#define COOKIE	20

static d2d_handle self;

static const u64 owner_chain[] = GROWING_OWNER_CHAIN;

static struct growing_owner_ops owner = {
	.hdr = D2D_OPS_INIT(struct growing_owner_ops, GROWING_MAJOR, GROWING_MINOR, owner_chain),
};

static const u64 chain[] = GROWING_PEER_CHAIN;

static int count(void *this, struct growing_round round, struct growing_round *result)
{
	*result = round;
	result->number++;
	result->cookie = COOKIE;
	return 0;
}

static const struct growing_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct growing_peer_ops, GROWING_MAJOR, GROWING_MINOR, chain),
	.count = count,
};

static struct d2d_context *context;

static int adopt(struct d2d_context *offered)
{
	struct growing_peer_data *data;
	unsigned long flags;
	int err;

	err = d2d_context_check(offered) ?:
	      d2d_data_check(offered, KBUILD_MODNAME, 0, sizeof(*data),
			     sizeof(struct growing_shared_data)) ?:
	      d2d_ops_copy(&owner.hdr, &offered->owner, offered->module);
	if (err)
		return err;
	context = offered;
	flags = d2d_data_lock(context);
	data = d2d_data_peer(context);
	data->cookie = COOKIE;
	d2d_data_unlock(context, flags);
	context->peer.ops = &ops.hdr;
	context->peer.self = context;
	return 0;
}

static int dispatch(void *this, const struct d2d_request *request)
{
	int err = -ENOTTY;

	if (request->code == D2D_IOCTL_SHARE_CONTEXT)
		err = adopt(request->user_buffer);
	return d2d_complete(request->handle, err, 0) ?: err;
}

static const struct d2d_driver driver = D2D_DRIVER_INIT(KBUILD_MODNAME, .dispatch = dispatch);

/*
 * Returns 0 if this driver and the owner read the same number of peers from the shared data, and
 * pass each other structures.
 */
static int check(void)
{
	struct growing_round round = { .number = 7, .more = { 1, 2, 3 } };
	struct growing_shared_data *shared;
	unsigned long flags;
	u64 expected, peers;
	int err;

	flags = d2d_data_lock(context);
	shared = d2d_data_shared(context);
	expected = shared->peers;
	d2d_data_unlock(context, flags);
	err = owner.check(context->owner.self, COOKIE, expected, &peers);
	if (err)
		return err;
	if (peers != expected || !peers)
		return -ENOTRECOVERABLE;
	err = owner.count(context->owner.self, round, &round);
	if (err)
		return err;
	return round.number == 8 && round.cookie == COOKIE && round.more[2] == 3 ?
	       0 : -ENOTRECOVERABLE;
}

static int __init growing_c_init(void)
{
	int err;

	err = d2d_register(&driver, &self);
	if (err)
		return err;
	err = d2d_attach(self);
	if (!err) {
		err = check();
		if (err)
			d2d_detach(self);
	}
	if (err)
		d2d_unregister(self);
	return err;
}
module_init(growing_c_init);

static void __exit growing_c_exit(void)
{
	d2d_detach(self);
	d2d_unregister(self);
}
module_exit(growing_c_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a peer in C with an old version of a pair");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(growing);
