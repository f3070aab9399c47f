// SPDX-License-Identifier: GPL-2.0
/*
 * Test: an owner in C with version 1.0 of the growing pair, built with growing-1.0.h. Its queues
 * also have room for the items of version 1.2. owner_c_v1_1.c builds this file with the header of
 * version 1.1.
 */
#include "c.h"
#include "d2d_owner.h"

#define NAME	"growing"

static d2d_handle self;

static int check(void *this, u64 cookie, u64 peers, u64 *result)
{
	struct d2d_context *context = this;
	unsigned long flags = d2d_data_lock(context);
	const struct growing_peer_data *data = d2d_data_peer(context);
	const struct growing_shared_data *shared = d2d_data_shared(context);
	bool right = data->cookie == cookie && shared->peers == peers;

	d2d_data_unlock(context, flags);
	*result = peers;
	return right ? 0 : -EBADMSG;
}

static int call_peer(struct d2d_context *context, struct growing_round round,
		     struct growing_round *result)
{
	const struct growing_peer_ops *ops;
	struct d2d_peer peer;
	int err;

	err = d2d_peer_enter(context, &peer);
	if (err)
		return err;
	ops = container_of_const(peer.ops, struct growing_peer_ops, hdr);
	err = ops->count ? ops->count(peer.self, round, result) : -EOPNOTSUPP;
	d2d_peer_exit(context, &peer);
	return err;
}

/* Puts back the peer's items, and then calls the peer's "count". */
static int count(void *this, struct growing_round round, struct growing_round *result)
{
	u64 payloads[ARRAY_SIZE(kinds)][NUMBERS] = {};
	struct d2d_context *context = this;
	int err = 0;

	take_all(&context->to_owner, NAME, payloads);
	for (unsigned int n = 0; n < ARRAY_SIZE(kinds) && !err; n++)
		err = put_item(&context->to_peer, &kinds[n], payloads[n]);
	return err ?: call_peer(context, round, result);
}

#if GROWING_MINOR >= 1
static int last(void *this, u64 *result)
{
	struct d2d_context *context = this;
	unsigned long flags = d2d_data_lock(context);
	const struct growing_shared_data *shared = d2d_data_shared(context);

	*result = shared->last;
	d2d_data_unlock(context, flags);
	return 0;
}
#endif

static const u64 chain[] = GROWING_OWNER_CHAIN;

static const struct growing_owner_ops ops = {
	.hdr = D2D_OPS_INIT(struct growing_owner_ops, GROWING_MAJOR, GROWING_MINOR, chain),
	.check = check,
	.count = count,
#if GROWING_MINOR >= 1
	.last = last,
#endif
};

static const u64 peer_chain[] = GROWING_PEER_CHAIN;

static const struct growing_peer_ops peer_ops = {
	.hdr = D2D_OPS_INIT(struct growing_peer_ops, GROWING_MAJOR, GROWING_MINOR, peer_chain),
};

static int serve(const struct d2d_request *request, u64 factor)
{
	u64 value;
	int err;

	err = d2d_request_input(request, &value, sizeof(value));
	if (err)
		return err;
	value *= factor;
	return d2d_request_write(request->handle, &value, sizeof(value));
}

static int dispatch(void *this, const struct d2d_request *request)
{
	int err = -ENOTTY;

	for (unsigned int n = 0; n < ARRAY_SIZE(codes); n++) {
		if (codes[n].code == request->code)
			err = serve(request, codes[n].factor);
	}
	d2d_complete(request->handle, err, err ? 0 : sizeof(u64));
	return err;
}

static void attached(void *this, struct d2d_context *context)
{
	unsigned long flags = d2d_data_lock(context);
	struct growing_shared_data *shared = d2d_data_shared(context);

	shared->peers++;
	d2d_data_unlock(context, flags);
}

static int create_event(void)
{
#if GROWING_MINOR >= 1
	d2d_handle here;

	return d2d_event_create_of(self, NAME, GROWING_EVENT_HERE, 1, &here);
#else
	return 0;
#endif
}

static int __init growing_owner_init(void)
{
	static const struct d2d_owner owner = {
		.ops = &ops.hdr,
		.peer_ops = &peer_ops.hdr,
		.dispatch = dispatch,
		.attached = attached,
		.contexts = 1,
		.capacity = 16,
		.item_size = 64,
		.timeout = 5000,
#ifdef GROWING_DATA_SIZES
		GROWING_DATA_SIZES,
#else
		/* The header of version 1.0 was recorded before headers had this constant. */
		.peer_size = sizeof(struct growing_peer_data),
		.shared_size = sizeof(struct growing_shared_data),
		.sizes_hash = GROWING_OWNER_VERSION_0,
#endif
	};
	int err;

	err = d2d_owner_start(&owner, &self);
	if (err)
		return err;
	err = create_event();
	if (err)
		d2d_owner_stop();
	return err;
}
module_init(growing_owner_init);

static void __exit growing_owner_exit(void)
{
	d2d_owner_stop();
}
module_exit(growing_owner_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: an owner in C with one version of a pair that grows");
MODULE_LICENSE("GPL");
