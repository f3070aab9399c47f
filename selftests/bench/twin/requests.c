// SPDX-License-Identifier: GPL-2.0
/*
 * Requests. The sender names a request by the handle from twin_request_alloc(), the holder by a
 * handle that is new for each send. One lock protects all requests. A thread that holds it may take
 * the drivers' lock.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/idr.h>
#include <linux/kref.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "owner.h"
#include "request.h"
#include "trace.h"

#define MAX_REQUESTS	4096
/* How many places of packets[] a thread looks at before it releases the lock */
#define SCAN		64
/* How many cancelled holds the owner remembers, to tell -ECANCELED from -ESTALE */
#define MAX_CANCELLED	1024

/* IDLE: the sender has it. HELD: a driver has it. BUSY: a thread is completing or cancelling it. */
enum phase { IDLE, HELD, BUSY };

struct packet {
	struct kref refs;
	u32 index;
	u32 generation;
	twin_handle sender;
	enum phase phase;
	twin_handle holder;	/* the driver that holds it (HELD) */
	u32 hold_generation;	/* generation of the holder's handle; new for each send */
	bool notify;		/* call the holder's cancelled() if the request is cancelled */
	bool queued;		/* the request waits for a worker */
	bool orphan;		/* its sender has freed it, or is freeing it */
	u32 sendings;		/* counts the sends, skips 0 */
	u32 waiters;
	u32 code;
	u32 major_function;
	u32 flags;
	u32 input_size;
	u32 output_size;
	u32 input_len;
	u32 output_room;
	void *user_buffer;
	struct twin_result result;
	struct work_struct work;
	struct completion done;
	u8 buffers[];		/* input, then output */
};

static DEFINE_SPINLOCK(lock);	/* protects all below; taken with interrupts disabled */
static struct packet *packets[MAX_REQUESTS];
static u32 used_places;	/* packets[] was never used from this index on */
static u32 cancelled_holds[MAX_CANCELLED];
static u32 generation;
static u32 last_hold_generation;	/* that of the last send */

static DEFINE_IDA(indices);
static struct workqueue_struct *workers;

int twin_requests_init(void)
{
	workers = alloc_workqueue("twin_requests", WQ_UNBOUND, 0);
	return workers ? 0 : -ENOMEM;
}

void twin_requests_exit(void)
{
	destroy_workqueue(workers);
	ida_destroy(&indices);
}

static u8 *output_of(struct packet *packet)
{
	return packet->buffers + packet->input_size;
}

static void packet_release(struct kref *refs)
{
	kfree(container_of(refs, struct packet, refs));
}

static void packet_put(struct packet *packet)
{
	kref_put(&packet->refs, packet_release);
}

/* A key is the sender's handle of a request, without TWIN_HANDLE_SENDER. */
static twin_handle key_of(const struct packet *packet)
{
	return (u64)packet->generation << 32 | packet->index;
}

static struct packet *find(twin_handle key)
{
	u32 index = key;
	struct packet *packet = index < MAX_REQUESTS ? packets[index] : NULL;

	return packet && packet->generation == key >> 32 ? packet : NULL;
}

static struct packet *find_sent(twin_handle handle)
{
	struct packet *packet = find(handle & ~(twin_handle)TWIN_HANDLE_SENDER);

	return handle & TWIN_HANDLE_SENDER && packet && !packet->orphan ? packet : NULL;
}

/* If the handle is stale, returns NULL, and an errno in *err. */
static struct packet *find_held(twin_handle handle, int *err)
{
	u32 index = (u32)handle & ~TWIN_HANDLE_HOLDER;
	u32 hold = handle >> 32;
	struct packet *packet = index < MAX_REQUESTS ? packets[index] : NULL;

	if (handle & TWIN_HANDLE_HOLDER && packet && packet->phase == HELD &&
	    packet->hold_generation == hold)
		return packet;
	*err = hold && cancelled_holds[hold % MAX_CANCELLED] == hold ? -ECANCELED : -ESTALE;
	return NULL;
}

static void unlink_packet(struct packet *packet)
{
	packets[packet->index] = NULL;
	ida_free(&indices, packet->index);
}

/* Prints nothing for -ECANCELED: a call for a cancelled request is no mistake of the driver. */
static int refuse(twin_handle handle, const char *reason, int err)
{
	if (err == -ECANCELED)
		return err;
	return twin_refuse(TWIN_OWNER, reason, err, "handle=0x%llx", handle);
}

static void trace_step(u32 flags, twin_handle driver, const char *step, twin_handle key, int status)
{
	char name[TWIN_NAME_SIZE] = "?";
	struct twin_slot *slot;
	unsigned long irq_flags;

	if (!(flags & TWIN_SEND_TRACE))
		return;
	spin_lock_irqsave(&twin_drivers_lock, irq_flags);
	slot = twin_driver_find(driver);
	if (slot)
		strscpy(name, slot->object.name);
	spin_unlock_irqrestore(&twin_drivers_lock, irq_flags);
	twin_step(name, step, "req=r%u status=%d", (u32)key, status);
}

static void dispatch_queued(struct work_struct *work);

int twin_request_alloc(twin_handle driver, u32 input_size, u32 output_size, twin_handle *request)
{
	struct twin_slot *slot;
	struct packet *packet;
	unsigned long flags;
	int index, err = 0;

	might_sleep();
	if (!request)
		return twin_refuse(TWIN_OWNER, "bad-handle-pointer", -EFAULT, "at=%p", request);
	if (max(input_size, output_size) > TWIN_BUFFER_SIZE)
		return twin_refuse(TWIN_OWNER, "buffer-too-large", -EMSGSIZE,
				   "input=%u output=%u max=%u", input_size, output_size,
				   TWIN_BUFFER_SIZE);
	packet = kzalloc_flex(*packet, buffers, input_size + output_size);
	if (!packet)
		return twin_refuse(TWIN_OWNER, "out-of-memory", -ENOMEM, "handle=0x%llx", driver);
	index = ida_alloc_max(&indices, MAX_REQUESTS - 1, GFP_KERNEL);
	if (index < 0) {
		kfree(packet);
		err = index == -ENOMEM ? index : -EAGAIN;
		return twin_refuse(TWIN_OWNER, err == -ENOMEM ? "out-of-memory" :
				   "too-many-requests", err, "handle=0x%llx", driver);
	}
	kref_init(&packet->refs);
	packet->index = index;
	packet->sender = driver;
	packet->input_size = input_size;
	packet->output_size = output_size;
	INIT_WORK(&packet->work, dispatch_queued);
	init_completion(&packet->done);

	spin_lock_irqsave(&lock, flags);
	/* Under the lock, so that twin_unregister() finds the request if it begins later. */
	spin_lock(&twin_drivers_lock);
	slot = twin_driver_find(driver);
	if (!slot)
		err = -ESTALE;
	else if (slot->unregistering)
		err = -ESHUTDOWN;
	spin_unlock(&twin_drivers_lock);
	if (!err) {
		generation = generation + 1 ?: 1;
		packet->generation = generation;
		packets[index] = packet;
		used_places = max(used_places, index + 1U);
		*request = key_of(packet) | TWIN_HANDLE_SENDER;
	}
	spin_unlock_irqrestore(&lock, flags);
	if (err) {
		ida_free(&indices, index);
		kfree(packet);
		return refuse(driver, err == -ESTALE ? "stale-driver-handle" : "driver-is-leaving",
			      err);
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(twin_request_alloc, "TWIN");

static int check_send(const struct twin_send *from, struct twin_send *send)
{
	static const struct twin_header expected = TWIN_HEADER(struct twin_send, TWIN_SEND_MAGIC);
	const char *reason;
	int err;

	if (twin_probe(send, from, sizeof(*send)))
		return twin_refuse(TWIN_OWNER, "bad-send-pointer", -EFAULT, "at=%p", from);
	err = twin_check_header(TWIN_OWNER, "send", &send->hdr, &expected);
	if (err)
		return err;
	if (send->code == TWIN_IOCTL_SHARE_CONTEXT)
		reason = "reserved-code";
	else if (send->major_function != TWIN_MJ_INTERNAL_DEVICE_CONTROL)
		reason = "unknown-function";
	else if (send->flags & ~(TWIN_SEND_ROUTINE | TWIN_SEND_ATOMIC | TWIN_SEND_TRACE) ||
		 send->reserved)
		reason = "bad-flags";
	else
		return 0;
	return twin_refuse(TWIN_OWNER, reason, -EINVAL, "major=0x%02x code=0x%08x flags=0x%x",
			   send->major_function, send->code, send->flags);
}

/*
 * The caller holds the lock. If the sending thread is to call the receiver, begins this call. If a
 * worker is to call it, the worker begins the call.
 */
static int find_receiver(const struct packet *packet, const struct twin_send *send,
			 struct twin_call *call, const char **reason)
{
	struct twin_slot *slot;
	int err = 0;

	spin_lock(&twin_drivers_lock);
	slot = twin_driver_find(packet->sender);
	if (!slot) {
		*reason = "stale-driver-handle";
		err = -ESTALE;
		goto unlock;
	}
	if (slot->unregistering) {
		*reason = "driver-is-leaving";
		err = -ESHUTDOWN;
		goto unlock;
	}
	if (send->flags & TWIN_SEND_ROUTINE && !slot->object.completed) {
		*reason = "no-completion-routine";
		err = -EINVAL;
		goto unlock;
	}
	slot = twin_driver_find(send->to & ~(twin_handle)TWIN_HANDLE_TARGET);
	if (!(send->to & TWIN_HANDLE_TARGET) || !slot) {
		*reason = "stale-target";
		err = -ESTALE;
		goto unlock;
	}
	if (slot->unregistering) {
		*reason = "target-is-leaving";
		err = -ESHUTDOWN;
		goto unlock;
	}
	if (!(send->flags & TWIN_SEND_ATOMIC) || slot->object.flags & TWIN_DISPATCH_ATOMIC)
		twin_call_begin(call, slot);
unlock:
	spin_unlock(&twin_drivers_lock);
	return err;
}

static void view(const struct packet *packet, struct twin_request *request)
{
	*request = (struct twin_request){
		.hdr = TWIN_HEADER(struct twin_request, TWIN_REQUEST_MAGIC),
		.handle = (u64)packet->hold_generation << 32 | TWIN_HANDLE_HOLDER | packet->index,
		.major_function = packet->major_function,
		.code = packet->code,
		.user_buffer = packet->user_buffer,
		.driver = packet->holder,
		.input_len = packet->input_len,
		.output_len = packet->output_room,
	};
}

/* The caller holds the lock. */
static int prepare(struct packet *packet, const struct twin_send *send, struct twin_call *call,
		   const char **reason)
{
	int err;

	*reason = "stale-request";
	if (!packet)
		return -ESTALE;
	*reason = "request-on-its-way";
	if (packet->phase != IDLE)
		return -EBUSY;
	*reason = "buffer-too-small";
	if (send->input_len > packet->input_size || send->output_len > packet->output_size)
		return -EMSGSIZE;
	/* Copy the input first: after find_receiver() has begun a call, nothing may fail. */
	*reason = "bad-input-pointer";
	if (send->input_len &&
	    (!send->input ||
	     copy_from_kernel_nofault(packet->buffers, send->input, send->input_len)))
		return -EFAULT;
	err = find_receiver(packet, send, call, reason);
	if (err)
		return err;
	last_hold_generation = last_hold_generation + 1 ?: 1;
	packet->hold_generation = last_hold_generation;
	packet->holder = send->to & ~(twin_handle)TWIN_HANDLE_TARGET;
	packet->notify = false;
	packet->queued = !call->slot;
	packet->sendings = packet->sendings + 1 ?: 1;
	packet->major_function = send->major_function;
	packet->code = send->code;
	packet->flags = send->flags;
	packet->user_buffer = send->user_buffer;
	packet->input_len = send->input_len;
	packet->output_room = send->output_len;
	packet->result = (struct twin_result){ .tag = send->tag };
	packet->phase = HELD;
	reinit_completion(&packet->done);
	if (packet->queued)
		kref_get(&packet->refs);
	return 0;
}

/* Whether the last send of the request is @sending, and the request is still on its way */
static bool is_on_its_way(twin_handle key, u32 sending)
{
	struct packet *packet;
	unsigned long flags;
	bool on_its_way;

	spin_lock_irqsave(&lock, flags);
	packet = find(key);
	on_its_way = packet && packet->sendings == sending && packet->phase != IDLE &&
		     !packet->orphan;
	spin_unlock_irqrestore(&lock, flags);
	return on_its_way;
}

/*
 * The caller has claimed the request, and holds the lock. If this function sets *freed, the caller
 * must put *freed. If it returns true, the caller must call the completion routine, and end *call.
 */
static bool bring_home(struct packet *packet, struct twin_call *call, struct packet **freed)
{
	struct twin_slot *slot = NULL;

	packet->phase = IDLE;
	if (packet->waiters)
		complete_all(&packet->done);
	if (packet->orphan) {
		unlink_packet(packet);
		*freed = packet;
	} else if (packet->flags & TWIN_SEND_ROUTINE) {
		spin_lock(&twin_drivers_lock);
		slot = twin_driver_find(packet->sender);
		if (slot)
			twin_call_begin(call, slot);
		spin_unlock(&twin_drivers_lock);
	}
	return slot;
}

static int discard(twin_handle handle);

static void call_completed(struct twin_call *call, twin_handle key, u32 flags,
			   const struct twin_result *result)
{
	const struct twin_driver *driver = &call->slot->object;
	int returned;

	trace_twin_request_completion(key, result->status);
	if (flags & TWIN_SEND_TRACE)
		twin_step(driver->name, "completion", "req=r%u via=routine status=%d", (u32)key,
			  result->status);
	returned = driver->completed(driver->self, key | TWIN_HANDLE_SENDER, result);
	if (returned != TWIN_MORE_PROCESSING_REQUIRED)
		/* Has no effect if the routine has freed the request itself. */
		discard(key | TWIN_HANDLE_SENDER);
}

/* Releases the lock. */
static void deliver(struct packet *packet, unsigned long flags)
	__releases(&lock)
{
	twin_handle key = key_of(packet);
	struct twin_result result = packet->result;
	u32 send_flags = packet->flags;
	struct packet *freed = NULL;
	struct twin_call call;
	bool calls_sender;

	call.slot = NULL;
	calls_sender = bring_home(packet, &call, &freed);
	spin_unlock_irqrestore(&lock, flags);
	if (freed)
		packet_put(freed);
	if (calls_sender) {
		call_completed(&call, key, send_flags, &result);
		twin_call_end(&call);
	}
}

static int finish_held(twin_handle handle, int status, u64 information)
{
	struct packet *packet;
	unsigned long flags;
	int err;

	spin_lock_irqsave(&lock, flags);
	packet = find_held(handle, &err);
	if (!packet) {
		spin_unlock_irqrestore(&lock, flags);
		return err;
	}
	packet->queued = false;
	packet->result.status = status;
	packet->result.information = information;
	trace_twin_request_complete(handle, status);
	if (packet->flags & TWIN_SEND_TRACE) {
		twin_handle key = key_of(packet), holder = packet->holder;
		u32 send_flags = packet->flags;

		/* Print unlocked: no other thread completes, cancels or frees a BUSY request. */
		packet->phase = BUSY;
		spin_unlock_irqrestore(&lock, flags);
		trace_step(send_flags, holder, "complete", key, status);
		spin_lock_irqsave(&lock, flags);
	}
	deliver(packet, flags);
	return 0;
}

int twin_requests_complete(twin_handle handle, int status, u64 information)
{
	int err = finish_held(handle, twin_check_status(status), information);

	return err ? refuse(handle, "stale-request-handle", err) : 0;
}

/* Returns whether the request is still on its way. */
static bool dispatch(const struct twin_call *call, const struct twin_request *request,
		     twin_handle key, u32 sending, u32 send_flags)
{
	const struct twin_driver *driver = &call->slot->object;
	struct packet *packet;
	unsigned long flags;
	bool held, on_its_way = false;
	int returned;

	trace_twin_request_dispatch(request->handle, 0);
	if (send_flags & TWIN_SEND_TRACE)
		twin_step(driver->name, "dispatch", "req=r%u code=0x%08x", (u32)key,
			  request->code);
	returned = driver->dispatch(driver->self, request);
	spin_lock_irqsave(&lock, flags);
	packet = find(key);
	held = packet && packet->phase == HELD && packet->hold_generation == request->handle >> 32;
	if (packet)
		on_its_way = packet->sendings == sending && packet->phase != IDLE &&
			     !packet->orphan;
	spin_unlock_irqrestore(&lock, flags);
	if (held && returned != -TWIN_STATUS_PENDING) {
		twin_refuse(TWIN_OWNER, "not-completed", -EIO, "by=%s returned=%d", driver->name,
			    returned);
		/* Has no effect if the request was cancelled meanwhile. */
		finish_held(request->handle, -EIO, 0);
		return is_on_its_way(key, sending);
	}
	if (held && send_flags & TWIN_SEND_TRACE)
		twin_step(driver->name, "pend", "req=r%u code=0x%08x", (u32)key, request->code);
	return on_its_way;
}

static void dispatch_queued(struct work_struct *work)
{
	struct packet *packet = container_of(work, struct packet, work);
	struct twin_call call = {};
	struct twin_request request;
	struct twin_slot *slot;
	unsigned long flags;
	u32 sending, send_flags;

	spin_lock_irqsave(&lock, flags);
	if (packet->queued) {
		packet->queued = false;
		spin_lock(&twin_drivers_lock);
		slot = twin_driver_find(packet->holder);
		/* If the receiver is unregistering, twin_unregister() cancels the request. */
		if (slot && !slot->unregistering)
			twin_call_begin(&call, slot);
		spin_unlock(&twin_drivers_lock);
	}
	view(packet, &request);
	sending = packet->sendings;
	send_flags = packet->flags;
	spin_unlock_irqrestore(&lock, flags);
	if (call.slot) {
		dispatch(&call, &request, key_of(packet), sending, send_flags);
		twin_call_end(&call);
	}
	packet_put(packet);
}

int twin_request_send(twin_handle request, const struct twin_send *from)
{
	struct twin_request received;
	struct packet *packet;
	struct twin_call call;
	struct twin_send send;
	unsigned long flags;
	const char *reason;
	u32 sending = 0;
	twin_handle key, sender = 0;
	bool on_its_way;
	int err;

	err = check_send(from, &send);
	if (err)
		return err;
	if (!(send.flags & TWIN_SEND_ATOMIC))
		might_sleep();
	call.slot = NULL;
	key = request & ~(twin_handle)TWIN_HANDLE_SENDER;
	spin_lock_irqsave(&lock, flags);
	packet = find_sent(request);
	err = prepare(packet, &send, &call, &reason);
	if (!err) {
		view(packet, &received);
		sending = packet->sendings;
		sender = packet->sender;
	}
	spin_unlock_irqrestore(&lock, flags);
	if (err)
		return refuse(request, reason, err);
	trace_twin_request_send(request, 0);
	trace_step(send.flags, sender, "build-request", key, 0);
	trace_step(send.flags, sender, "call-driver", key, 0);
	if (call.slot) {
		on_its_way = dispatch(&call, &received, key, sending, send.flags);
		twin_call_end(&call);
	} else {
		/*
		 * If the work item is still queued for an earlier send, it dispatches this send,
		 * and puts the reference of the earlier one. Put this send's reference here.
		 */
		if (!queue_work(workers, &packet->work))
			packet_put(packet);
		on_its_way = is_on_its_way(key, sending);
	}
	return on_its_way ? -EINPROGRESS : 0;
}
EXPORT_SYMBOL_NS_GPL(twin_request_send, "TWIN");

static bool concerns(const struct packet *packet, twin_handle driver)
{
	return packet->phase != IDLE && (packet->sender == driver || packet->holder == driver);
}

/*
 * Any execution context. If @driver is not 0, cancels the request only if @driver holds it or has
 * sent it. If @driver is 0, cancels only the send with the number @sending. Returns -EALREADY if
 * there is nothing to cancel, or -EBUSY if another thread is completing or cancelling the request.
 */
static int cancel(twin_handle key, u32 sending, twin_handle driver, int status)
{
	struct twin_call call = {};
	struct packet *packet;
	struct twin_request request;
	struct twin_slot *slot;
	unsigned long flags;
	u32 send_flags;

	spin_lock_irqsave(&lock, flags);
	packet = find(key);
	if (!packet || packet->phase == IDLE ||
	    (driver ? !concerns(packet, driver) : packet->sendings != sending)) {
		spin_unlock_irqrestore(&lock, flags);
		return -EALREADY;
	}
	if (packet->phase == BUSY) {
		spin_unlock_irqrestore(&lock, flags);
		return -EBUSY;
	}
	packet->phase = BUSY;
	packet->queued = false;
	packet->result.status = status;
	packet->result.information = 0;
	packet->result.output_len = 0;
	cancelled_holds[packet->hold_generation % MAX_CANCELLED] = packet->hold_generation;
	view(packet, &request);
	send_flags = packet->flags;
	if (packet->notify) {
		spin_lock(&twin_drivers_lock);
		slot = twin_driver_find(packet->holder);
		if (slot)
			twin_call_begin(&call, slot);
		spin_unlock(&twin_drivers_lock);
	}
	spin_unlock_irqrestore(&lock, flags);
	trace_twin_request_cancel(request.handle, status);
	trace_step(send_flags, packet->sender, "cancel", key, status);
	if (call.slot) {
		call.slot->object.cancelled(call.slot->object.self, request.handle);
		twin_call_end(&call);
	}
	spin_lock_irqsave(&lock, flags);
	/* packet is still valid: a request that is on its way is never freed. */
	deliver(packet, flags);
	return 0;
}

int twin_request_cancel(twin_handle request)
{
	struct packet *packet;
	unsigned long flags;
	u32 sending = 0;

	spin_lock_irqsave(&lock, flags);
	packet = find_sent(request);
	if (packet)
		sending = packet->sendings;
	spin_unlock_irqrestore(&lock, flags);
	if (!packet)
		return refuse(request, "stale-request", -ESTALE);
	return cancel(request & ~(twin_handle)TWIN_HANDLE_SENDER, sending, 0, -ECANCELED) ?
	       -EALREADY : 0;
}
EXPORT_SYMBOL_NS_GPL(twin_request_cancel, "TWIN");

static int discard(twin_handle handle)
{
	struct packet *packet, *freed = NULL;
	unsigned long flags;
	u32 sending = 0;

	spin_lock_irqsave(&lock, flags);
	packet = find_sent(handle);
	if (packet && packet->phase == IDLE) {
		unlink_packet(packet);
		freed = packet;
	} else if (packet) {
		packet->orphan = true;
		sending = packet->sendings;
	}
	spin_unlock_irqrestore(&lock, flags);
	if (!packet)
		return -ESTALE;
	if (freed)
		packet_put(freed);
	else
		/* If another thread is completing the request, that thread frees it. */
		cancel(handle & ~(twin_handle)TWIN_HANDLE_SENDER, sending, 0, -ECANCELED);
	return 0;
}

int twin_request_free(twin_handle request)
{
	int err = discard(request);

	return err ? refuse(request, "stale-request", err) : 0;
}
EXPORT_SYMBOL_NS_GPL(twin_request_free, "TWIN");

int twin_request_wait(twin_handle request, u32 ms, struct twin_result *result)
{
	const char *reason = "stale-request";
	struct packet *packet;
	unsigned long flags;
	u32 sending = 0, send_flags = 0;
	twin_handle sender = 0;
	bool waits = false;
	int err = 0;

	if (!result)
		return twin_refuse(TWIN_OWNER, "no-result-pointer", -EFAULT, "handle=0x%llx",
				   request);
	spin_lock_irqsave(&lock, flags);
	packet = find_sent(request);
	if (!packet) {
		err = -ESTALE;
	} else if (!packet->sendings) {
		reason = "not-sent";
		err = -ENODATA;
	} else if (packet->flags & TWIN_SEND_ROUTINE) {
		reason = "has-completion-routine";
		err = -EINVAL;
	} else if (packet->phase == IDLE) {
		*result = packet->result;
		send_flags = packet->flags;
		sender = packet->sender;
	} else {
		packet->waiters++;
		kref_get(&packet->refs);
		sending = packet->sendings;
		waits = true;
	}
	spin_unlock_irqrestore(&lock, flags);
	if (waits) {
		might_sleep();
		if (ms != TWIN_FOREVER &&
		    !wait_for_completion_timeout(&packet->done, msecs_to_jiffies(ms)))
			/* If this fails, another thread completes the request, or has done so. */
			cancel(key_of(packet), sending, 0, -ETIMEDOUT);
		wait_for_completion(&packet->done);
		spin_lock_irqsave(&lock, flags);
		packet->waiters--;
		if (find_sent(request) != packet) {
			err = -ESTALE;
		} else if (packet->sendings != sending || packet->phase != IDLE) {
			reason = "request-sent-again";
			err = -ESTALE;
		} else {
			*result = packet->result;
			send_flags = packet->flags;
			sender = packet->sender;
		}
		spin_unlock_irqrestore(&lock, flags);
		packet_put(packet);
	}
	if (err)
		return refuse(request, reason, err);
	trace_twin_request_completion(request, result->status);
	trace_step(send_flags, sender, "completion", request & ~(twin_handle)TWIN_HANDLE_SENDER,
		   result->status);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(twin_request_wait, "TWIN");

int twin_request_read(twin_handle request, void *buffer, u32 len)
{
	const char *reason = NULL;
	struct packet *packet;
	unsigned long flags;
	const u8 *from;
	u32 length;
	int err = 0;

	if (!buffer)
		return refuse(request, "no-buffer", -EFAULT);
	spin_lock_irqsave(&lock, flags);
	if (request & TWIN_HANDLE_HOLDER) {
		packet = find_held(request, &err);
		reason = "stale-request-handle";
		if (packet) {
			from = packet->buffers;
			length = packet->input_len;
		}
	} else {
		packet = find_sent(request);
		reason = "stale-request";
		if (!packet) {
			err = -ESTALE;
		} else if (packet->phase != IDLE) {
			reason = "request-on-its-way";
			err = -EBUSY;
		} else {
			from = output_of(packet);
			length = packet->result.output_len;
		}
	}
	if (!err && len > length) {
		reason = "nothing-to-read";
		err = -EMSGSIZE;
	}
	if (!err)
		memcpy(buffer, from, len);
	spin_unlock_irqrestore(&lock, flags);
	return err ? refuse(request, reason, err) : 0;
}
EXPORT_SYMBOL_NS_GPL(twin_request_read, "TWIN");

int twin_request_write(twin_handle request, const void *buffer, u32 len)
{
	const char *reason = "stale-request-handle";
	struct packet *packet;
	unsigned long flags;
	int err = 0;

	spin_lock_irqsave(&lock, flags);
	packet = find_held(request, &err);
	if (packet && len > packet->output_room) {
		reason = "output-too-long";
		err = -EMSGSIZE;
	} else if (packet && len &&
		   (!buffer || copy_from_kernel_nofault(output_of(packet), buffer, len))) {
		reason = "bad-output-pointer";
		err = -EFAULT;
	} else if (packet) {
		packet->result.output_len = len;
	}
	spin_unlock_irqrestore(&lock, flags);
	return err ? refuse(request, reason, err) : 0;
}
EXPORT_SYMBOL_NS_GPL(twin_request_write, "TWIN");

int twin_request_set_cancel(twin_handle request)
{
	const char *reason = "stale-request-handle";
	struct twin_slot *slot;
	struct packet *packet;
	unsigned long flags;
	int err = 0;

	spin_lock_irqsave(&lock, flags);
	packet = find_held(request, &err);
	if (packet) {
		spin_lock(&twin_drivers_lock);
		slot = twin_driver_find(packet->holder);
		packet->notify = slot && slot->object.cancelled;
		spin_unlock(&twin_drivers_lock);
		if (!packet->notify) {
			reason = "no-cancel-routine";
			err = -EINVAL;
		}
	}
	spin_unlock_irqrestore(&lock, flags);
	return err ? refuse(request, reason, err) : 0;
}
EXPORT_SYMBOL_NS_GPL(twin_request_set_cancel, "TWIN");

/*
 * Cancels the requests that a driver holds or has sent. If @until is not 0, leaves out those with a
 * hold_generation after @until. Returns whether other threads are still completing or cancelling
 * some of them.
 */
static bool cancel_all(twin_handle driver, u32 until)
{
	struct packet *packet;
	unsigned long flags;
	bool busy = false;
	u32 index = 0, n;
	twin_handle key;

	while (index < READ_ONCE(used_places)) {
		key = 0;
		spin_lock_irqsave(&lock, flags);
		for (n = 0; n < SCAN && index < used_places && !key; n++, index++) {
			packet = packets[index];
			if (packet && concerns(packet, driver) &&
			    (!until || (s32)(packet->hold_generation - until) <= 0))
				key = key_of(packet);
		}
		spin_unlock_irqrestore(&lock, flags);
		if (key)
			busy |= cancel(key, 0, driver, -ECANCELED) == -EBUSY;
	}
	return busy;
}

void twin_requests_cancel_all(twin_handle driver)
{
	while (cancel_all(driver, READ_ONCE(last_hold_generation) ?: 1))
		fsleep(USEC_PER_MSEC);
}

void twin_requests_clear_and_free(twin_handle driver)
{
	struct packet *packet;
	unsigned long flags;
	u32 index;

	while (cancel_all(driver, 0) || twin_driver_is_called(driver))
		fsleep(USEC_PER_MSEC);
	for (index = 0; index < READ_ONCE(used_places); index++) {
		spin_lock_irqsave(&lock, flags);
		packet = packets[index];
		if (packet && packet->sender == driver)
			unlink_packet(packet);
		else
			packet = NULL;
		spin_unlock_irqrestore(&lock, flags);
		if (packet)
			packet_put(packet);
	}
}
