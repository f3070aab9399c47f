// SPDX-License-Identifier: GPL-2.0
/*
 * A C driver that does one thing wrong, chosen by the parameter sin. Its
 * initialization always fails: with the error that the owner refused it with,
 * or with -ENOTRECOVERABLE if the owner did not refuse it. sin=none is a peer
 * that does all things right, and stays loaded.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "d2d_pair.h"
#include "d2d_queue.h"

static char *sin = "none";
module_param(sin, charp, 0);
MODULE_PARM_DESC(sin, "What to do wrong");

static struct d2d_context *context;
static d2d_handle self;
static d2d_handle last_request;
static int stale;
static bool attached;

static int sinful(const char *name)
{
	return !strcmp(sin, name);
}

/* Whether its initialization succeeds. */
static int stays(void)
{
	return sinful("none") || sinful("detach-from-operation");
}

static DEFINE_MUTEX(mutex);

/*
 * Called by the owner when the handshake is over, in process context, so that it may
 * sleep for once. To detach from in here is to wait for oneself: that is not
 * refused, and never ends.
 */
static int peer_ping(void *this, u32 value, u32 *result)
{
	mutex_lock(&mutex);
	*result = value + 1;
	mutex_unlock(&mutex);
	return 0;
}

static int owner_bounce(u32 hops)
{
	const struct d2d_pair_owner_ops *ops = (const void *)context->owner.ops;
	u32 result;

	return ops->bounce(context->owner.self, hops, &result);
}

static int peer_bounce(void *this, u32 hops, u32 *result)
{
	const struct d2d_pair_owner_ops *ops = (const void *)context->owner.ops;
	int err;

	*result = 0;
	if (!hops)
		return 0;
	err = ops->bounce(context->owner.self, hops - 1, result);
	if (!err)
		++*result;
	return err;
}

/* What the shared lock and the shared queue are for: taken by hand. */
static int peer_drain(void *this, u32 *result)
{
	struct d2d_queue *queue = &context->to_peer;
	unsigned long flags;

	/* Not in the handshake: there the owner knows who calls, and refuses. */
	if (sinful("detach-from-operation") && attached)
		d2d_detach(self);
	*result = 0;
	spin_lock_irqsave(&queue->lock, flags);
	while (!list_empty(&queue->items)) {
		list_move_tail(queue->items.next, &queue->free);
		queue->depth--;
		queue->taken++;
		++*result;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return 0;
}

static int __init peer_init_ping(void *this, u32 value, u32 *result)
{
	return 0;
}

/*
 * Read from memory: clang stores the address of an __init function as an immediate of 32 bits,
 * which is too short for a module in User-Mode Linux.
 */
static typeof(peer_init_ping) *init_ping __refdata = peer_init_ping;

static u64 chain[] = D2D_PAIR_PEER_CHAIN;

static struct d2d_pair_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_peer_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, chain),
	.ping = peer_ping,
	.bounce = peer_bounce,
	.drain = peer_drain,
};

/* Faults of the endpoint that the owner finds in a completed handshake. */
static noinline __ref void fill(void)
{
	const struct d2d_ops *table = &ops.hdr;

	if (sinful("no-ops-table"))
		return;
	if (sinful("bad-ops-pointer"))
		table = (void *)((char *)&ops + 1);
	if (sinful("unreadable-ops"))
		table = (void *)PAGE_SIZE;
	if (sinful("bad-ops-major"))
		ops.hdr.major++;
	if (sinful("bad-ops-size"))
		ops.hdr.size = 3;
	if (sinful("garbage-ops-size"))
		ops.hdr.size = U32_MAX;
	if (sinful("bad-build"))
		ops.hdr.build = 1;
	if (sinful("bad-chain-pointer"))
		ops.hdr.chain = NULL;
	if (sinful("unreadable-chain"))
		ops.hdr.chain = (void *)(TASK_SIZE - 8);
	if (sinful("wrong-interface"))
		chain[0] = D2D_PAIR_OWNER_INTERFACE;
	if (sinful("bad-prefix"))
		chain[2] ^= 1;
	if (sinful("operation-outside-text"))
		ops.bounce = (void *)_printk;
	if (sinful("operation-in-init-text"))
		ops.ping = READ_ONCE(init_ping);
	context->peer.ops = table;
}

static int dispatch(void *this, const struct d2d_request *request)
{
	if (request->code != D2D_IOCTL_SHARE_CONTEXT)
		return d2d_complete(request->handle, -ENOTTY, 0) ?: -ENOTTY;
	/* A handle that was completed stays stale, whatever is on its way now. */
	if (sinful("old-request-handle") && last_request)
		stale = d2d_complete(last_request, 0, 0);
	last_request = request->handle;
	if (sinful("not-completed"))
		return 0;
	if (sinful("bad-status"))
		return d2d_complete(request->handle, 1, 0);
	if (sinful("not-completed-in-time") || sinful("never-completed"))
		return -D2D_STATUS_PENDING;
	if (sinful("detach-from-inside"))
		return d2d_complete(request->handle, d2d_detach(self), 0);

	context = request->user_buffer;
	fill();
	return d2d_complete(request->handle, 0, 0);
}

static struct d2d_driver driver = D2D_DRIVER_INIT("bad_peer", .dispatch = dispatch);

/* Registers as many drivers as it takes, and none of them stays. */
static int too_many_drivers(void)
{
	d2d_handle *handles = kcalloc(1000, sizeof(*handles), GFP_KERNEL);
	int err = 0;
	int n;

	if (!handles)
		return -ENOMEM;
	for (n = 0; n < 1000 && !err; n++) {
		snprintf(driver.name, sizeof(driver.name), "bad_peer%d", n);
		err = d2d_register(&driver, &handles[n]);
	}
	if (err)
		n--;
	while (n--)
		d2d_unregister(handles[n]);
	kfree(handles);
	return err;
}

/*
 * What a C driver can do wrong with an item. The owner has left one or more in
 * the queue during the handshake, if nobody has drained it.
 */
static int mishandle_item(void)
{
	struct d2d_queue *queue = &context->to_peer;
	u64 note = 0;
	d2d_handle handle;
	int err;

	/* Another slot of the same queue is empty, so the owner's own items do not matter. */
	err = d2d_queue_put(queue, D2D_PAIR_KIND_NOTE, &note, sizeof(note));
	if (err)
		return err;
	handle = d2d_queue_take(queue);
	if (!handle || !d2d_queue_redeem(queue, handle))
		return -ENOTRECOVERABLE;
	if (sinful("foreign-item"))
		return d2d_queue_release(&context->to_owner, handle);
	if (sinful("item-of-no-pool"))
		return d2d_queue_release(queue, handle | ((1 << D2D_ITEM_INDEX_BITS) - 1));
	if (sinful("item-redeemed-twice"))
		return d2d_queue_redeem(queue, handle) ? 0 : -ESTALE;
	if (sinful("item-not-released"))
		return 0;
	err = d2d_queue_release(queue, handle);
	if (err)
		return err;
	if (sinful("stale-item"))
		return d2d_queue_redeem(queue, handle) ? 0 : -ESTALE;
	if (sinful("item-released-twice"))
		return d2d_queue_release(queue, handle);
	if (sinful("item-too-long"))
		return d2d_queue_put(queue, D2D_PAIR_KIND_NOTE, &note, queue->item_size + 1);
	while (!err)
		err = d2d_queue_put(queue, D2D_PAIR_KIND_NOTE, &note, sizeof(note));
	while ((handle = d2d_queue_take(queue)))
		d2d_queue_release(queue, handle);
	return err;
}

/* The sins of somebody who is registered. Returns what they were refused with. */
static int misbehave(void)
{
	d2d_handle other = self;
	int err;

	if (sinful("name-taken"))
		return d2d_register(&driver, &other) ?: d2d_unregister(other);
	/* Register anew: the old handle names the same slot. */
	if (sinful("stale-attach") || sinful("stale-unregister"))
		err = d2d_unregister(self) ?: d2d_register(&driver, &self);
	else
		err = 0;
	if (err)
		return err;
	if (sinful("stale-attach"))
		return d2d_attach(other);
	if (sinful("stale-unregister"))
		return d2d_unregister(other);
	if (sinful("not-attached"))
		return d2d_detach(self);

	/* Everything that the owner refuses during the handshake comes out here. */
	err = d2d_attach(self);
	/* Whoever was too late is told so; until then the context stays the driver's. */
	if (sinful("not-completed-in-time") &&
	    (d2d_attach(self) != -EALREADY || d2d_complete(last_request, 0, 0) != -ESTALE))
		return -ENOTRECOVERABLE;
	/* It goes on, unless it is taken back. */
	if (err == -EINPROGRESS)
		d2d_detach(self);
	if (err)
		return err;

	if (sinful("already-attached"))
		err = d2d_attach(self);
	if (sinful("stale-request-handle"))
		err = d2d_complete(last_request, 0, 0);
	if (sinful("old-request-handle"))
		err = d2d_detach(self) ?: d2d_attach(self) ?: stale;
	if (sinful("too-many-hops"))
		err = owner_bounce(~0);
	if (sinful("still-attached"))
		err = d2d_unregister(self);
	/* It goes well as long as no call waits for the lock; lockdep tells anyway. */
	if (sinful("detach-under-lock")) {
		mutex_lock(&mutex);
		d2d_detach(self);
		mutex_unlock(&mutex);
		return 0;
	}
	if (strstr(sin, "item") || sinful("full-queue"))
		err = mishandle_item();
	attached = !err;
	if (err || !stays())
		d2d_detach(self);
	return err;
}

/* Whatever went wrong: nothing of it stays registered. */
static void leave(void)
{
	if (d2d_unregister(self) != -EBUSY)
		return;
	d2d_detach(self);
	d2d_unregister(self);
}

static int __init init_dispatch(void *this, const struct d2d_request *request)
{
	return 0;
}

static typeof(init_dispatch) *dispatch_of_init __refdata = init_dispatch;

/* Where the driver object is, if it is what the owner is told. */
static const struct d2d_driver *address(void)
{
	if (sinful("no-driver"))
		return NULL;
	if (sinful("bad-driver-pointer"))
		return (void *)((char *)&driver + 1);
	if (sinful("unreadable-driver"))
		return (void *)PAGE_SIZE;
	return &driver;
}

static int __init bad_peer_init(void)
{
	int err;

	if (sinful("too-many-drivers"))
		return too_many_drivers() ?: -ENOTRECOVERABLE;
	if (sinful("bad-magic"))
		driver.hdr.magic = D2D_CONTEXT_MAGIC;
	if (sinful("bad-size"))
		driver.hdr.size--;
	if (sinful("bad-major"))
		driver.hdr.major++;
	if (sinful("bad-layout"))
		driver.hdr.layout ^= 1;
	if (sinful("bad-module-pointer"))
		driver.owner = (void *)((char *)THIS_MODULE + 1);
	if (sinful("unreadable-module"))
		driver.owner = (void *)PAGE_SIZE;
	if (sinful("dispatch-outside-text"))
		driver.dispatch = (void *)_printk;
	if (sinful("dispatch-in-init-text"))
		driver.dispatch = READ_ONCE(dispatch_of_init);
	if (sinful("bad-name"))
		driver.name[0] = ' ';
	if (sinful("name-too-long"))
		memset(driver.name, 'x', sizeof(driver.name));
	if (sinful("no-dispatch-or-owner"))
		driver.dispatch = NULL;
	err = d2d_register(address(), &self);
	if (err)
		return err;

	err = misbehave();
	if (!err && stays())
		return 0;
	leave();
	return err ?: -ENOTRECOVERABLE;
}
module_init(bad_peer_init);

static void __exit bad_peer_exit(void)
{
	d2d_detach(self);
	d2d_unregister(self);
}
module_exit(bad_peer_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a peer that does one thing wrong");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
