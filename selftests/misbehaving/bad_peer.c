// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a driver in C that does one wrong thing, which the parameter "fault" names. The owner must
 * refuse it; if it is a misuse of an item, the functions of d2d_queue.h must. There are two
 * exceptions:
 * - fault=item-not-released: the owner must revoke the item's handle;
 * - fault=detach-under-lock: lockdep must make a report.
 *
 * The init fails with the errno of the refusal, or with -ENOTRECOVERABLE if nothing was refused. It
 * succeeds only with fault=none and fault=detach-from-operation. With the latter, the driver does
 * the wrong thing when the owner calls "drain".
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "d2d_pair.h"
#include "d2d_queue.h"
#include "d2d_table.h"

static char *fault = "none";
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "What to do wrong");

static struct d2d_context *context;
static d2d_handle self;
static d2d_handle last_request;
static int errno_of_old_handle;
static bool attached;

static bool fault_is(const char *name)
{
	return !strcmp(fault, name);
}

static bool stays_loaded(void)
{
	return fault_is("none") || fault_is("detach-from-operation");
}

static DEFINE_MUTEX(mutex);

/*
 * With fault=detach-under-lock, misbehave() calls d2d_detach() under the mutex. d2d_detach() waits
 * until no thread is inside peer_ping(), which waits for the mutex. Lockdep must report this.
 *
 * peer_ping() may sleep, because module_a calls it only inside d2d_attach(), after the handshake.
 * The other operations must not sleep.
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

#define NOTES	6

/*
 * Puts notes, and a wrong item between them: an item of kind @kind with @len bytes. The owner must
 * refuse only the wrong item, and must put an answer for each note.
 */
static int put_for_owner(u32 kind, u32 len)
{
	const struct d2d_pair_owner_ops *ops = (const void *)context->owner.ops;
	u64 answered = READ_ONCE(context->to_peer.put);
	u64 note = 0;
	u32 taken;
	int err = 0;

	for (int n = 0; n < NOTES && !err; n++) {
		if (n == NOTES / 2)
			err = d2d_queue_put(&context->to_owner, kind, &note, len);
		err = err ?: d2d_queue_put(&context->to_owner, D2D_PAIR_KIND_NOTE, &note,
					   sizeof(note));
	}
	err = err ?: ops->drain(context->owner.self, &taken);
	if (err)
		return err;
	answered = READ_ONCE(context->to_peer.put) - answered;
	return taken == NOTES && answered == NOTES ? 0 : -EBADMSG;
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

/* Takes the items without the functions of d2d_queue.h. */
static int peer_drain(void *this, u32 *result)
{
	struct d2d_queue *queue = &context->to_peer;
	struct d2d_item *item;
	unsigned long flags;

	/* Inside d2d_attach(), the owner would refuse d2d_detach() for another reason. */
	if (fault_is("detach-from-operation") && attached)
		d2d_detach(self);
	*result = 0;
	spin_lock_irqsave(&queue->lock, flags);
	while (queue->taken != queue->put) {
		item = queue->first;
		queue->first = item->next;
		item->next = queue->free;
		queue->free = item;
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
 * A variable: clang would put the address of an __init function into an instruction, as 32 bits.
 * In a module of User-Mode Linux, the address does not fit into 32 bits.
 */
static typeof(peer_init_ping) *init_ping __refdata = peer_init_ping;

static u64 chain[] = D2D_PAIR_PEER_CHAIN;

static struct d2d_pair_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_peer_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, chain),
	.ping = peer_ping,
	.bounce = peer_bounce,
	.drain = peer_drain,
};

/* Fills in this driver's operations. If they have a fault, the handshake must fail. */
static noinline __ref void fill(void)
{
	const struct d2d_ops *table = &ops.hdr;

	if (fault_is("no-ops-table"))
		return;
	if (fault_is("bad-ops-pointer"))
		table = (void *)((char *)&ops + 1);
	if (fault_is("unreadable-ops"))
		table = (void *)PAGE_SIZE;
	if (fault_is("bad-ops-major"))
		ops.hdr.major++;
	if (fault_is("bad-ops-size"))
		ops.hdr.size = 3;
	if (fault_is("garbage-ops-size"))
		ops.hdr.size = U32_MAX;
	if (fault_is("bad-build"))
		ops.hdr.build = 1;
	if (fault_is("bad-chain-pointer"))
		ops.hdr.chain = NULL;
	if (fault_is("unreadable-chain"))
		ops.hdr.chain = (void *)(TASK_SIZE - 8);
	if (fault_is("wrong-interface"))
		chain[0] = D2D_PAIR_OWNER_VERSION_0;
	if (fault_is("bad-prefix"))
		chain[D2D_PAIR_MINOR + 2] ^= 1;
	if (fault_is("operation-outside-text"))
		ops.bounce = (void *)_printk;
	if (fault_is("operation-in-init-text"))
		ops.ping = READ_ONCE(init_ping);
	context->peer.ops = table;
}

static int dispatch(void *this, const struct d2d_request *request)
{
	if (request->code != D2D_IOCTL_SHARE_CONTEXT)
		return d2d_complete(request->handle, -ENOTTY, 0) ?: -ENOTTY;
	/* The handle of the previous handshake must be stale during this one. */
	if (fault_is("old-request-handle") && last_request)
		errno_of_old_handle = d2d_complete(last_request, 0, 0);
	last_request = request->handle;
	if (fault_is("not-completed"))
		return 0;
	if (fault_is("bad-status"))
		return d2d_complete(request->handle, 1, 0);
	if (fault_is("completed-late") || fault_is("never-completed"))
		return -D2D_STATUS_PENDING;
	if (fault_is("detach-from-inside"))
		return d2d_complete(request->handle, d2d_detach(self), 0);

	context = request->user_buffer;
	fill();
	return d2d_complete(request->handle, 0, 0);
}

static struct d2d_driver driver = D2D_DRIVER_INIT("bad_peer", .dispatch = dispatch);

/* Registers drivers until the owner refuses one. Returns the errno of the refusal, or 0. */
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

/* Returns the errno of the refusal, or 0. */
static int mishandle_item(void)
{
	struct d2d_queue *queue = &context->to_peer;
	u64 note = 0;
	d2d_handle handle;
	int err;

	/* Make sure that the queue has an item to take: the owner may have put none. */
	err = d2d_queue_put(queue, D2D_PAIR_KIND_NOTE, &note, sizeof(note));
	if (err)
		return err;
	handle = d2d_queue_take(queue);
	if (!handle || !d2d_queue_redeem(queue, handle))
		return -ENOTRECOVERABLE;
	if (fault_is("foreign-item"))
		return d2d_queue_release(&context->to_owner, handle);
	if (fault_is("item-of-no-pool"))
		return d2d_queue_release(queue, handle | ((1 << D2D_ITEM_INDEX_BITS) - 1));
	if (fault_is("item-redeemed-twice"))
		return d2d_queue_redeem(queue, handle) ? 0 : -ESTALE;
	if (fault_is("item-not-released"))
		return 0;
	err = d2d_queue_release(queue, handle);
	if (err)
		return err;
	if (fault_is("stale-item"))
		return d2d_queue_redeem(queue, handle) ? 0 : -ESTALE;
	if (fault_is("item-released-twice"))
		return d2d_queue_release(queue, handle);
	if (fault_is("item-too-long"))
		return d2d_queue_put(queue, D2D_PAIR_KIND_NOTE, &note, queue->item_size + 1);
	while (!err)
		err = d2d_queue_put(queue, D2D_PAIR_KIND_NOTE, &note, sizeof(note));
	while ((handle = d2d_queue_take(queue)))
		d2d_queue_release(queue, handle);
	return err;
}

static int misbehave(void)
{
	d2d_handle other = self;
	int err;

	if (fault_is("name-taken"))
		return d2d_register(&driver, &other) ?: d2d_unregister(other);
	/* Make `other` a stale handle with the same index as `self`. */
	if (fault_is("stale-attach") || fault_is("stale-unregister"))
		err = d2d_unregister(self) ?: d2d_register(&driver, &self);
	else
		err = 0;
	if (err)
		return err;
	if (fault_is("stale-attach"))
		return d2d_attach(other);
	if (fault_is("stale-unregister"))
		return d2d_unregister(other);
	if (fault_is("not-attached"))
		return d2d_detach(self);
	/* d2d_trace() has no result: for its faults, the test looks for the refusal in the log. */
	if (fault_is("unknown-step")) {
		d2d_trace(D2D_RECORD(driver.name, COUNT, 0));
		return 0;
	}
	if (fault_is("unknown-field")) {
		d2d_trace(D2D_RECORD(driver.name, OP_CALL, 0, D2D_NUMBER(COUNT, 1),
				     { .value = 8, .key = D2D_FIELD_QUEUE, .length = 4 },
				     D2D_TEXT(NAME, "two\nlines")));
		return 0;
	}
	if (fault_is("bad-record-pointer")) {
		d2d_trace(NULL);
		return 0;
	}

	err = d2d_attach(self);
	/*
	 * The handshake has timed out, but the context stays reserved for this driver. So the owner
	 * must refuse another d2d_attach(), and then the late completion.
	 */
	if (fault_is("completed-late") &&
	    (d2d_attach(self) != -EALREADY || d2d_complete(last_request, 0, 0) != -ESTALE))
		return -ENOTRECOVERABLE;
	/* This cancels the pending handshake. */
	if (err == -EINPROGRESS)
		d2d_detach(self);
	if (err)
		return err;

	if (fault_is("already-attached"))
		err = d2d_attach(self);
	if (fault_is("stale-request-handle"))
		err = d2d_complete(last_request, 0, 0);
	if (fault_is("old-request-handle"))
		err = d2d_detach(self) ?: d2d_attach(self) ?: errno_of_old_handle;
	if (fault_is("too-many-hops"))
		err = owner_bounce(~0);
	if (fault_is("unknown-kind"))
		err = put_for_owner(D2D_PAIR_KIND_NOTE + 1, sizeof(u64));
	if (fault_is("short-payload"))
		err = put_for_owner(D2D_PAIR_KIND_NOTE, sizeof(u32));
	if (fault_is("still-attached"))
		err = d2d_unregister(self);
	/* Lockdep must report this call, although no thread is inside peer_ping(). */
	if (fault_is("detach-under-lock")) {
		mutex_lock(&mutex);
		d2d_detach(self);
		mutex_unlock(&mutex);
		return 0;
	}
	if (strstr(fault, "item") || fault_is("full-queue"))
		err = mishandle_item();
	attached = !err;
	if (err || !stays_loaded())
		d2d_detach(self);
	return err;
}

static void detach_and_unregister(void)
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

static typeof(init_dispatch) *init_dispatch_pointer __refdata = init_dispatch;

static const struct d2d_driver *driver_address(void)
{
	if (fault_is("no-driver"))
		return NULL;
	if (fault_is("bad-driver-pointer"))
		return (void *)((char *)&driver + 1);
	if (fault_is("unreadable-driver"))
		return (void *)PAGE_SIZE;
	return &driver;
}

static int __init bad_peer_init(void)
{
	int err;

	if (fault_is("too-many-drivers"))
		return too_many_drivers() ?: -ENOTRECOVERABLE;
	if (fault_is("bad-magic"))
		driver.hdr.magic = D2D_CONTEXT_MAGIC;
	if (fault_is("bad-size"))
		driver.hdr.size--;
	if (fault_is("bad-major"))
		driver.hdr.major++;
	if (fault_is("bad-layout"))
		driver.hdr.layout ^= 1;
	if (fault_is("bad-module-pointer"))
		driver.owner = (void *)((char *)THIS_MODULE + 1);
	if (fault_is("unreadable-module"))
		driver.owner = (void *)PAGE_SIZE;
	if (fault_is("dispatch-outside-text"))
		driver.dispatch = (void *)_printk;
	if (fault_is("dispatch-in-init-text"))
		driver.dispatch = READ_ONCE(init_dispatch_pointer);
	if (fault_is("hot-keys-outside-data"))
		driver.hot_keys = (void *)_printk;
	if (fault_is("misaligned-hot-keys"))
		driver.hot_keys = (void *)((char *)&driver + 1);
	if (fault_is("bad-name"))
		driver.name[0] = ' ';
	if (fault_is("name-too-long"))
		memset(driver.name, 'x', sizeof(driver.name));
	if (fault_is("no-dispatch"))
		driver.dispatch = NULL;
	err = d2d_register(driver_address(), &self);
	if (err)
		return err;

	err = misbehave();
	if (!err && stays_loaded())
		return 0;
	detach_and_unregister();
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
D2D_OWNER(module_a);
