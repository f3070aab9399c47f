// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a peer in C with version 1.0 of the growing pair, built with growing-1.0.h. c_v1_1.c
 * and stale.c build this file with other headers.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "c.h"
#include "d2d_table.h"

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

static int check_requests(void)
{
	d2d_handle request, to;
	int err;

	err = d2d_lookup("growing", &to) ?:
	      d2d_request_alloc(self, sizeof(u64), sizeof(u64), &request);
	if (err)
		return err;
	for (unsigned int n = 0; n < ARRAY_SIZE(codes) && !err; n++) {
		u64 input = 21, output = 0;
		struct d2d_result result;
		struct d2d_send send = D2D_SEND_INIT(to, codes[n].code, .input = &input,
						     .input_len = sizeof(input),
						     .output_len = sizeof(output));

		err = d2d_request_call(request, &send, D2D_FOREVER, &result, &output,
				       sizeof(output));
		err = err ?: result.status;
		if (!err && output != input * codes[n].factor)
			err = -ENOTRECOVERABLE;
	}
	d2d_request_free(request);
	return err;
}

/*
 * The owner's "check" must find as many peers in the shared data as this driver. Its "count" must
 * return what this driver's "count" has returned to it.
 */
static int check_operations(void)
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

static int put_all(void)
{
	int err = 0;

	for (unsigned int n = 0; n < ARRAY_SIZE(kinds) && !err; n++)
		err = put_item(&context->to_owner, &kinds[n], kinds[n].payload);
	return err;
}

/* The owner must have put back what put_all() has put. */
static int check_items(void)
{
	u64 payloads[ARRAY_SIZE(kinds)][NUMBERS] = {};
	unsigned int n = take_all(&context->to_peer, KBUILD_MODNAME, payloads);

	if (n != ARRAY_SIZE(kinds))
		return -ENOTRECOVERABLE;
	while (n--) {
		if (memcmp(payloads[n], kinds[n].payload, kinds[n].len))
			return -ENOTRECOVERABLE;
	}
	return 0;
}

/* Checks what version 1.1 has appended. */
static int check_newer(void)
{
#if GROWING_MINOR >= 1
	struct growing_shared_data *shared;
	unsigned long flags;
	d2d_handle here;
	u64 last;
	int err;

	flags = d2d_data_lock(context);
	shared = d2d_data_shared(context);
	shared->last = COOKIE;
	d2d_data_unlock(context, flags);
	err = owner.last(context->owner.self, &last) ?:
	      d2d_event_open_of(self, "growing", GROWING_EVENT_HERE, &here);
	if (err)
		return err;
	return last == COOKIE && d2d_event_query(here) == 1 ? 0 : -ENOTRECOVERABLE;
#else
	return 0;
#endif
}

static int __init growing_c_init(void)
{
	int err;

	err = d2d_register(&driver, &self);
	if (err)
		return err;
	err = d2d_attach(self);
	if (!err) {
		err = put_all() ?: check_operations() ?: check_items() ?: check_requests() ?:
		      check_newer();
		if (err)
			d2d_detach(self);
		else
			pr_info("the newest version that both drivers have is 1.%u\n",
				GROWING_MINOR);
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
MODULE_DESCRIPTION("Test: a peer in C with one version of a pair that grows");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(growing);
