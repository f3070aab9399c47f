// SPDX-License-Identifier: GPL-2.0
/*
 * An owner in plain C: read this file if you write an owner in C. It exports the table of module_a,
 * so module_a's peers can attach to it.
 *
 * Writing N to /dev/c_owner plays N rounds with each peer.
 *
 * Only the tests need the parameters "bare", "keeps" and "fault".
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "d2d_data.h"
#include "d2d_device.h"
#include "d2d_event.h"
#include "d2d_ops.h"
#include "d2d_owner.h"
#include "d2d_pair.h"
#include "d2d_hot_step.h"
#include "d2d_queue.h"
#include "d2d_request.h"

#define NAME		"module_a"
#define MAX_CONTEXTS	4
#define MAX_HOPS	16
#define MAX_PENDED	32

static unsigned int contexts = 1;
module_param(contexts, uint, 0);
static unsigned int capacity = 64;
module_param(capacity, uint, 0);
static unsigned int completion;
module_param(completion, uint, 0);
static unsigned int timeout = 5000;
module_param(timeout, uint, 0);
static bool bare;
module_param(bare, bool, 0);
MODULE_PARM_DESC(bare, "Whether each routine that may be NULL is NULL");
static bool keeps;
module_param(keeps, bool, 0);
MODULE_PARM_DESC(keeps, "Whether the owner keeps one redeemed item until the peer is detached");
static char *fault = "none";
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "What the owner does wrong, in its init or, with \"live\", in each write to its device");

/* The handle of the owner's driver object */
static d2d_handle self;
/* All contexts, by number. prepare() stores each pointer before drivers can register. */
static struct d2d_context *all[MAX_CONTEXTS];
static atomic_t attachments;
/* With "keeps": the handle of the item that the owner keeps, or 0 */
static d2d_handle kept;
/* A bad operations table: D2D_OPS_INIT() has not initialized it. */
static const struct d2d_ops zeroed;

#define trace(step, ...)	d2d_trace(D2D_RECORD(NAME, step, 0, ##__VA_ARGS__))

/* Takes all items from the peer, and returns the number of notes. Any context. */
static u32 take_all(struct d2d_context *context)
{
	struct d2d_queue *queue = &context->to_owner;
	struct d2d_item *item;
	d2d_handle handle;
	u32 notes = 0;

	while ((handle = d2d_queue_take(queue))) {
		item = d2d_queue_redeem(queue, handle);
		/* NULL: the peer detaches, and the library has revoked the handle. */
		if (!item)
			continue;
		if (!d2d_queue_expect(item, NAME, D2D_PAIR_KIND_NOTE, sizeof(u64)))
			notes++;
		if (keeps && !cmpxchg(&kept, 0, handle))
			continue;
		d2d_queue_release(queue, handle);
	}
	return notes;
}

static int put_note(struct d2d_context *context, u64 note)
{
	return d2d_queue_put(&context->to_peer, D2D_PAIR_KIND_NOTE, &note, sizeof(note));
}

/* Peers call these operations in any execution context, so they must not sleep. */
static int c_owner_ping(void *context, u32 value, u32 *result)
{
	*result = value + 1;
	return 0;
}

static int c_owner_bounce(void *context, u32 hops, u32 *result)
{
	const struct d2d_pair_peer_ops *ops;
	struct d2d_peer peer;
	u32 calls = 0;
	int err;

	if (hops > MAX_HOPS)
		return -E2BIG;
	if (hops) {
		err = d2d_peer_enter(context, &peer);
		if (err)
			return err;
		ops = container_of_const(peer.ops, struct d2d_pair_peer_ops, hdr);
		err = ops->bounce ? ops->bounce(peer.self, hops - 1, &calls) : -EOPNOTSUPP;
		d2d_peer_exit(context, &peer);
		if (err)
			return err;
		calls++;
	}
	*result = calls;
	return 0;
}

static int c_owner_drain(void *context, u32 *result)
{
	int err = 0;

	*result = take_all(context);
	for (u32 left = *result; left && !err; left--)
		err = put_note(context, left);
	return err;
}

static const u64 chain[] = D2D_PAIR_OWNER_CHAIN;

static const struct d2d_pair_owner_ops ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_owner_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, chain),
	.ping = c_owner_ping,
	.bounce = c_owner_bounce,
	.drain = c_owner_drain,
};

static const u64 peer_chain[] = D2D_PAIR_PEER_CHAIN;

static const struct d2d_pair_peer_ops peer_ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_peer_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, peer_chain),
};

/* The requests that the owner keeps pending. The handle of a free entry is 0. */
static struct {
	d2d_handle request;
	u64 key;
} pended[MAX_PENDED];
static DEFINE_SPINLOCK(pended_lock);

/*
 * Takes a request from pended[]: the one with the handle @request or, if @request is 0, one with
 * @key. Returns its handle, or 0 if none matches.
 */
static d2d_handle take_pended(d2d_handle request, u64 key)
{
	guard(spinlock_irqsave)(&pended_lock);
	for (int n = 0; n < MAX_PENDED; n++) {
		d2d_handle found = pended[n].request;

		if (found && (request ? found == request : pended[n].key == key)) {
			pended[n].request = 0;
			return found;
		}
	}
	return 0;
}

/*
 * If the request is cancelled right after d2d_request_set_cancel(), c_owner_cancelled() waits for
 * the lock, and then finds the stored request.
 */
static int pend(d2d_handle request, u64 key)
{
	int err;

	guard(spinlock_irqsave)(&pended_lock);
	for (int n = 0; n < MAX_PENDED; n++) {
		if (pended[n].request)
			continue;
		err = d2d_request_set_cancel(request);
		if (!err) {
			pended[n].request = request;
			pended[n].key = key;
		}
		return err;
	}
	return -EBUSY;
}

static int serve_add(const struct d2d_request *request)
{
	u64 value;
	int err;

	err = d2d_request_input(request, &value, sizeof(value));
	if (err)
		return err;
	value++;
	return d2d_request_write(request->handle, &value, sizeof(value));
}

static int serve_pend(const struct d2d_request *request)
{
	u64 key;
	int err;

	err = d2d_request_input(request, &key, sizeof(key));
	if (err)
		return err;
	if (request->output_len < sizeof(key))
		return -EMSGSIZE;
	return pend(request->handle, key) ?: -D2D_STATUS_PENDING;
}

static int serve_complete(const struct d2d_request *request)
{
	struct d2d_pair_complete complete;
	d2d_handle other;
	int err;

	err = d2d_request_input(request, &complete, sizeof(complete));
	if (err)
		return err;
	other = take_pended(0, complete.key);
	if (!other)
		return -ENOENT;
	err = d2d_request_write(other, &complete.value, sizeof(complete.value));
	return d2d_complete(other, err, err ? 0 : sizeof(complete.value)) ?: err;
}

/* A notification event and a synchronization event */
static d2d_handle notice, turn;

static int serve_signal(void)
{
	return d2d_event_set(notice) ?: d2d_event_set(turn);
}

/* Any context, because of D2D_DISPATCH_ATOMIC. */
static int dispatch(void *this, const struct d2d_request *request)
{
	u64 information = 0;
	int err = -ENOTTY;

	switch (request->code) {
	case D2D_PAIR_IOCTL_ADD:
		err = serve_add(request);
		information = err ? 0 : sizeof(u64);
		break;
	case D2D_PAIR_IOCTL_PEND:
		err = serve_pend(request);
		break;
	case D2D_PAIR_IOCTL_COMPLETE:
		err = serve_complete(request);
		break;
	case D2D_PAIR_IOCTL_SIGNAL:
		err = serve_signal();
		break;
	}
	if (err != -D2D_STATUS_PENDING)
		d2d_complete(request->handle, err, information);
	return err;
}

static void c_owner_cancelled(void *this, d2d_handle request)
{
	take_pended(request, 0);
}

/* The return value keeps the request allocated. Any context. */
static int c_owner_completed(void *this, d2d_handle request, const struct d2d_result *result)
{
	struct completion *done = (void *)(uintptr_t)result->tag;

	complete(done);
	return D2D_MORE_PROCESSING_REQUIRED;
}

static void prepare(void *this, struct d2d_context *context)
{
	unsigned long flags = d2d_data_lock(context);
	struct d2d_pair_owner_data *data = d2d_data_owner(context);

	data->queue_capacity = capacity;
	data->item_size = sizeof(u64);
	d2d_data_unlock(context, flags);
	if (context->id < MAX_CONTEXTS)
		all[context->id] = context;
}

static void attached(void *this, struct d2d_context *context)
{
	atomic_inc(&attachments);
}

static void detached(void *this, struct d2d_context *context)
{
	d2d_handle handle = xchg(&kept, 0);

	if (handle)
		pr_info("kept release=%d\n", d2d_queue_release(&context->to_owner, handle));
	pr_info("left ctx=%u attachments=%u\n", context->id, atomic_read(&attachments));
}

/* Counts an update. The counts of both sides must add up to the total. Any context. */
static int update(struct d2d_context *context)
{
	unsigned long flags = d2d_data_lock(context);
	struct d2d_pair_shared_data *shared = d2d_data_shared(context);
	u64 value = ++shared->updates;
	u64 sum = ++shared->by_owner + shared->by_peer;

	d2d_data_unlock(context, flags);
	trace(UPDATE, D2D_NUMBER(CTX, context->id), D2D_NUMBER(VALUE, value));
	return value == sum ? 0 : -EBADMSG;
}

static int call_peer(struct d2d_context *context)
{
	const struct d2d_pair_peer_ops *peer_ops;
	struct d2d_peer peer;
	u32 value, hops, taken;
	int err;

	err = put_note(context, 3) ?: d2d_peer_enter(context, &peer);
	if (err)
		return err;
	peer_ops = container_of_const(peer.ops, struct d2d_pair_peer_ops, hdr);
	err = -EOPNOTSUPP;
	if (peer_ops->ping && peer_ops->bounce && peer_ops->drain) {
		d2d_hot_call("peer", "ping");
		err = peer_ops->ping(peer.self, 41, &value);
		d2d_hot_return("peer", "ping", err);
		err = err ?: peer_ops->bounce(peer.self, 2, &hops) ?:
		      peer_ops->drain(peer.self, &taken);
	}
	d2d_peer_exit(context, &peer);
	if (err)
		return err;
	take_all(context);
	return value == 42 && hops == 2 ? 0 : -EBADMSG;
}

static int send_requests(struct d2d_context *context, d2d_handle request)
{
	DECLARE_COMPLETION_ONSTACK(done);
	struct d2d_result result;
	struct d2d_send send;
	d2d_handle peer;
	u64 value = 41;
	int err;

	err = d2d_peer_lookup(context, &peer);
	if (err)
		return err;
	send = (struct d2d_send)D2D_SEND_INIT(peer, D2D_PAIR_IOCTL_ADD, .input = &value,
		.input_len = sizeof(value), .output_len = sizeof(value),
		.tag = (uintptr_t)&done);
	err = d2d_request_call(request, &send, D2D_FOREVER, &result, &value, sizeof(value)) ?:
	      result.status;
	if (err)
		return err;
	if (value != 42)
		return -EBADMSG;
	send.flags = D2D_SEND_ROUTINE;
	err = d2d_request_send(request, &send);
	if (err && err != -EINPROGRESS)
		return err;
	wait_for_completion(&done);
	return 0;
}

/* Plays a round. A context may have no peer, or its peer may detach or be busy. */
static int exercise(d2d_handle request)
{
	int err = 0;

	/* With "bare", the owner has no prepare(), so no context is stored. */
	if (bare)
		return -EOPNOTSUPP;
	for (unsigned int n = 0; n < contexts && !err; n++) {
		err = update(all[n]) ?: call_peer(all[n]) ?: send_requests(all[n], request);
		if (err == -ESHUTDOWN || err == -ESTALE || err == -ECANCELED || err == -ENOSPC ||
		    err == -EBUSY)
			err = 0;
	}
	return err;
}

static ssize_t exercise_write(struct file *file, const char __user *buffer, size_t count,
			      loff_t *offset)
{
	d2d_handle request;
	u32 rounds;
	int err;

	if (!strcmp(fault, "live")) {
		d2d_owner_stop();
		return d2d_owner_start(NULL, &self);
	}
	err = kstrtou32_from_user(buffer, count, 10, &rounds) ?:
	      d2d_request_alloc(self, sizeof(u64), sizeof(u64), &request);
	if (err)
		return err;
	while (rounds-- && !err)
		err = exercise(request);
	d2d_request_free(request);
	return err ?: count;
}

/* .owner keeps the module loaded while the device is open. */
static const struct file_operations exercise_fops = {
	.owner = THIS_MODULE,
	.write = exercise_write,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &exercise_fops,
	.mode = 0600,
};

/*
 * Registers the device last. After that, the init must not fail: a process may already have the
 * device open, and the kernel would free the module.
 */
static int __init c_owner_init(void)
{
	struct d2d_owner owner = {
		.ops = &ops.hdr,
		.peer_ops = &peer_ops.hdr,
		.dispatch = dispatch,
		.completed = c_owner_completed,
		.cancelled = c_owner_cancelled,
		.prepare = prepare,
		.attached = attached,
		.detached = detached,
		.flags = D2D_DISPATCH_ATOMIC,
		.contexts = contexts,
		.capacity = capacity,
		.item_size = sizeof(u64),
		.completion = completion,
		.timeout = timeout,
		D2D_PAIR_DATA_SIZES,
	};
	int err;

	if (contexts > MAX_CONTEXTS)
		return -ERANGE;
	if (bare) {
		owner.completed = NULL;
		owner.cancelled = NULL;
		owner.prepare = NULL;
		owner.attached = NULL;
		owner.detached = NULL;
	}
	if (!strcmp(fault, "no-dispatch"))
		owner.dispatch = NULL;
	if (!strcmp(fault, "no-ops"))
		owner.ops = NULL;
	if (!strcmp(fault, "no-peer-ops"))
		owner.peer_ops = NULL;
	if (!strcmp(fault, "zero-ops"))
		owner.ops = &zeroed;
	if (!strcmp(fault, "zero-peer-ops"))
		owner.peer_ops = &zeroed;
	if (!strcmp(fault, "no-sizes")) {
		owner.owner_size = 0;
		owner.peer_size = 0;
		owner.shared_size = 0;
		owner.sizes_hash = 0;
	}
	if (!strcmp(fault, "returned-outside"))
		owner.returned = (void *)_printk;
	if (!strcmp(fault, "completed-outside"))
		owner.completed = (void *)_printk;
	if (!strcmp(fault, "attached-outside"))
		owner.attached = (void *)_printk;
	if (!strcmp(fault, "detached-outside"))
		owner.detached = (void *)_printk;
	if (!strcmp(fault, "bad-flags"))
		owner.flags = 0x80;
	if (!strcmp(fault, "bad-owner-flags"))
		owner.owner_flags = 0x80;
	if (!strcmp(fault, "too-much-data"))
		owner.shared_size = D2D_DATA_SIZE + 1;
	if (!strcmp(fault, "stop"))
		d2d_owner_stop();
	err = d2d_owner_start(&owner, strcmp(fault, "no-handle") ? &self : NULL);
	if (err)
		return err;
	if (!strcmp(fault, "twice"))
		err = d2d_owner_start(&owner, &self);
	err = err ?: d2d_event_create_of(self, NAME, D2D_PAIR_EVENT_NOTICE, 0, &notice) ?:
	      d2d_event_create_of(self, NAME, D2D_PAIR_EVENT_TURN, 0, &turn) ?:
	      d2d_device_register(NAME, &device);
	if (err)
		d2d_owner_stop();
	return err;
}
module_init(c_owner_init);

static void __exit c_owner_exit(void)
{
	misc_deregister(&device);
	d2d_owner_stop();
}
module_exit(c_owner_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: an owner in C");
MODULE_LICENSE("GPL");
