// SPDX-License-Identifier: GPL-2.0
/*
 * Part of the fuzzer (fuzz.h). The handshake, and plays with a context. The owner may call a
 * driver's operations from the handshake's completion until d2d_detach() has returned.
 */
#include <linux/delay.h>
#include <linux/string.h>

#include "d2d_hot_step.h"
#include "d2d_queue.h"
#include "fuzz.h"

static atomic_t handshakes;

/* Called first by each operation: the owner may call the driver only while it has a context. */
static void enter(void *this, const char *op)
{
	struct fuzz_registration *reg = this;

	fuzz_begin_routine(reg, op);
	if (!atomic_read(&reg->adopted_in))
		fuzz_violation("operation-after-detach", "op=%s name=%s", op, reg->object.name);
}

static int ping(void *this, u32 value, u32 *result)
{
	enter(this, "ping");
	*result = value + 1;
	fuzz_end_routine(this, "ping");
	return 0;
}

static int bounce(void *this, u32 hops, u32 *result)
{
	enter(this, "bounce");
	*result = 0;
	fuzz_end_routine(this, "bounce");
	return 0;
}

static int drain(void *this, u32 *result)
{
	enter(this, "drain");
	*result = 0;
	fuzz_end_routine(this, "drain");
	return 0;
}

static const u64 chain[] = D2D_PAIR_PEER_CHAIN;

static const struct d2d_pair_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_peer_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, chain),
	.ping = ping,
	.bounce = bounce,
	.drain = drain,
};

/* If this fails, or @status is not 0, the driver has no context. */
static void complete_offer(struct fuzz_caller *caller, const struct fuzz_kept *offer, int status)
{
	struct fuzz_pick hold = fuzz_pick_hold(offer->handle);

	if (fuzz_complete(caller, &hold, status, 0) || status)
		atomic_cmpxchg(&offer->reg->adopted_in, offer->handshake, 0);
}

int fuzz_share(struct fuzz_caller *caller, struct fuzz_registration *reg,
	       const struct d2d_request *request)
{
	struct fuzz_pick hold = fuzz_pick_hold(request->handle);
	struct d2d_context *context = request->user_buffer;
	u32 chance = fuzz_below(caller, 100);
	struct fuzz_kept kept = {
		.handle = request->handle,
		.reg = reg,
		.is_offer = true,
		.for_ever = fuzz_chance(caller, 40),
	};
	int status = 0;

	if (chance < 10)
		return -EIO;
	if (chance < 20) {
		fuzz_complete(caller, &hold, -EPERM, 0);
		return -EPERM;
	}
	context->peer.ops = &ops.hdr;
	context->peer.self = reg;
	kept.handshake = atomic_inc_return(&handshakes);
	atomic_inc(&reg->context_closed);
	WRITE_ONCE(reg->context, context);
	atomic_set(&reg->adopted_in, kept.handshake);
	if (chance < 40 && fuzz_keep(&kept))
		status = -D2D_STATUS_PENDING;
	else
		complete_offer(caller, &kept, 0);
	atomic_dec(&reg->context_closed);
	return status;
}

/*
 * Completes an offer that a driver has kept. If another caller uses the context now, keeps the
 * offer again.
 */
void fuzz_complete_offer(struct fuzz_caller *caller, const struct fuzz_kept *offer, int status)
{
	struct fuzz_registration *reg = offer->reg;

	atomic_inc(&reg->context_closed);
	/* Pairs with use(). */
	smp_mb__after_atomic();
	if (atomic_read(&reg->context_users))
		fuzz_keep(offer);
	else
		complete_offer(caller, offer, status);
	atomic_dec(&reg->context_closed);
}

void fuzz_play_attach(struct fuzz_caller *caller)
{
	struct fuzz_pick driver = fuzz_pick(caller, FUZZ_DRIVER, false);
	struct fuzz_watch watch = {
		.call = FUZZ_ATTACH,
		.handle = driver.handle,
		.limit = 1000,
		.player = caller->player,
	};
	int err;

	fuzz_watch_begins(&watch);
	err = d2d_attach(driver.handle);
	fuzz_watch_ended(&watch);
	fuzz_judge(caller, FUZZ_ATTACH, err, &driver, 1, false);
	fuzz_unpick(&driver);
}

/*
 * Keeps use() from returning the context until fuzz_open_context(), and waits until no play uses
 * it. May sleep.
 */
void fuzz_close_context(struct fuzz_registration *reg)
{
	atomic_inc(&reg->context_closed);
	/* Pairs with use(): the loop sees the user, or use() sees that the context is closed. */
	smp_mb__after_atomic();
	while (atomic_read(&reg->context_users))
		usleep_range(10, 50);
}

void fuzz_open_context(struct fuzz_registration *reg)
{
	atomic_dec(&reg->context_closed);
}

int fuzz_detach(struct fuzz_caller *caller, struct fuzz_pick *driver)
{
	struct fuzz_registration *reg = driver->thing ? driver->thing->reg : NULL;
	struct fuzz_watch watch = {
		.call = FUZZ_DETACH,
		.handle = driver->handle,
		.limit = 1000,
		.player = caller->player,
	};
	int before = 0, err;

	if (reg) {
		atomic_inc(&reg->detaching);
		/* Pairs with is_detaching(), which reads the two counts in the reverse order. */
		smp_wmb();
		atomic_inc(&reg->detaches_begun);
		fuzz_close_context(reg);
		before = atomic_read(&reg->adopted_in);
	}
	fuzz_watch_begins(&watch);
	err = d2d_detach(driver->handle);
	fuzz_watch_ended(&watch);
	fuzz_judge(caller, FUZZ_DETACH, err, driver, 1, false);
	if (reg) {
		/*
		 * During the call, the driver may have got another context, which d2d_detach() may
		 * have taken away, too. So do not use that context.
		 */
		if (!err && atomic_cmpxchg(&reg->adopted_in, before, 0) != before)
			WRITE_ONCE(reg->context, NULL);
		atomic_dec(&reg->detaching);
		fuzz_open_context(reg);
	}
	return err;
}

void fuzz_play_detach(struct fuzz_caller *caller)
{
	struct fuzz_pick driver = fuzz_pick(caller, FUZZ_DRIVER, false);

	fuzz_detach(caller, &driver);
	fuzz_unpick(&driver);
}

/* Returns NULL if no play may use the context now. */
static struct d2d_context *use(struct fuzz_registration *reg)
{
	struct d2d_context *context;

	atomic_inc(&reg->context_users);
	/* Pairs with fuzz_close_context() and fuzz_complete_offer(). */
	smp_mb__after_atomic();
	context = READ_ONCE(reg->context);
	if (context && atomic_read(&reg->adopted_in) && !atomic_read(&reg->context_closed) &&
	    !READ_ONCE(reg->unregistered))
		return context;
	atomic_dec(&reg->context_users);
	return NULL;
}

static void use_ended(struct fuzz_registration *reg)
{
	atomic_dec(&reg->context_users);
}

static void call_owner(struct fuzz_caller *caller, struct d2d_context *context)
{
	const struct d2d_pair_owner_ops *owner;
	u32 result;

	owner = container_of_const(context->owner.ops, struct d2d_pair_owner_ops, hdr);
	switch (fuzz_below(caller, 3)) {
	case 0:
		d2d_trace(D2D_RECORD(THIS_MODULE->name, OP_CALL, D2D_RECORD_HOT,
				     D2D_TEXT(TO, "owner"), D2D_TEXT(OP, "ping")));
		if (owner->ping(context->owner.self, 1, &result) || result != 2)
			fuzz_violation("wrong-result-of-operation", "op=ping result=%u", result);
		break;
	case 1:
		owner->bounce(context->owner.self, fuzz_below(caller, 3), &result);
		break;
	default:
		owner->drain(context->owner.self, &result);
		break;
	}
}

static void take_item(struct fuzz_caller *caller, struct d2d_queue *queue)
{
	d2d_handle handle = d2d_queue_take(queue);
	bool redeem = fuzz_chance(caller, 60);

	if (!handle)
		return;
	fuzz_note_seen(handle, FUZZ_ITEM);
	/* The handle is live here: the driver does not detach while a call uses the context. */
	if (redeem && !d2d_queue_redeem(queue, handle))
		fuzz_violation("live-item-not-redeemed", "handle=0x%llx", handle);
	if (redeem && d2d_queue_redeem(queue, handle))
		fuzz_violation("item-redeemed-twice", "handle=0x%llx", handle);
	if (d2d_queue_release(queue, handle))
		fuzz_violation("live-item-not-released", "handle=0x%llx", handle);
	if (!d2d_queue_release(queue, handle))
		fuzz_violation("item-released-twice", "handle=0x%llx", handle);
	fuzz_note_dead(FUZZ_ITEM, handle);
}

void fuzz_play_link(struct fuzz_caller *caller)
{
	struct fuzz_pick driver = fuzz_pick(caller, FUZZ_DRIVER, true);
	struct fuzz_registration *reg = driver.thing ? driver.thing->reg : NULL;
	struct d2d_context *context = reg ? use(reg) : NULL;
	struct fuzz_pick other = { .origin = FUZZ_ZERO };
	u64 number = 8;
	int err;

	if (!context)
		goto out;
	switch (fuzz_below(caller, 6)) {
	case 0:
	case 1:
		err = d2d_queue_put(&context->to_owner, D2D_PAIR_KIND_NOTE, &number,
				    sizeof(number));
		if (err && err != -ENOSPC)
			fuzz_violation("undocumented-errno", "call=d2d_queue_put err=%d", err);
		break;
	case 2:
		take_item(caller, &context->to_peer);
		break;
	case 3:
		/* The handle of another thing, or of an item that was released */
		other = fuzz_pick(caller, FUZZ_ITEM, true);
		if (other.origin != FUZZ_FOREIGN && other.origin != FUZZ_GUESSED &&
		    !d2d_queue_release(&context->to_peer, other.handle))
			fuzz_violation("wrong-handle-accepted",
				       "call=d2d_queue_release handle=0x%llx", other.handle);
		break;
	case 4:
		other = fuzz_pick(caller, FUZZ_EVENT, true);
		d2d_queue_set_doorbell(&context->to_peer, other.handle);
		break;
	default:
		call_owner(caller, context);
		break;
	}
	use_ended(reg);
out:
	fuzz_unpick(&other);
	fuzz_unpick(&driver);
}
