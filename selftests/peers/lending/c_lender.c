// SPDX-License-Identifier: GPL-2.0
/*
 * Test: an owner in C that lends each of its two peers a ring. It exports the table of lender, the
 * owner in Rust, so the same peers can attach to it. Writing 1 to /dev/lender makes the owner count
 * in the memory of each peer. By a request, a peer makes it count in one counter.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "d2d_device.h"
#include "d2d_lent.h"
#include "d2d_ops.h"
#include "d2d_owner.h"
#include "lending_pair.h"

#define NAME		"lender"
#define CONTEXTS	2

static d2d_handle self;

/* The owner's data for each context, by the number of the context */
static struct lender {
	struct d2d_context *context;
	struct lending_ring ring;
	/* How often the owner has counted in this peer's memory */
	atomic_t counted;
} lenders[CONTEXTS];

static struct lender *lender_of(const struct d2d_context *context)
{
	return &lenders[context->id];
}

static int c_lender_drain(void *context, u64 *result)
{
	struct lending_ring *ring = &lender_of(context)->ring;
	u64 taken = READ_ONCE(ring->taken);
	/* Pairs with the peer's store-release of `put`. */
	u64 values = smp_load_acquire(&ring->put) - taken;

	*result = 0;
	/* The peer may write any number to ring->put. */
	if (values > ARRAY_SIZE(ring->slots))
		return 0;
	while (values--) {
		*result += READ_ONCE(ring->slots[taken % ARRAY_SIZE(ring->slots)]);
		/* Pairs with the peer's load-acquire of `taken`. */
		smp_store_release(&ring->taken, ++taken);
	}
	return 0;
}

static void count_in(struct lending_counter *counter)
{
	u32 now = READ_ONCE(counter->count);

	while (!try_cmpxchg(&counter->count, &now, now + READ_ONCE(counter->step)))
		;
}

/* The caller has called d2d_peer_enter(). */
static int count(struct d2d_context *context, u64 *result)
{
	struct lending_counter *counters;
	size_t size;

	counters = d2d_lent(&context->peer, sizeof(*counters), LENDING_COUNTER_HASH, &size);
	if (IS_ERR(counters))
		return PTR_ERR(counters);
	for (*result = 0; *result < size / sizeof(*counters); (*result)++)
		count_in(counters + *result);
	atomic_inc(&lender_of(context)->counted);
	return 0;
}

static int c_lender_count(void *context, u64 *result)
{
	struct d2d_peer peer;
	int err;

	err = d2d_peer_enter(context, &peer);
	if (err)
		return err;
	err = count(context, result);
	d2d_peer_exit(context, &peer);
	return err;
}

static int c_lender_want_ring(void *context, u64 *result)
{
	struct lending_ring *wanted;
	struct d2d_peer peer;
	int err;

	err = d2d_peer_enter(context, &peer);
	if (err)
		return err;
	wanted = d2d_lent(&((struct d2d_context *)context)->peer, sizeof(*wanted),
			  LENDING_RING_HASH, NULL);
	d2d_peer_exit(context, &peer);
	*result = 0;
	return PTR_ERR_OR_ZERO(wanted);
}

static const u64 chain[] = LENDING_OWNER_CHAIN;

static const struct lending_owner_ops ops = {
	.hdr = D2D_OPS_INIT(struct lending_owner_ops, LENDING_MAJOR, LENDING_MINOR, chain),
	.drain = c_lender_drain,
	.count = c_lender_count,
	.want_ring = c_lender_want_ring,
};

static const u64 peer_chain[] = LENDING_PEER_CHAIN;

static const struct lending_peer_ops peer_ops = {
	.hdr = D2D_OPS_INIT(struct lending_peer_ops, LENDING_MAJOR, LENDING_MINOR, peer_chain),
};

static void prepare(void *this, struct d2d_context *context)
{
	struct lender *lender = lender_of(context);

	lender->context = context;
	WARN_ON(d2d_lend(&context->owner, &lender->ring, sizeof(lender->ring), LENDING_RING_HASH));
}

/* The test compares `counted` with what the peer prints. */
static void detached(void *this, struct d2d_context *context)
{
	struct lender *lender = lender_of(context);

	pr_info("ctx=%u counted=%u taken=%llu\n", context->id, atomic_xchg(&lender->counted, 0),
		READ_ONCE(lender->ring.taken));
}

/*
 * Counts in the counter at @user_buffer, and returns its index. Fails unless this context's peer
 * lends the counter.
 */
static s64 count_one(struct d2d_context *context, const void *user_buffer)
{
	struct lending_counter *counters;
	struct d2d_peer peer;
	size_t size;
	s64 index;

	index = d2d_peer_enter(context, &peer);
	if (index)
		return index;
	counters = d2d_lent(&context->peer, sizeof(*counters), LENDING_COUNTER_HASH, &size);
	if (IS_ERR(counters))
		index = PTR_ERR(counters);
	else
		index = d2d_lent_index(counters, size, sizeof(*counters), user_buffer);
	if (index >= 0)
		count_in(counters + index);
	d2d_peer_exit(context, &peer);
	return index;
}

/* Counts in the counter at user_buffer, whichever peer lends it. The output is its index. */
static int dispatch_count_one(const struct d2d_request *request)
{
	s64 index = -ESHUTDOWN;

	for (struct lender *lender = lenders; lender < lenders + CONTEXTS; lender++) {
		s64 found = count_one(lender->context, request->user_buffer);

		/* A context may have no peer. */
		if (found != -ESHUTDOWN)
			index = found;
		if (found >= 0)
			break;
	}
	if (index < 0)
		return index;
	return d2d_request_write(request->handle, &index, sizeof(index));
}

static int dispatch(void *this, const struct d2d_request *request)
{
	int err = -ENOTTY;

	if (request->code == LENDING_IOCTL_COUNT_ONE)
		err = dispatch_count_one(request);
	return d2d_complete(request->handle, err, 0) ?: err;
}

static const struct d2d_owner owner = {
	.ops = &ops.hdr,
	.peer_ops = &peer_ops.hdr,
	.dispatch = dispatch,
	.prepare = prepare,
	.detached = detached,
	.contexts = CONTEXTS,
	.capacity = 1,
	.item_size = sizeof(u64),
	.timeout = 5000,
	LENDING_DATA_SIZES,
};

static ssize_t c_lender_write(struct file *file, const char __user *buffer, size_t count,
			      loff_t *offset)
{
	u32 command;
	u64 counted;
	int err;

	err = kstrtou32_from_user(buffer, count, 10, &command);
	if (err)
		return err;
	if (command != 1)
		return -EINVAL;
	for (struct lender *lender = lenders; lender < lenders + CONTEXTS; lender++) {
		err = c_lender_count(lender->context, &counted);
		if (err && err != -ESHUTDOWN)
			return err;
	}
	return count;
}

static const struct file_operations fops = {
	.owner = THIS_MODULE,
	.write = c_lender_write,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = NAME,
	.fops = &fops,
	.mode = 0600,
};

static int __init c_lender_init(void)
{
	int err;

	err = d2d_owner_start(&owner, &self);
	if (err)
		return err;
	/* Must come last: see d2d_device_register(). */
	err = d2d_device_register(NAME, &device);
	if (err)
		d2d_owner_stop();
	return err;
}
module_init(c_lender_init);

static void __exit c_lender_exit(void)
{
	misc_deregister(&device);
	d2d_owner_stop();
}
module_exit(c_lender_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: an owner in C that lends and borrows memory");
MODULE_LICENSE("GPL");
