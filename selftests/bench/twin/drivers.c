// SPDX-License-Identifier: GPL-2.0
/* The registered drivers, the calls of their routines, and the handshake */
#include <linux/delay.h>

#include "event.h"
#include "owner.h"
#include "queue.h"

#define MAX_DRIVERS	128

/* Protects the slots; taken with interrupts disabled. */
DEFINE_SPINLOCK(twin_drivers_lock);
static struct twin_slot slots[MAX_DRIVERS];

void twin_drivers_init(void)
{
	struct twin_slot *slot;

	for (slot = slots; slot < slots + MAX_DRIVERS; slot++) {
		slot->generation = 1;
		slot->offer.sender_is_out = true;
		INIT_LIST_HEAD(&slot->calls);
		init_completion(&slot->offer.ended);
		init_completion(&slot->offer.sender_out);
	}
}

twin_handle twin_driver_handle(const struct twin_slot *slot)
{
	return (u64)slot->generation << 32 | (slot - slots);
}

/* The caller holds the lock. */
struct twin_slot *twin_driver_find(twin_handle handle)
{
	u32 index = handle;

	if (index >= MAX_DRIVERS || !slots[index].used || slots[index].generation != handle >> 32)
		return NULL;
	return &slots[index];
}

/* The caller holds the lock. */
void twin_call_begin(struct twin_call *call, struct twin_slot *slot)
{
	call->task = current;
	call->slot = slot;
	list_add(&call->node, &slot->calls);
}

void twin_call_end(struct twin_call *call)
{
	unsigned long flags;

	if (!call->slot)
		return;
	spin_lock_irqsave(&twin_drivers_lock, flags);
	list_del(&call->node);
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
}

bool twin_driver_is_called(twin_handle handle)
{
	struct twin_slot *slot;
	unsigned long flags;
	bool called;

	spin_lock_irqsave(&twin_drivers_lock, flags);
	slot = twin_driver_find(handle);
	called = slot && !list_empty(&slot->calls);
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
	return called;
}

/* The caller holds the lock. */
static struct twin_slot *find_by_name(const char *name)
{
	struct twin_slot *slot;

	for (slot = slots; slot < slots + MAX_DRIVERS; slot++) {
		if (slot->used && !strcmp(slot->object.name, name))
			return slot;
	}
	return NULL;
}

int twin_register(const struct twin_driver *driver, twin_handle *handle)
{
	struct twin_slot *slot = slots;
	struct twin_driver object;
	unsigned long flags;
	int err;

	if (!handle)
		return twin_refuse(TWIN_OWNER, "bad-handle-pointer", -EFAULT, "at=%p", handle);
	err = twin_check_driver(driver, &object);
	if (err)
		return err;
	spin_lock_irqsave(&twin_drivers_lock, flags);
	if (find_by_name(object.name)) {
		err = -ENOTUNIQ;
	} else {
		while (slot < slots + MAX_DRIVERS && slot->used)
			slot++;
		if (slot == slots + MAX_DRIVERS) {
			err = -ENFILE;
		} else {
			slot->used = true;
			slot->unregistering = false;
			slot->state = TWIN_REGISTERED;
			slot->object = object;
			*handle = twin_driver_handle(slot);
		}
	}
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
	if (err)
		return twin_refuse(TWIN_OWNER, err == -ENFILE ? "too-many-drivers" : "name-taken",
				   err, "name=%s", object.name);
	twin_step(object.name, "register", "name=%s", object.name);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(twin_register, "TWIN");

int twin_lookup(const char *name, twin_handle *driver)
{
	char copy[TWIN_NAME_SIZE];
	struct twin_slot *slot;
	unsigned long flags;
	int err;

	err = driver ? twin_probe_string(copy, name, sizeof(copy)) : -EFAULT;
	if (err == -EFAULT)
		return twin_refuse(TWIN_OWNER, "bad-lookup-pointer", -EFAULT, "at=%p", name);
	spin_lock_irqsave(&twin_drivers_lock, flags);
	slot = err ? NULL : find_by_name(copy);
	if (slot)
		*driver = twin_driver_handle(slot) | TWIN_HANDLE_TARGET;
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
	if (!slot)
		return twin_refuse(TWIN_OWNER, "no-such-driver", -ENOENT, "name=%.*s",
				   TWIN_NAME_SIZE, copy);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(twin_lookup, "TWIN");

static int refuse_stale(twin_handle handle)
{
	return twin_refuse(TWIN_OWNER, "stale-driver-handle", -ESTALE, "handle=0x%llx", handle);
}

/* A caller inside the driver's routine must not wait for this routine to end. */
static int check_outside(twin_handle handle, const char *reason)
{
	struct twin_call *call;
	struct twin_slot *slot;
	unsigned long flags;
	bool inside = false;

	spin_lock_irqsave(&twin_drivers_lock, flags);
	slot = twin_driver_find(handle);
	if (slot) {
		inside = !slot->offer.sender_is_out && slot->offer.sender == current;
		list_for_each_entry(call, &slot->calls, node)
			inside |= call->task == current;
	}
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
	if (inside)
		return twin_refuse(TWIN_OWNER, reason, -EDEADLK, "handle=0x%llx", handle);
	return 0;
}

/* If the state is not @from, changes nothing, and returns false. */
static bool transition(struct twin_slot *slot, enum twin_state from, enum twin_state to)
{
	unsigned long flags;
	bool is_from;

	spin_lock_irqsave(&twin_drivers_lock, flags);
	is_from = slot->state == from;
	if (is_from) {
		slot->state = to;
		if (to == TWIN_REGISTERED) {
			slot->seat->holder = NULL;
			slot->seat = NULL;
		}
	}
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
	return is_from;
}

/* Makes the context free after a failed handshake, if the state is @from. */
static void unreserve(struct twin_slot *slot, enum twin_state from)
{
	if (transition(slot, from, TWIN_DETACHING)) {
		slot->seat->context->peer = (struct twin_endpoint){};
		transition(slot, TWIN_DETACHING, TWIN_REGISTERED);
	}
}

/* Of all threads that try to complete or cancel an offer, one claims it. */
static bool claim(struct twin_slot *slot)
{
	unsigned long flags;
	bool claimed;

	spin_lock_irqsave(&twin_drivers_lock, flags);
	claimed = !slot->offer.claimed;
	slot->offer.claimed = true;
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
	return claimed;
}

static void end_offer(struct twin_offer *offer, enum twin_winner winner, int status, int result)
{
	unsigned long flags;

	spin_lock_irqsave(&twin_drivers_lock, flags);
	offer->winner = winner;
	offer->status = status;
	offer->result = result;
	offer->has_ended = true;
	/* After a timeout the driver may still be busy with the offer. */
	if (winner != TWIN_WINNER_TIMEOUT)
		offer->driver_is_done = true;
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
	complete_all(&offer->ended);
}

static void wait_for_offer(struct twin_offer *offer)
{
	wait_for_completion(&offer->ended);
	wait_for_completion(&offer->sender_out);
}

/* Ends the handshake that the driver has completed with @status. Any execution context. */
static int conclude(struct twin_slot *slot, int status)
{
	static const u64 chain[] = TWIN_PEER_CHAIN;
	static const struct twin_ops ours = {
		.size = sizeof(struct twin_peer_ops), .major = 1, .chain = chain,
	};
	struct twin_owner_link *link = &slot->seat->link;
	struct twin_context *context = link->context;

	if (!status)
		status = twin_copy_ops(TWIN_OWNER, "twin-peer", &context->peer, slot->object.owner,
				       &ours, &link->copy.ops);
	if (status) {
		unreserve(slot, TWIN_ATTACHING);
		return status;
	}
	link->copy.self = context->peer.self;
	rcu_assign_pointer(link->peer, &link->copy);
	twin_step(TWIN_OWNER, "attached", "to=%s ctx=c%u", slot->object.name, context->id);
	/* After this transition, the driver can detach. */
	transition(slot, TWIN_ATTACHING, TWIN_ATTACHED);
	return 0;
}

static void trace_completion(const struct twin_slot *slot, const char *via, int status)
{
	twin_step(TWIN_OWNER, "completion", "via=%s status=%d ctx=c%u", via, status,
		  slot->seat->context->id);
}

/* If another thread is completing the offer, only waits until the offer has ended. */
static void time_out(struct twin_slot *slot)
{
	struct twin_offer *offer = &slot->offer;
	int err;

	if (claim(slot)) {
		err = twin_refuse(TWIN_OWNER, "not-completed-in-time", -ETIMEDOUT,
				  "by=%s ms=%u ctx=c%u", slot->object.name, twin_timeout,
				  slot->seat->context->id);
		transition(slot, TWIN_ATTACHING, TWIN_ABANDONED);
		end_offer(offer, TWIN_WINNER_TIMEOUT, err, err);
		/* Sender or driver, whichever is done last, gives the context back. */
		if (READ_ONCE(offer->driver_is_done))
			unreserve(slot, TWIN_ABANDONED);
	}
	wait_for_completion(&offer->ended);
}

static int send_offer(struct twin_slot *slot)
{
	struct twin_offer *offer = &slot->offer;
	bool pended;
	int err;

	err = slot->object.dispatch(slot->object.self, &offer->request);
	pended = err == -TWIN_STATUS_PENDING;
	if (!pended && claim(slot)) {
		err = twin_refuse(TWIN_OWNER, "not-completed", -EIO, "by=%s returned=%d",
				  slot->object.name, err);
		end_offer(offer, TWIN_WINNER_SENDER, err, err);
		unreserve(slot, TWIN_ATTACHING);
		return err;
	}
	if (pended && twin_completion == TWIN_LEARN_ROUTINE)
		/* The driver may have pended the offer and completed it already. */
		return completion_done(&offer->ended) ? offer->result : -EINPROGRESS;
	if (!wait_for_completion_timeout(&offer->ended, msecs_to_jiffies(twin_timeout)))
		time_out(slot);
	if (twin_completion == TWIN_LEARN_ROUTINE || offer->winner != TWIN_WINNER_DRIVER)
		/* The thread that has claimed the offer has also ended the handshake. */
		return offer->result;
	if (twin_completion == TWIN_LEARN_WAIT)
		trace_completion(slot, "wait", offer->status);
	else
		/* asked=return: even with TWIN_LEARN_RETURN, the owner waits for a pended offer. */
		trace_completion(slot, pended ? "wait asked=return" : "return", offer->status);
	return conclude(slot, offer->status);
}

static int reserve(twin_handle handle, struct twin_slot **reserved)
{
	static const struct twin_header hdr = TWIN_HEADER(struct twin_request, TWIN_REQUEST_MAGIC);
	const char *reason = NULL;
	struct twin_offer *offer;
	struct twin_slot *slot;
	unsigned long flags;
	u32 n = 0;
	int err = 0;

	spin_lock_irqsave(&twin_drivers_lock, flags);
	slot = twin_driver_find(handle);
	while (n < twin_contexts && twin_seats[n].holder)
		n++;
	if (!slot) {
		reason = "stale-driver-handle";
		err = -ESTALE;
	} else if (slot->unregistering) {
		reason = "driver-is-leaving";
		err = -ESHUTDOWN;
	} else if (slot->state != TWIN_REGISTERED || !slot->offer.sender_is_out) {
		reason = "already-attached";
		err = -EALREADY;
	} else if (n == twin_contexts) {
		reason = "no-free-context";
		err = -EBUSY;
	} else {
		slot->state = TWIN_ATTACHING;
		slot->seat = &twin_seats[n];
		slot->seat->holder = slot;
		offer = &slot->offer;
		offer->request = (struct twin_request){
			.hdr = hdr,
			.handle = (((offer->request.handle >> 32) + 1) << 32) |
				  TWIN_HANDLE_OFFER | (slot - slots),
			.major_function = TWIN_MJ_INTERNAL_DEVICE_CONTROL,
			.code = TWIN_IOCTL_SHARE_CONTEXT,
			.user_buffer = slot->seat->context,
			.driver = handle,
		};
		offer->sender = current;
		offer->claimed = false;
		offer->has_ended = false;
		offer->sender_is_out = false;
		offer->driver_is_done = false;
		reinit_completion(&offer->ended);
		reinit_completion(&offer->sender_out);
	}
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
	*reserved = slot;
	if (err)
		return twin_refuse(TWIN_OWNER, reason, err, "handle=0x%llx", handle);
	return 0;
}

int twin_attach(twin_handle driver)
{
	struct twin_slot *slot;
	unsigned long flags;
	int err;

	err = reserve(driver, &slot);
	if (err)
		return err;
	twin_step(TWIN_OWNER, "lookup", "name=%s", slot->object.name);
	twin_step(TWIN_OWNER, "build-request", "major=0x%02x code=0x%08x ctx=c%u",
		  slot->offer.request.major_function, slot->offer.request.code,
		  slot->seat->context->id);
	twin_step(TWIN_OWNER, "call-driver", "to=%s code=0x%08x ctx=c%u", slot->object.name,
		  slot->offer.request.code, slot->seat->context->id);
	err = send_offer(slot);
	spin_lock_irqsave(&twin_drivers_lock, flags);
	slot->offer.sender_is_out = true;
	complete_all(&slot->offer.sender_out);
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
	return err;
}
EXPORT_SYMBOL_NS_GPL(twin_attach, "TWIN");

int twin_check_status(int status)
{
	if (!status || (status < 0 && status >= -MAX_ERRNO && status != -TWIN_STATUS_PENDING &&
			status != -EINPROGRESS))
		return status;
	return twin_refuse(TWIN_OWNER, "bad-status", -EIO, "status=%d", status);
}

static int complete_offer(twin_handle handle, int status, u64 information)
{
	u32 index = (u32)handle & ~TWIN_HANDLE_OFFER;
	struct twin_slot *slot = NULL;
	bool stale = true, late = false;
	unsigned long flags;
	int err = 0;

	spin_lock_irqsave(&twin_drivers_lock, flags);
	if (index < MAX_DRIVERS && slots[index].used &&
	    slots[index].offer.request.handle == handle && !slots[index].offer.driver_is_done) {
		slot = &slots[index];
		slot->offer.driver_is_done = true;
		stale = slot->offer.claimed;
		late = stale && slot->offer.has_ended;
		slot->offer.claimed = true;
	}
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
	if (late)
		unreserve(slot, TWIN_ABANDONED);
	if (stale)
		return twin_refuse(TWIN_OWNER, "stale-request-handle", -ESTALE, "handle=0x%llx",
				   handle);
	status = twin_check_status(status);
	twin_step(slot->object.name, "complete", "status=%d info=%llu ctx=c%u", status,
		  information, slot->seat->context->id);
	if (twin_completion == TWIN_LEARN_ROUTINE) {
		trace_completion(slot, "routine", status);
		err = conclude(slot, status);
	}
	end_offer(&slot->offer, TWIN_WINNER_DRIVER, status, err);
	return err;
}

int twin_complete(twin_handle request, int status, u64 information)
{
	if (request & TWIN_HANDLE_HOLDER)
		return twin_requests_complete(request, status, information);
	return complete_offer(request, status, information);
}
EXPORT_SYMBOL_NS_GPL(twin_complete, "TWIN");

/*
 * Returns false if another thread completes the offer instead. In any case, waits until the offer
 * has ended and its sender has left send_offer().
 */
static bool cancel_offer(struct twin_slot *slot)
{
	bool claimed = claim(slot);

	if (claimed) {
		twin_step(TWIN_OWNER, "cancel", "to=%s ctx=c%u", slot->object.name,
			  slot->seat->context->id);
		end_offer(&slot->offer, TWIN_WINNER_CANCEL, -ECANCELED, -ECANCELED);
	}
	wait_for_offer(&slot->offer);
	if (claimed)
		unreserve(slot, TWIN_ATTACHING);
	return claimed;
}

static void revoke_handles(const char *name, struct twin_context *context,
			   struct twin_queue *queue)
{
	u32 i, end, revoked = 0;
	struct twin_item *item;
	unsigned long flags;

	/* Release the lock after each TWIN_MAX_BATCH items, so that interrupts can run. */
	for (i = 0; i < queue->capacity && READ_ONCE(queue->handle_count);) {
		end = min(i + TWIN_MAX_BATCH, queue->capacity);
		spin_lock_irqsave(&queue->lock, flags);
		for (; i < end; i++) {
			item = twin_queue_item(queue, i);
			if (!item->handle_state)
				continue;
			item->handle_state = 0;
			queue->handle_count--;
			list_add_tail(&item->node, &queue->free);
			revoked++;
		}
		spin_unlock_irqrestore(&queue->lock, flags);
	}
	if (revoked)
		twin_step(TWIN_OWNER, "drain", "ctx=c%u queue=%s revoked=%u", context->id, name,
			  revoked);
}

static void take_context_back(struct twin_slot *slot)
{
	struct twin_owner_link *link = &slot->seat->link;
	struct twin_context *context = link->context;

	rcu_assign_pointer(link->peer, NULL);
	/* A normal grace period takes too long for a driver that detaches. */
	synchronize_srcu_expedited(&link->srcu);
	/* The driver's dispatch routine may still run after it has completed the request. */
	wait_for_offer(&slot->offer);
	twin_step(TWIN_OWNER, "rundown", "of=%s ctx=c%u", slot->object.name, context->id);
	context->peer = (struct twin_endpoint){};
	revoke_handles("to_peer", context, &context->to_peer);
	revoke_handles("to_owner", context, &context->to_owner);
	twin_queue_set_doorbell(&context->to_peer, 0);
	transition(slot, TWIN_DETACHING, TWIN_REGISTERED);
}

int twin_detach(twin_handle driver)
{
	enum twin_state before = TWIN_REGISTERED;
	struct twin_slot *slot;
	unsigned long flags;
	int err;

	might_sleep();
	for (;;) {
		err = check_outside(driver, "detach-from-inside");
		if (err)
			return err;
		spin_lock_irqsave(&twin_drivers_lock, flags);
		slot = twin_driver_find(driver);
		if (slot) {
			before = slot->state;
			if (before == TWIN_ATTACHED)
				slot->state = TWIN_DETACHING;
			else if (before == TWIN_ABANDONED)
				slot->offer.driver_is_done = true;
		}
		spin_unlock_irqrestore(&twin_drivers_lock, flags);
		if (!slot)
			return refuse_stale(driver);
		switch (before) {
		case TWIN_REGISTERED:
			return twin_refuse(TWIN_OWNER, "not-attached", -ENOTCONN, "name=%s",
					   slot->object.name);
		case TWIN_DETACHING:
			return twin_refuse(TWIN_OWNER, "already-detaching", -EALREADY, "name=%s",
					   slot->object.name);
		case TWIN_ATTACHED:
			twin_step(slot->object.name, "detach", "ctx=c%u", slot->seat->context->id);
			twin_requests_cancel_all(driver);
			take_context_back(slot);
			return 0;
		case TWIN_ABANDONED:
			twin_step(slot->object.name, "detach", "ctx=c%u", slot->seat->context->id);
			unreserve(slot, TWIN_ABANDONED);
			return 0;
		case TWIN_ATTACHING:
			if (cancel_offer(slot))
				return 0;
			/* The offer is completed, but the driver is not attached yet: try again. */
			fsleep(USEC_PER_MSEC);
			break;
		}
	}
}
EXPORT_SYMBOL_NS_GPL(twin_detach, "TWIN");

static bool remove_driver(struct twin_slot *slot)
{
	unsigned long flags;
	bool removed;

	spin_lock_irqsave(&twin_drivers_lock, flags);
	removed = list_empty(&slot->calls);
	if (removed) {
		slot->used = false;
		slot->generation = slot->generation + 1 ?: 1;
	}
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
	return removed;
}

int twin_unregister(twin_handle driver)
{
	const char *reason = NULL;
	char name[TWIN_NAME_SIZE];
	struct twin_slot *slot;
	unsigned long flags;
	int err;

	might_sleep();
	err = check_outside(driver, "unregister-from-inside");
	if (err)
		return err;
	spin_lock_irqsave(&twin_drivers_lock, flags);
	slot = twin_driver_find(driver);
	if (slot && slot->state == TWIN_ABANDONED && slot->offer.sender_is_out) {
		slot->offer.driver_is_done = true;
		slot->seat->context->peer = (struct twin_endpoint){};
		slot->seat->holder = NULL;
		slot->seat = NULL;
		slot->state = TWIN_REGISTERED;
	}
	if (!slot) {
		reason = "stale-driver-handle";
		err = -ESTALE;
	} else if (slot->unregistering) {
		reason = "already-unregistering";
		err = -EALREADY;
	} else if (slot->state != TWIN_REGISTERED || !slot->offer.sender_is_out) {
		reason = "still-attached";
		err = -EBUSY;
	} else {
		slot->unregistering = true;
		strscpy(name, slot->object.name);
	}
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
	if (err)
		return twin_refuse(TWIN_OWNER, reason, err, "handle=0x%llx", driver);
	/* Close the events first, because a routine of the driver may be waiting for one. */
	twin_events_close_all(driver);
	do {
		twin_requests_clear_and_free(driver);
	} while (!remove_driver(slot));
	twin_step(name, "unregister", "name=%s", name);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(twin_unregister, "TWIN");
