// SPDX-License-Identifier: GPL-2.0
/* Part of the fuzzer (fuzz.h). The oracle: rules that hold, whatever the drivers do. */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "fuzz.h"

#define LINES		12
#define LINE		160
#define SEEN		16384
#define SENDINGS	4096
#define HOLDS		4096

static char lines[LINES][LINE];
static u32 violations;
static DEFINE_SPINLOCK(lines_lock);

void fuzz_violation(const char *kind, const char *fmt, ...)
{
	struct va_format detail = { .fmt = fmt };
	char text[LINE];
	unsigned long flags;
	va_list args;
	u32 n;

	va_start(args, fmt);
	detail.va = &args;
	scnprintf(text, sizeof(text), "violation=%s %pV", kind, &detail);
	va_end(args);
	spin_lock_irqsave(&lines_lock, flags);
	n = violations++;
	if (n < LINES)
		strscpy(lines[n], text);
	spin_unlock_irqrestore(&lines_lock, flags);
	if (n < LINES)
		pr_err("%s: fuzz: %s seed=%llu\n", THIS_MODULE->name, text, fuzz_seed);
}

u32 fuzz_violations(void)
{
	return READ_ONCE(violations);
}

ssize_t fuzz_report(char *text, size_t size)
{
	ssize_t used = scnprintf(text, size, "violations=%u\n", violations);

	for (u32 n = 0; n < min(violations, LINES); n++)
		used += scnprintf(text + used, size - used, "%s\n", lines[n]);
	return used;
}

/* d2d_request_read() takes the sender's handle, and also the receiver's. */
static bool takes_both_kinds(enum fuzz_call call, d2d_handle handle)
{
	u32 kind = (u32)handle >> D2D_HANDLE_KIND_SHIFT;

	return call == FUZZ_REQUEST_READ && (kind == D2D_HANDLE_SENT || kind == D2D_HANDLE_HELD);
}

static bool must_refuse_after_leave(enum fuzz_call call)
{
	switch (call) {
	case FUZZ_ATTACH:
	case FUZZ_REQUEST_ALLOC:
	case FUZZ_REQUEST_SEND:
	case FUZZ_REQUEST_CALL:
	case FUZZ_REQUEST_FORWARD:
	case FUZZ_EVENT_CREATE:
	case FUZZ_EVENT_OPEN:
		return true;
	default:
		return false;
	}
}

bool fuzz_is_leaving(const struct fuzz_pick *pick)
{
	struct fuzz_registration *reg = pick->thing ? READ_ONCE(pick->thing->reg) : NULL;

	return reg && atomic_read(&reg->leaving);
}

/* @call_ends_thing: the function ends the things that @picks name. */
void fuzz_judge(struct fuzz_caller *caller, enum fuzz_call call, int err,
		const struct fuzz_pick *picks, u32 count, bool call_ends_thing)
{
	bool accepted = err >= 0 || err == -EINPROGRESS;
	bool live = true, leaving = false;

	fuzz_count(call, err, picks, count);
	if (!fuzz_is_documented(call, err))
		fuzz_violation("undocumented-errno", "call=%s err=%d handle=0x%llx player=%u",
			       fuzz_call_name(call), err, count ? picks->handle : 0,
			       caller->player);
	for (u32 n = 0; n < count; n++) {
		live &= fuzz_is_live(&picks[n], call_ends_thing);
		leaving |= fuzz_is_leaving(&picks[n]);
		if (accepted && picks[n].driver_had_left && must_refuse_after_leave(call))
			fuzz_violation("driver-had-left", "call=%s err=%d handle=0x%llx player=%u",
				       fuzz_call_name(call), err, picks[n].handle, caller->player);
		switch (picks[n].origin) {
		case FUZZ_OTHER:
			if (takes_both_kinds(call, picks[n].handle))
				break;
			fallthrough;
		case FUZZ_DEAD:
		case FUZZ_ALTERED:
		case FUZZ_ZERO:
			if (accepted)
				fuzz_violation("wrong-handle-accepted",
					       "call=%s err=%d handle=0x%llx which=%s player=%u",
					       fuzz_call_name(call), err, picks[n].handle,
					       fuzz_origin_name(picks[n].origin), caller->player);
			break;
		default:
			break;
		}
	}
	if (count && live && (err == -ESTALE || (err == -ESHUTDOWN && !leaving)))
		fuzz_violation("live-handle-refused", "call=%s err=%d handle=0x%llx player=%u",
			       fuzz_call_name(call), err, picks->handle, caller->player);
}

/* Handles of this module, hashed. A new handle replaces the one in its place. */
static struct {
	d2d_handle handle;
	enum fuzz_kind kind;
} seen[SEEN];
static DEFINE_SPINLOCK(seen_lock);

/* The owner must never give one handle to two things. */
void fuzz_note_seen(d2d_handle handle, enum fuzz_kind kind)
{
	u32 place = fuzz_mix(handle) % SEEN;
	enum fuzz_kind other = kind;
	unsigned long flags;
	bool again;

	spin_lock_irqsave(&seen_lock, flags);
	again = seen[place].handle == handle;
	if (again)
		other = seen[place].kind;
	seen[place].handle = handle;
	seen[place].kind = kind;
	spin_unlock_irqrestore(&seen_lock, flags);
	if (again)
		fuzz_violation("handle-given-twice", "handle=0x%llx kinds=%d,%d", handle, other,
			       kind);
}

/* Sends, by tag. A new send replaces the one in its place. */
static struct sending {
	u64 tag;
	u32 flags;
	u32 completed;
	bool dispatched;
	bool refused;
	bool has_result;
	struct d2d_result result;
} sendings[SENDINGS];
static u64 last_tag;

#define TAG_NUMBER	0xffffffffffffull
static DEFINE_SPINLOCK(sendings_lock);

static struct sending *find_sending(u64 tag)
{
	struct sending *sending = &sendings[(u32)tag % SENDINGS];

	return sending->tag == tag ? sending : NULL;
}

/* A tag has the module's digit, a bit that is set if the owner is the receiver, and a number. */
u64 fuzz_send_begins(struct fuzz_caller *caller, struct fuzz_pick *request, u32 flags,
		     bool to_owner)
{
	struct sending *sending;
	unsigned long irq;
	u64 tag;

	spin_lock_irqsave(&sendings_lock, irq);
	tag = (++last_tag & TAG_NUMBER) | (u64)to_owner << 48 |
	      (u64)FUZZ_MODULE_DIGIT << 56;
	sending = &sendings[(u32)tag % SENDINGS];
	*sending = (struct sending){ .tag = tag, .flags = flags };
	if (request->thing && flags & D2D_SEND_ROUTINE)
		atomic_inc(&request->thing->completions_due);
	spin_unlock_irqrestore(&sendings_lock, irq);
	return tag;
}

void fuzz_send_ended(u64 tag, struct fuzz_pick *request, u32 flags, int err)
{
	bool completed = false, dispatched = false;
	struct sending *sending;
	unsigned long irq;

	if (!err || err == -EINPROGRESS)
		return;
	spin_lock_irqsave(&sendings_lock, irq);
	sending = find_sending(tag);
	if (sending) {
		completed = sending->completed;
		dispatched = sending->dispatched;
		sending->refused = true;
	}
	if (request->thing && flags & D2D_SEND_ROUTINE)
		atomic_dec(&request->thing->completions_due);
	spin_unlock_irqrestore(&sendings_lock, irq);
	if (completed)
		fuzz_violation("completed-without-sending", "tag=0x%llx err=%d", tag, err);
	if (dispatched)
		fuzz_violation("dispatched-without-sending", "tag=0x%llx err=%d", tag, err);
}

/*
 * The owner must not have refused the send. The sender must have sent the request before this
 * driver left. The oracle does not check when a driver forwarded it.
 */
static void note_dispatched(u64 tag, struct fuzz_registration *reg)
{
	u64 left_tag = READ_ONCE(reg->tag_when_left);
	struct sending *sending;
	bool refused = false;
	unsigned long irq;

	if (!fuzz_is_own_tag(tag))
		return;
	spin_lock_irqsave(&sendings_lock, irq);
	sending = find_sending(tag);
	if (sending) {
		refused = sending->refused;
		sending->dispatched = true;
	}
	spin_unlock_irqrestore(&sendings_lock, irq);
	if (refused)
		fuzz_violation("dispatched-without-sending", "tag=0x%llx", tag);
	if (left_tag && (tag & TAG_NUMBER) > (left_tag & TAG_NUMBER))
		fuzz_violation("sent-to-a-driver-that-left", "tag=0x%llx name=%s", tag,
			       reg->object.name);
}

void fuzz_note_left(struct fuzz_registration *reg)
{
	unsigned long irq;

	spin_lock_irqsave(&sendings_lock, irq);
	if (!reg->tag_when_left)
		WRITE_ONCE(reg->tag_when_left, last_tag);
	spin_unlock_irqrestore(&sendings_lock, irq);
	WRITE_ONCE(reg->has_left, true);
}

static bool is_outcome(u64 tag, const struct d2d_result *result)
{
	bool to_owner = tag >> 48 & 1;

	switch (result->status) {
	case 0:
		return to_owner || result->information == fuzz_information(tag);
	case -EPERM:
	case -ENXIO:
	case -EPIPE:
	case -EIO:
	case -ECANCELED:
	case -ETIMEDOUT:
		return true;
	default:
		return to_owner;
	}
}

static bool status_fits_ending(u64 tag, const struct d2d_result *result)
{
	bool to_owner = tag >> 48 & 1;

	switch (result->ended) {
	case D2D_ENDED_COMPLETED:
		return to_owner || (result->status != -ECANCELED && result->status != -ETIMEDOUT);
	case D2D_ENDED_CANCELLED:
	case D2D_ENDED_LEFT:
		return result->status == -ECANCELED;
	case D2D_ENDED_TIMED_OUT:
		return result->status == -ETIMEDOUT;
	case D2D_ENDED_NOT_COMPLETED:
		return result->status == -EIO;
	default:
		return false;
	}
}

static void check_result(u64 tag, const struct d2d_result *result)
{
	if (!status_fits_ending(tag, result))
		fuzz_violation("status-contradicts-ending", "tag=0x%llx status=%d ended=%u", tag,
			       result->status, result->ended);
	if (result->tag != tag)
		fuzz_violation("result-of-another-send", "tag=0x%llx other=0x%llx", tag,
			       result->tag);
	if (!is_outcome(tag, result))
		fuzz_violation("impossible-result", "tag=0x%llx status=%d information=0x%llx",
			       tag, result->status, result->information);
}

void fuzz_note_completed(u64 tag, struct fuzz_thing *thing, const struct d2d_result *result)
{
	bool again = false, unasked = false;
	struct sending *sending;
	unsigned long irq;
	int due = 0;

	check_result(tag, result);
	spin_lock_irqsave(&sendings_lock, irq);
	sending = find_sending(tag);
	if (sending) {
		again = sending->completed++;
		unasked = !(sending->flags & D2D_SEND_ROUTINE);
	}
	if (thing)
		due = atomic_dec_return(&thing->completions_due);
	spin_unlock_irqrestore(&sendings_lock, irq);
	if (again || due < 0)
		fuzz_violation("completed-twice", "tag=0x%llx due=%d", tag, due);
	if (unasked)
		fuzz_violation("completed-unasked", "tag=0x%llx", tag);
}

/* All waits for the same send must get the same result. */
void fuzz_note_result(u64 tag, const struct d2d_result *result)
{
	struct d2d_result before = *result;
	struct sending *sending;
	unsigned long irq;

	check_result(tag, result);
	spin_lock_irqsave(&sendings_lock, irq);
	sending = find_sending(tag);
	if (sending && sending->has_result) {
		before = sending->result;
	} else if (sending) {
		sending->has_result = true;
		sending->result = *result;
	}
	spin_unlock_irqrestore(&sendings_lock, irq);
	if (memcmp(&before, result, sizeof(before)))
		fuzz_violation("two-results", "tag=0x%llx status=%d,%d", tag, before.status,
			       result->status);
}

/* Received requests, hashed by handle. A new one replaces the one in its place. */
static struct hold {
	d2d_handle handle;
	u64 tag;
	bool finished;
	bool cancel_set;
	bool cancelled;
} holds[HOLDS];
static DEFINE_SPINLOCK(holds_lock);

/* Each time the owner calls `dispatch` or `returned`, the handle of the request must be new. */
void fuzz_note_hold(d2d_handle handle, u64 tag, struct fuzz_registration *reg)
{
	struct hold *hold = &holds[fuzz_mix(handle) % HOLDS];
	unsigned long flags;
	bool again;

	spin_lock_irqsave(&holds_lock, flags);
	again = hold->handle == handle;
	*hold = (struct hold){ .handle = handle, .tag = tag };
	spin_unlock_irqrestore(&holds_lock, flags);
	if (again)
		fuzz_violation("routine-called-twice", "handle=0x%llx tag=0x%llx", handle, tag);
	note_dispatched(tag, reg);
}

/* Returns whether a driver has completed a request, or knows that it was cancelled. */
bool fuzz_is_finished(d2d_handle handle)
{
	struct hold *hold = &holds[fuzz_mix(handle) % HOLDS];
	unsigned long flags;
	bool finished;

	spin_lock_irqsave(&holds_lock, flags);
	finished = hold->handle == handle && (hold->finished || hold->cancelled);
	spin_unlock_irqrestore(&holds_lock, flags);
	return finished;
}

void fuzz_note_finished(d2d_handle handle)
{
	struct hold *hold = &holds[fuzz_mix(handle) % HOLDS];
	bool again = false, cancelled = false;
	unsigned long flags;

	spin_lock_irqsave(&holds_lock, flags);
	if (hold->handle == handle) {
		again = hold->finished;
		cancelled = hold->cancelled;
		hold->finished = true;
	}
	spin_unlock_irqrestore(&holds_lock, flags);
	if (again)
		fuzz_violation("finished-twice", "handle=0x%llx", handle);
	if (cancelled)
		fuzz_violation("finished-and-cancelled", "handle=0x%llx", handle);
}

/* From then on, the owner may call `cancelled` for the request. */
void fuzz_note_set_cancel(d2d_handle handle)
{
	struct hold *hold = &holds[fuzz_mix(handle) % HOLDS];
	unsigned long flags;

	spin_lock_irqsave(&holds_lock, flags);
	if (hold->handle == handle)
		hold->cancel_set = true;
	spin_unlock_irqrestore(&holds_lock, flags);
}

void fuzz_note_cancelled(d2d_handle handle)
{
	struct hold *hold = &holds[fuzz_mix(handle) % HOLDS];
	bool again = false, unasked = false, finished = false;
	unsigned long flags;

	spin_lock_irqsave(&holds_lock, flags);
	if (hold->handle == handle) {
		again = hold->cancelled;
		unasked = !hold->cancel_set;
		finished = hold->finished;
		hold->cancelled = true;
	}
	spin_unlock_irqrestore(&holds_lock, flags);
	if (again)
		fuzz_violation("cancelled-twice", "handle=0x%llx", handle);
	if (unasked)
		fuzz_violation("cancelled-unasked", "handle=0x%llx", handle);
	if (finished)
		fuzz_violation("finished-and-cancelled", "handle=0x%llx", handle);
}

static LIST_HEAD(watches);
static DEFINE_SPINLOCK(watches_lock);

void fuzz_watch_begins(struct fuzz_watch *watch)
{
	unsigned long flags;

	watch->since = ktime_get_ns();
	watch->reported = false;
	spin_lock_irqsave(&watches_lock, flags);
	list_add(&watch->node, &watches);
	spin_unlock_irqrestore(&watches_lock, flags);
}

static bool is_overdue(const struct fuzz_watch *watch)
{
	u64 ms = (ktime_get_ns() - watch->since) / NSEC_PER_MSEC;

	if (watch->limit == D2D_FOREVER)
		return false;
	return ms > watch->limit + FUZZ_MARGIN_MS;
}

void fuzz_watch_ended(struct fuzz_watch *watch)
{
	unsigned long flags;

	spin_lock_irqsave(&watches_lock, flags);
	list_del(&watch->node);
	spin_unlock_irqrestore(&watches_lock, flags);
	if (is_overdue(watch) && !watch->reported)
		fuzz_violation("call-exceeds-its-limit", "call=%s handle=0x%llx limit=%u player=%u",
			       fuzz_call_name(watch->call), watch->handle, watch->limit,
			       watch->player);
}

/* Reports each call that has exceeded its limit, once. Returns how many calls with a limit run. */
u32 fuzz_watchdog(void)
{
	struct fuzz_watch *watch, found;
	unsigned long flags;
	bool is_found;
	u32 count;

	do {
		is_found = false;
		count = 0;
		spin_lock_irqsave(&watches_lock, flags);
		list_for_each_entry(watch, &watches, node) {
			count += watch->limit != D2D_FOREVER;
			if (watch->reported || !is_overdue(watch))
				continue;
			watch->reported = true;
			found = *watch;
			is_found = true;
			break;
		}
		spin_unlock_irqrestore(&watches_lock, flags);
		if (is_found)
			fuzz_violation("call-exceeds-its-limit",
				       "call=%s handle=0x%llx limit=%u player=%u",
				       fuzz_call_name(found.call), found.handle, found.limit,
				       found.player);
	} while (is_found);
	return count;
}

/*
 * Measures in jiffies, as the kernel does for the limit. If ticks are late, the kernel counts
 * several at once. So by another clock, the wait may have been shorter.
 */
void fuzz_check_timed_out(enum fuzz_call call, unsigned long since, u32 ms)
{
	unsigned long passed = jiffies - since;

	if (passed < msecs_to_jiffies(ms))
		fuzz_violation("wait-ends-early", "call=%s jiffies=%lu ms=%u", fuzz_call_name(call),
			       passed, ms);
}

void fuzz_oracle_reset(void)
{
	memset(lines, 0, sizeof(lines));
	memset(seen, 0, sizeof(seen));
	memset(sendings, 0, sizeof(sendings));
	memset(holds, 0, sizeof(holds));
	violations = 0;
}
