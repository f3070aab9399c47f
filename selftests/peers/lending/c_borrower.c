// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a peer in C that lends its owner counters, and uses the owner's ring. If a step of the init
 * fails, loading the module fails with its errno. The parameter "fault" names what the driver does
 * wrong. Writing 1 to /dev/c_borrower uses the ring again.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/string.h>

#include "d2d_device.h"
#include "d2d_lent.h"
#include "d2d_ops.h"
#include "d2d_table.h"
#include "lending_pair.h"

#define COUNTERS	3
#define VALUES		10

static char *fault = "none";
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "What the driver does wrong");

static bool is_fault(const char *name)
{
	return !strcmp(fault, name);
}

static d2d_handle self;
/* Set before the handshake is completed, never NULL after that */
static struct d2d_context *context;
static struct lending_counter counters[COUNTERS];

static const u64 owner_chain[] = LENDING_OWNER_CHAIN;

static struct lending_owner_ops owner = {
	.hdr = D2D_OPS_INIT(struct lending_owner_ops, LENDING_MAJOR, LENDING_MINOR, owner_chain),
};

static const u64 chain[] = LENDING_PEER_CHAIN;

static const struct lending_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct lending_peer_ops, LENDING_MAJOR, LENDING_MINOR, chain),
};

static int lend(struct d2d_endpoint *endpoint)
{
	u64 hash = is_fault("type") ? LENDING_RING_HASH : LENDING_COUNTER_HASH;
	size_t size = is_fault("size") ? sizeof(*counters) - 1 : sizeof(counters);
	void *memory = counters;

	if (is_fault("nothing"))
		return 0;
	if (is_fault("pointer"))
		memory = (void *)PAGE_SIZE;
	if (is_fault("misaligned"))
		memory = (u8 *)counters + 1;
	if (is_fault("empty"))
		size = 0;
	return d2d_lend(endpoint, memory, size, hash) ?:
	       (is_fault("twice") ? d2d_lend(endpoint, memory, size, hash) : 0);
}

static int adopt(struct d2d_context *offered)
{
	int err;

	err = d2d_context_check(offered) ?:
	      d2d_ops_copy(&owner.hdr, &offered->owner, offered->module);
	if (err)
		return err;
	WRITE_ONCE(context, offered);
	context->peer.ops = &ops.hdr;
	context->peer.self = context;
	return lend(&context->peer);
}

/* The output is the index of the owner's ring to which user_buffer points. */
static int which_ring(const struct d2d_request *request)
{
	/* NULL: before the handshake */
	struct d2d_context *adopted = READ_ONCE(context);
	struct lending_ring *ring;
	s64 index;
	size_t all;

	if (!adopted)
		return -ENOTCONN;
	ring = d2d_lent(&adopted->owner, sizeof(*ring), LENDING_RING_HASH, &all);
	if (IS_ERR(ring))
		return PTR_ERR(ring);
	index = d2d_lent_index(ring, all, sizeof(*ring), request->user_buffer);
	if (index < 0)
		return index;
	return d2d_request_write(request->handle, &index, sizeof(index));
}

static int dispatch(void *this, const struct d2d_request *request)
{
	int err = -ENOTTY;

	if (request->code == D2D_IOCTL_SHARE_CONTEXT)
		err = adopt(request->user_buffer);
	if (request->code == LENDING_IOCTL_WHICH_RING)
		err = which_ring(request);
	return d2d_complete(request->handle, err, 0) ?: err;
}

static int use_ring(void)
{
	u64 hash = is_fault("want_counter") ? LENDING_COUNTER_HASH : LENDING_RING_HASH;
	size_t size = sizeof(struct lending_ring) + is_fault("want_more");
	struct lending_ring *ring = d2d_lent(&context->owner, size, hash, NULL);
	u64 sum;
	int err;

	if (IS_ERR(ring))
		return PTR_ERR(ring);
	for (u64 value = 1; value <= VALUES; value++) {
		u64 put = READ_ONCE(ring->put);

		/* Pairs with the owner's store-release of `taken`. */
		if (put - smp_load_acquire(&ring->taken) >= ARRAY_SIZE(ring->slots))
			return -ENOSPC;
		WRITE_ONCE(ring->slots[put % ARRAY_SIZE(ring->slots)], value);
		/* Pairs with the owner's load-acquire of `put`. */
		smp_store_release(&ring->put, put + 1);
	}
	err = owner.drain(context->owner.self, &sum);
	if (err)
		return err;
	return sum == VALUES * (VALUES + 1) / 2 ? 0 : -ENOTRECOVERABLE;
}

/* The owner may count at other times, too, so do not expect exact counts. */
static int use_counters(void)
{
	u64 counted;
	int err;

	err = owner.count(context->owner.self, &counted);
	if (err)
		return err;
	for (u32 n = 0; n < COUNTERS; n++) {
		u32 count = READ_ONCE(counters[n].count);

		if (!count || count % (n + 1))
			return -ENOTRECOVERABLE;
	}
	return counted == COUNTERS ? 0 : -ENOTRECOVERABLE;
}

static int send_buffer(d2d_handle owner, d2d_handle request, void *buffer, u64 *index)
{
	const struct d2d_send send = D2D_SEND_INIT(owner, LENDING_IOCTL_COUNT_ONE,
		.user_buffer = buffer,
		.output_len = sizeof(*index));
	struct d2d_result result;

	return d2d_request_call(request, &send, D2D_FOREVER, &result, index, sizeof(*index)) ?:
	       result.status;
}

/* How often the owner has counted in the last counter only */
static u32 last_counted;

/* Makes the owner count in the last counter only. */
static int use_buffer(void)
{
	struct lending_counter *last = &counters[COUNTERS - 1];
	u32 before = READ_ONCE(last->count);
	uintptr_t buffer = (uintptr_t)last;
	d2d_handle owner, request;
	u64 index;
	int err;

	if (is_fault("no_buffer"))
		buffer = 0;
	if (is_fault("before"))
		buffer = (uintptr_t)counters - sizeof(*counters);
	if (is_fault("behind"))
		buffer += sizeof(*counters);
	if (is_fault("inside"))
		buffer += offsetof(struct lending_counter, step);
	err = d2d_lookup("lender", &owner) ?: d2d_request_alloc(self, 0, sizeof(index), &request);
	if (err)
		return err;
	err = send_buffer(owner, request, (void *)buffer, &index);
	d2d_request_free(request);
	if (err)
		return err;
	last_counted++;
	/* The owner may count at other times, too. */
	if (index != COUNTERS - 1 || READ_ONCE(last->count) - before < READ_ONCE(last->step))
		return -ENOTRECOVERABLE;
	return 0;
}

/*
 * The driver has detached, so the owner no longer uses the memory. Apart from the counting that
 * use_buffer() asked for, the owner must have counted equally often in all counters.
 */
static void report(void)
{
	u32 counted = counters[0].count;

	counters[COUNTERS - 1].count -= last_counted * COUNTERS;
	for (u32 n = 1; n < COUNTERS; n++) {
		if (counters[n].count != counted * (n + 1))
			pr_err("counter %u: not counted as often as counter 0\n", n);
	}
	pr_info("counted=%u\n", counted);
}

static ssize_t c_borrower_write(struct file *file, const char __user *buffer, size_t count,
				loff_t *offset)
{
	u32 command;
	int err;

	err = kstrtou32_from_user(buffer, count, 10, &command);
	if (err)
		return err;
	return (command == 1 ? use_ring() : -EINVAL) ?: count;
}

static const struct file_operations fops = {
	.owner = THIS_MODULE,
	.write = c_borrower_write,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &fops,
	.mode = 0600,
};

static const struct d2d_driver driver = D2D_DRIVER_INIT(KBUILD_MODNAME, .dispatch = dispatch);

static int __init c_borrower_init(void)
{
	int err;

	for (u32 n = 0; n < COUNTERS; n++)
		counters[n].step = n + 1;
	err = d2d_register(&driver, &self);
	if (err)
		return err;
	err = d2d_attach(self);
	if (err)
		goto unregister;
	err = use_ring() ?: use_counters() ?: use_buffer() ?:
	      d2d_device_register(KBUILD_MODNAME, &device);
	if (!err)
		return 0;
	d2d_detach(self);
unregister:
	d2d_unregister(self);
	return err;
}
module_init(c_borrower_init);

static void __exit c_borrower_exit(void)
{
	misc_deregister(&device);
	d2d_detach(self);
	report();
	d2d_unregister(self);
}
module_exit(c_borrower_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a peer in C that lends and borrows memory");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(lender);
