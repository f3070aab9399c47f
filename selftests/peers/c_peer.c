// SPDX-License-Identifier: GPL-2.0
/*
 * A peer of module_a in plain C: read this file if you write a driver in C. The driver needs no
 * file of the library but the headers in shared/include/.
 *
 * Writing N to /dev/c_peer plays N rounds (exercise()) in each execution context: in a task, a
 * worker, softirq and hard interrupt.
 */
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "d2d_ops.h"
#include "d2d_data.h"
#include "d2d_device.h"
#include "d2d_pair.h"
#include "d2d_queue.h"
#include "d2d_request.h"
#include "d2d_table.h"

#define MAX_HOPS	16
#define MAX_PENDED	32

static d2d_handle self;
/* module_a as a receiver of requests */
static d2d_handle target;
/* Set before the handshake is completed, and never NULL after that. */
static struct d2d_context *context;

#define trace(step, ...)	d2d_trace(D2D_RECORD(KBUILD_MODNAME, step, 0, ##__VA_ARGS__))

static const u64 owner_chain[] = D2D_PAIR_OWNER_CHAIN;

/*
 * A checked copy of module_a's operations. Calling them needs no lock: this driver imports symbols
 * of module_a, so the kernel does not unload module_a.
 */
static struct d2d_pair_owner_ops owner = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_owner_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, owner_chain),
};

/*
 * Takes all items. Adds the values of the notes to @sum, and returns the number of notes.
 * d2d_queue_expect() refuses all other items. Any context.
 */
static u32 take_all(u64 *sum)
{
	struct d2d_queue *queue = &context->to_peer;
	struct d2d_item *item;
	d2d_handle handle;
	u32 notes = 0;
	u64 note;

	while ((handle = d2d_queue_take(queue))) {
		item = d2d_queue_redeem(queue, handle);
		/* NULL: this driver detaches, and the owner has revoked the handle. */
		if (!item)
			continue;
		if (!d2d_queue_expect(item, KBUILD_MODNAME, D2D_PAIR_KIND_NOTE, sizeof(note))) {
			memcpy(&note, item->payload, sizeof(note));
			*sum += note;
			notes++;
		}
		d2d_queue_release(queue, handle);
	}
	return notes;
}

static int put_note(u64 note)
{
	return d2d_queue_put(&context->to_owner, D2D_PAIR_KIND_NOTE, &note, sizeof(note));
}

/*
 * module_a calls these operations in any execution context, so they must not sleep. Their first
 * argument is context->peer.self. A driver with several contexts sets this field to its own data
 * for the context.
 */
static int c_peer_ping(void *this, u32 value, u32 *result)
{
	*result = value + 1;
	return 0;
}

static int c_peer_bounce(void *this, u32 hops, u32 *result)
{
	u32 calls = 0;
	int err;

	if (hops > MAX_HOPS)
		return -E2BIG;
	if (hops) {
		d2d_hot_call("owner", "bounce");
		err = owner.bounce(context->owner.self, hops - 1, &calls);
		d2d_hot_return("owner", "bounce", err);
		if (err)
			return err;
		calls++;
	}
	*result = calls;
	return 0;
}

static int c_peer_drain(void *this, u32 *result)
{
	u64 sum = 0;

	*result = take_all(&sum);
	return put_note(sum);
}

static const u64 chain[] = D2D_PAIR_PEER_CHAIN;

static const struct d2d_pair_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_peer_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, chain),
	.ping = c_peer_ping,
	.bounce = c_peer_bounce,
	.drain = c_peer_drain,
};

static int check(const struct d2d_context *offered)
{
	return d2d_context_check(offered) ?:
	       d2d_data_check(offered, KBUILD_MODNAME, sizeof(struct d2d_pair_owner_data),
			      sizeof(struct d2d_pair_peer_data),
			      sizeof(struct d2d_pair_shared_data)) ?:
	       d2d_ops_copy(&owner.hdr, &offered->owner, offered->module) ?:
	       (owner.bounce && owner.drain ? 0 : -EOPNOTSUPP);
}

/* The peer's part of the handshake. One lock protects all data of the context. */
static int adopt(struct d2d_context *offered)
{
	struct d2d_pair_peer_data *data;
	unsigned long flags;
	int err;

	err = check(offered);
	if (err)
		return err;
	context = offered;
	trace(ADOPT, D2D_NUMBER(CTX, context->id));

	flags = d2d_data_lock(context);
	data = d2d_data_peer(context);
	*data = (struct d2d_pair_peer_data){ .cookie = 0xc };
	d2d_data_unlock(context, flags);
	context->peer.ops = &ops.hdr;
	context->peer.self = context;
	trace(FILL, D2D_NUMBER(CTX, context->id));
	return 0;
}

/* The requests that this driver keeps pending */
static struct pended {
	d2d_handle request;	/* 0: free entry */
	u64 key;
} pended[MAX_PENDED];

static DEFINE_SPINLOCK(pended_lock);

/*
 * Takes a request from pended[]: the one with the handle @request or, if @request is 0, one with
 * @key. Returns its handle, or 0 if none matches.
 */
static d2d_handle take_pended(d2d_handle request, u64 key)
{
	d2d_handle taken = 0;
	unsigned long flags;

	spin_lock_irqsave(&pended_lock, flags);
	for (struct pended *entry = pended; entry < pended + MAX_PENDED && !taken; entry++) {
		if (entry->request && (request ? entry->request == request : entry->key == key)) {
			taken = entry->request;
			entry->request = 0;
		}
	}
	spin_unlock_irqrestore(&pended_lock, flags);
	return taken;
}

/*
 * If the request is cancelled right after d2d_request_set_cancel(), c_peer_cancelled() waits for
 * the lock, and then finds the stored request.
 */
static int pend(d2d_handle request, u64 key)
{
	unsigned long flags;
	int err = -EBUSY;

	spin_lock_irqsave(&pended_lock, flags);
	for (struct pended *entry = pended; entry < pended + MAX_PENDED; entry++) {
		if (entry->request)
			continue;
		err = d2d_request_set_cancel(request);
		if (!err)
			*entry = (struct pended){ .request = request, .key = key };
		break;
	}
	spin_unlock_irqrestore(&pended_lock, flags);
	return err;
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
	/* Last: as soon as pend() has stored the request, another thread may complete it. */
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
	/* The request is no longer in pended[], so complete it even if writing the output fails. */
	err = d2d_request_write(other, &complete.value, sizeof(complete.value));
	return d2d_complete(other, err, err ? 0 : sizeof(complete.value)) ?: err;
}

/* Events, which c_peer_init() creates */
static d2d_handle notice, turn;

static int serve_signal(void)
{
	int err;

	/* c_peer_init() may not have created the events yet. */
	if (!READ_ONCE(turn))
		return -ENOTTY;
	trace(EVENT_SET, D2D_TEXT(KIND, "notification"));
	err = d2d_event_set(notice);
	if (err < 0)
		return err;
	trace(EVENT_SET, D2D_TEXT(KIND, "synchronization"));
	return min(d2d_event_set(turn), 0);
}

/*
 * Any context, because of D2D_DISPATCH_ATOMIC. Either completes the request and returns its status,
 * or returns -D2D_STATUS_PENDING.
 */
static int dispatch(void *this, const struct d2d_request *request)
{
	d2d_handle handle = request->handle;
	u64 information = 0;
	int err = -ENOTTY;

	switch (request->code) {
	case D2D_IOCTL_SHARE_CONTEXT:
		trace(DISPATCH, D2D_NUMBER(MAJOR, request->major_function),
		      D2D_NUMBER(CODE, request->code));
		err = adopt(request->user_buffer);
		/*
		 * As soon as the request is completed, module_a may call the operations. What they
		 * use must be ready before.
		 */
		return d2d_complete(handle, err, 0) ?: err;
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
	/* If the request was cancelled, d2d_complete() fails and changes nothing. */
	if (err != -D2D_STATUS_PENDING)
		d2d_complete(handle, err, information);
	return err;
}

/* The handle is stale and can only be compared. Any context. */
static void c_peer_cancelled(void *this, d2d_handle request)
{
	take_pended(request, 0);
}

/* run_rounds() allocates both requests. exercise() sends them in each execution context. */
struct round {
	d2d_handle call;	/* module_a completes it at once */
	d2d_handle pend;	/* module_a keeps it pending */
	int pend_sent;		/* how often pend was sent */
	struct completion done;	/* completed each time that pend is completed */
	int status;		/* pend's last status */
	u64 value;		/* pend's last output */
};

/* The return value keeps the request allocated: exercise() sends it again. Any context. */
static int c_peer_completed(void *this, d2d_handle request, const struct d2d_result *result)
{
	struct round *round = (void *)(uintptr_t)result->tag;

	round->status = result->status;
	round->value = 0;
	if (result->output_len == sizeof(round->value))
		d2d_request_read(request, &round->value, sizeof(round->value));
	complete(&round->done);
	return D2D_MORE_PROCESSING_REQUIRED;
}

static const struct d2d_driver driver = D2D_DRIVER_INIT(KBUILD_MODNAME,
	.dispatch = dispatch,
	.completed = c_peer_completed,
	.cancelled = c_peer_cancelled,
	.flags = D2D_DISPATCH_ATOMIC);

/* Any context. */
static int call(struct round *round, u32 code, const void *input, u32 input_len, u64 *output)
{
	const struct d2d_send send = D2D_SEND_INIT(target, code,
		.input = input,
		.input_len = input_len,
		.output_len = output ? sizeof(*output) : 0,
		.flags = D2D_SEND_ATOMIC | D2D_SEND_TRACE);
	struct d2d_result result;
	int err;

	err = d2d_request_call(round->call, &send, 0, &result, output, send.output_len) ?:
	      result.status;
	return err ?: (result.output_len == send.output_len ? 0 : -EMSGSIZE);
}

/*
 * module_a keeps round->pend pending until it receives the request COMPLETE with the same key. The
 * handle of round->pend is a unique key.
 */
static int send_pend(struct round *round)
{
	const struct d2d_send send = D2D_SEND_INIT(target, D2D_PAIR_IOCTL_PEND,
		.input = &round->pend,
		.input_len = sizeof(round->pend),
		.output_len = sizeof(round->value),
		.tag = (uintptr_t)round,
		.flags = D2D_SEND_ROUTINE | D2D_SEND_ATOMIC | D2D_SEND_TRACE);
	int err;

	err = d2d_request_send(round->pend, &send);
	if (err && err != -EINPROGRESS)
		return err;
	round->pend_sent++;
	return err ? 0 : -EBADMSG;
}

static int send_requests(struct round *round)
{
	struct d2d_pair_complete complete = { .key = round->pend, .value = 7 };
	u64 value = 41;
	int err;

	err = call(round, D2D_PAIR_IOCTL_ADD, &value, sizeof(value), &value);
	if (err)
		return err;
	if (value != 42)
		return -EBADMSG;

	err = send_pend(round) ?:
	      call(round, D2D_PAIR_IOCTL_COMPLETE, &complete, sizeof(complete), NULL);
	if (err)
		return err;
	if (round->status || round->value != 7)
		return -EBADMSG;

	err = send_pend(round) ?: d2d_request_cancel(round->pend);
	if (err)
		return err;
	return round->status == -ECANCELED ? 0 : -EBADMSG;
}

/* Counts an update. The counts of both sides must add up to the total. Any context. */
static int update(void)
{
	unsigned long flags = d2d_data_lock(context);
	struct d2d_pair_shared_data *shared = d2d_data_shared(context);
	u64 value = ++shared->updates;
	u64 sum = ++shared->by_peer + shared->by_owner;

	d2d_data_unlock(context, flags);
	trace(UPDATE, D2D_NUMBER(CTX, context->id), D2D_NUMBER(VALUE, value));
	return value == sum ? 0 : -EBADMSG;
}

/*
 * Plays a round, in any context. module_a's drain takes this driver's note, and puts an answer.
 * module_a's bounce calls this driver back.
 */
static int exercise(struct round *round)
{
	u64 sum = 0;
	u32 result;
	int err;

	err = update() ?: put_note(7);
	if (err)
		return err;
	d2d_hot_call("owner", "drain");
	err = owner.drain(context->owner.self, &result);
	d2d_hot_return("owner", "drain", err);
	if (err)
		return err;
	take_all(&sum);
	d2d_hot_call("owner", "bounce");
	err = owner.bounce(context->owner.self, 2, &result);
	d2d_hot_return("owner", "bounce", err);
	return err ?: send_requests(round);
}

struct job {
	struct work_struct work;
	struct hrtimer timer;
	struct completion done;
	struct round *round;
	int err;
};

static void work_job(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	job->err = exercise(job->round);
}

static int run_in_worker(struct round *round)
{
	struct job job = { .round = round };

	INIT_WORK_ONSTACK(&job.work, work_job);
	queue_work(system_dfl_wq, &job.work);
	flush_work(&job.work);
	destroy_work_on_stack(&job.work);
	return job.err;
}

static enum hrtimer_restart timer_job(struct hrtimer *timer)
{
	struct job *job = container_of(timer, struct job, timer);

	job->err = exercise(job->round);
	complete(&job->done);
	return HRTIMER_NORESTART;
}

static int run_in_timer(struct round *round, enum hrtimer_mode mode)
{
	struct job job = { .round = round };

	init_completion(&job.done);
	hrtimer_setup_on_stack(&job.timer, timer_job, CLOCK_MONOTONIC, mode);
	hrtimer_start(&job.timer, ns_to_ktime(NSEC_PER_USEC), mode);
	wait_for_completion(&job.done);
	/* timer_job() may not have returned yet. */
	hrtimer_cancel(&job.timer);
	destroy_hrtimer_on_stack(&job.timer);
	return job.err;
}

/*
 * Waits until c_peer_completed() was called as often as round->pend was sent. Then the caller can
 * free the requests.
 */
static void end_round(struct round *round)
{
	d2d_request_cancel(round->pend);
	while (round->pend_sent--)
		wait_for_completion(&round->done);
}

static int run_rounds(u32 rounds)
{
	struct round round = {};
	int err;

	init_completion(&round.done);
	err = d2d_request_alloc(self, sizeof(struct d2d_pair_complete), sizeof(u64), &round.call);
	if (err)
		return err;
	err = d2d_request_alloc(self, sizeof(u64), sizeof(u64), &round.pend);
	if (!err) {
		while (rounds-- && !err)
			err = exercise(&round) ?: run_in_worker(&round) ?:
			      run_in_timer(&round, HRTIMER_MODE_REL_SOFT) ?:
			      run_in_timer(&round, HRTIMER_MODE_REL);
		end_round(&round);
		d2d_request_free(round.pend);
	}
	d2d_request_free(round.call);
	return err;
}

static ssize_t exercise_write(struct file *file, const char __user *buffer, size_t count,
			      loff_t *offset)
{
	u32 rounds;
	int err;

	err = kstrtou32_from_user(buffer, count, 10, &rounds);
	if (err)
		return err;
	if (rounds < 1 || rounds > 1000)
		return -ERANGE;
	return run_rounds(rounds) ?: count;
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

/* Registers the device last, because nothing may fail after that (d2d_device.h). */
static int __init c_peer_init(void)
{
	int err;

	trace(LOAD);
	err = d2d_register(&driver, &self);
	if (err)
		return err;
	/* From here on this driver can send and receive requests. */
	err = d2d_lookup("module_a", &target) ?: d2d_attach(self);
	if (err)
		goto unregister;
	err = d2d_event_create_of(self, KBUILD_MODNAME, D2D_PAIR_EVENT_NOTICE, 0, &notice) ?:
	      d2d_event_create_of(self, KBUILD_MODNAME, D2D_PAIR_EVENT_TURN, 0, &turn) ?:
	      d2d_device_register(KBUILD_MODNAME, &device);
	if (err)
		goto detach;
	return 0;

detach:
	d2d_detach(self);
unregister:
	d2d_unregister(self);
	return err;
}
module_init(c_peer_init);

/*
 * No process has the device open now, because an open file keeps this module loaded. When
 * d2d_detach() has returned, no thread is inside this module's operations.
 */
static void __exit c_peer_exit(void)
{
	misc_deregister(&device);
	d2d_detach(self);
	d2d_unregister(self);
	trace(UNLOAD);
}
module_exit(c_peer_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a well-behaved peer in C");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(module_a);
