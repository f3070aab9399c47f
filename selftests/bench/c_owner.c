// SPDX-License-Identifier: GPL-2.0
/*
 * An owner in C, loaded instead of bench_owner to compare C with Rust. It exports the same symbols,
 * and its driver has the same name.
 */
#include <linux/module.h>

#include "bench.h"
#include "d2d_ops.h"
#include "d2d_owner.h"
#include "d2d_hot_step.h"
#include "d2d_request.h"
#include "exported.h"

static d2d_handle self;

static int c_owner_ping(void *context, u32 value, u32 *result)
{
	*result = value + 1;
	return 0;
}

static noinline int loop_c_ops_call_a_to_b(struct d2d_context *context, u64 n, u32 *result)
{
	const struct bench_peer_ops *ops;
	struct d2d_peer peer;
	u32 value = 0;
	int err = 0;

	while (n-- && !err) {
		err = d2d_peer_enter(context, &peer);
		if (err)
			break;
		ops = container_of_const(peer.ops, struct bench_peer_ops, hdr);
		err = -EOPNOTSUPP;
		if (ops->ping) {
			d2d_hot_call("peer", "ping");
			err = ops->ping(peer.self, value, &value);
			d2d_hot_return("peer", "ping", err);
		}
		d2d_peer_exit(context, &peer);
	}
	*result = value;
	return err;
}

static int c_owner_call_peer(void *context, u64 times, u32 *result)
{
	return loop_c_ops_call_a_to_b(context, times, result);
}

/* bench_peer imports this function. */
int d2d_bench_ping(void *self, u32 value, u32 *result)
{
	return c_owner_ping(self, value, result);
}
EXPORT_SYMBOL_NS_GPL(d2d_bench_ping, "D2D");

static const u64 chain[] = BENCH_OWNER_CHAIN;

static const struct bench_owner_ops ops = {
	.hdr = D2D_OPS_INIT(struct bench_owner_ops, BENCH_MAJOR, BENCH_MINOR, chain),
	.ping = c_owner_ping,
	.call_peer = c_owner_call_peer,
};

static const u64 peer_chain[] = BENCH_PEER_CHAIN;

static const struct bench_peer_ops peer_ops = {
	.hdr = D2D_OPS_INIT(struct bench_peer_ops, BENCH_MAJOR, BENCH_MINOR, peer_chain),
};

/* May sleep, as the dispatch routine of bench_owner. */
static int dispatch(void *this, const struct d2d_request *request)
{
	int err = -ENOTTY;
	u32 value;

	if (request->code == BENCH_IOCTL_PING) {
		err = d2d_request_input(request, &value, sizeof(value));
		value++;
		err = err ?: d2d_request_write(request->handle, &value, sizeof(value));
	}
	return d2d_complete(request->handle, err, err ? 0 : sizeof(value)) ?: err;
}

static const struct d2d_owner owner = {
	.ops = &ops.hdr,
	.peer_ops = &peer_ops.hdr,
	.dispatch = dispatch,
	.contexts = 64,
	.capacity = 256,
	.item_size = 64,
	.timeout = 5000,
	BENCH_DATA_SIZES,
};

static int __init bench_c_owner_init(void)
{
	return d2d_owner_start(&owner, &self);
}
module_init(bench_c_owner_init);

static void __exit bench_c_owner_exit(void)
{
	d2d_owner_stop();
}
module_exit(bench_c_owner_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Bench: an owner in C whose calls are measured");
MODULE_LICENSE("GPL");
