// SPDX-License-Identifier: GPL-2.0
/* A peer in C of the bench's owner, to compare C with Rust. Its init function measures. */
#include <linux/module.h>
#include <linux/string.h>

#include "bench.h"
#include "d2d_ops.h"
#include "d2d_hot_step.h"
#include "d2d_request.h"
#include "d2d_table.h"
#include "measure.h"
#include "put_take.h"

static char *languages = "rust-c";
module_param(languages, charp, 0);
MODULE_PARM_DESC(languages, "Languages of owner and peer: rust-c or c-c");

static d2d_handle self, target, packet;
/* adopt() sets it, before the handshake is completed. */
static struct d2d_context *context;

static const u64 owner_chain[] = BENCH_OWNER_CHAIN;

static struct bench_owner_ops owner = {
	.hdr = D2D_OPS_INIT(struct bench_owner_ops, BENCH_MAJOR, BENCH_MINOR, owner_chain),
};

static int c_peer_ping(void *this, u32 value, u32 *result)
{
	*result = value + 1;
	return 0;
}

static const u64 chain[] = BENCH_PEER_CHAIN;

static const struct bench_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct bench_peer_ops, BENCH_MAJOR, BENCH_MINOR, chain),
	.ping = c_peer_ping,
};

static int adopt(struct d2d_context *offered)
{
	int err;

	err = d2d_context_check(offered) ?:
	      d2d_ops_copy(&owner.hdr, &offered->owner, offered->module);
	if (err)
		return err;
	if (!owner.ping || !owner.call_peer)
		return -EOPNOTSUPP;
	context = offered;
	context->peer = (struct d2d_endpoint){ .ops = &ops.hdr, .self = context };
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

/* loop_c_NAME corresponds to loop_NAME in bench_peer.rs. */
static noinline int loop_c_ops_call_b_to_a(void *arg, u64 n)
{
	u32 value = 0;
	int err;

	for (u64 i = 0; i < n; i++) {
		d2d_hot_call("owner", "ping");
		err = owner.ping(context->owner.self, value, &value);
		d2d_hot_return("owner", "ping", err);
		if (err)
			return err;
	}
	return value == (u32)n ? 0 : -EBADMSG;
}

/* The owner runs the measured loop, because the loop calls the peer. */
static int call_peer(void *arg, u64 n)
{
	u32 value;

	return owner.call_peer(context->owner.self, n, &value) ?:
	       (value == (u32)n ? 0 : -EBADMSG);
}

static noinline int loop_c_queue_put_take(void *arg, u64 n)
{
	return d2d_bench_put_take(&context->to_owner, n);
}

static noinline int loop_c_request(void *arg, u64 n)
{
	u32 value = 0;
	const struct d2d_send send = D2D_SEND_INIT(target, BENCH_IOCTL_PING, .input = &value,
		.input_len = sizeof(value), .output_len = sizeof(value));
	struct d2d_result result;
	int err;

	for (u64 i = 0; i < n; i++) {
		err = d2d_request_call(packet, &send, D2D_FOREVER, &result, &value,
				       sizeof(value)) ?: result.status;
		if (err)
			return err;
	}
	return value == (u32)n ? 0 : -EBADMSG;
}

/* The names have the form OWNER-PEER:LOOP, with the languages of owner and peer. */
static const struct d2d_bench_contender rust_c[] = {
	{ "rust-c:c-ops-call-b-to-a", "ops-call-b-to-a", "*", loop_c_ops_call_b_to_a },
	{ "rust-c:ops-call-a-to-b", "ops-call-a-to-b", "*", call_peer },
	{ "rust-c:c-queue-put-take", "queue-put-take", "_raw_spin_lock_irqsave",
	  loop_c_queue_put_take },
	{ "rust-c:c-request", "request", "d2d_request_call", loop_c_request },
};

static const struct d2d_bench_contender c_c[] = {
	{ "c-c:c-ops-call-b-to-a", "ops-call-b-to-a", "*", loop_c_ops_call_b_to_a },
	{ "c-c:c-ops-call-a-to-b", "ops-call-a-to-b", "*", call_peer },
	{ "c-c:c-queue-put-take", "queue-put-take", "_raw_spin_lock_irqsave",
	  loop_c_queue_put_take },
	{ "c-c:c-request", "request", "d2d_request_call", loop_c_request },
};

static int measure(void)
{
	const struct d2d_bench_contender *contenders = strcmp(languages, "c-c") ? rust_c : c_c;
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(c_c) && !err; i++)
		err = d2d_bench_run(&contenders[i]);
	return err;
}

static int __init bench_c_peer_init(void)
{
	int err;

	err = d2d_register(&driver, &self);
	if (err)
		return err;
	err = d2d_attach(self);
	if (err)
		goto unregister;
	err = d2d_lookup("bench_owner", &target) ?:
	      d2d_request_alloc(self, sizeof(u32), sizeof(u32), &packet) ?: measure();
	if (!err)
		return 0;
	d2d_detach(self);
unregister:
	d2d_unregister(self);
	return err;
}
module_init(bench_c_peer_init);

static void __exit bench_c_peer_exit(void)
{
	d2d_detach(self);
	d2d_unregister(self);
}
module_exit(bench_c_peer_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Bench: measures a peer in C");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(bench_owner);
