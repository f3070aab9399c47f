// SPDX-License-Identifier: GPL-2.0
/*
 * Part of the fuzzer (fuzz.h). Calls each exported function, and lets the oracle judge the result.
 * The watchdog watches calls that may take long.
 */
#include <linux/jiffies.h>
#include <linux/string.h>

#include "fuzz.h"

#define MOST_EVENTS	8

static struct fuzz_watch watch_of(struct fuzz_caller *caller, enum fuzz_call call,
				  d2d_handle handle, u32 limit)
{
	return (struct fuzz_watch){
		.call = call,
		.handle = handle,
		.limit = limit,
		.player = caller->player,
	};
}

int fuzz_request_alloc(struct fuzz_caller *caller, struct fuzz_pick *driver, u32 input, u32 output,
		       d2d_handle *handle)
{
	int err = d2d_request_alloc(driver->handle, input, output, handle);

	fuzz_judge(caller, FUZZ_REQUEST_ALLOC, err, driver, 1, false);
	return err;
}

int fuzz_request_send(struct fuzz_caller *caller, struct fuzz_pick *request,
		      struct fuzz_pick *target, struct d2d_send *send)
{
	struct fuzz_watch watch = watch_of(caller, FUZZ_REQUEST_SEND, request->handle,
					   FUZZ_LONGEST_MS);
	const struct fuzz_pick picks[] = { *request, *target };
	int err;

	send->to = target->handle;
	fuzz_watch_begins(&watch);
	err = d2d_request_send(request->handle, send);
	fuzz_watch_ended(&watch);
	fuzz_judge(caller, FUZZ_REQUEST_SEND, err, picks, 2, false);
	return err;
}

/* The owner must refuse the flag D2D_SEND_ROUTINE. With D2D_SEND_ATOMIC, it must not wait. */
int fuzz_request_call(struct fuzz_caller *caller, struct fuzz_pick *request,
		      struct fuzz_pick *target, struct d2d_send *send, struct fuzz_answer *answer)
{
	bool waits = !(send->flags & D2D_SEND_ATOMIC);
	struct fuzz_watch watch = watch_of(caller, FUZZ_REQUEST_CALL, request->handle,
					   waits ? answer->ms : FUZZ_LONGEST_MS);
	const struct fuzz_pick picks[] = { *request, *target };
	unsigned long since = jiffies;
	int err;

	send->to = target->handle;
	fuzz_watch_begins(&watch);
	err = d2d_request_call(request->handle, send, answer->ms, &answer->result, answer->output,
			       answer->room);
	fuzz_watch_ended(&watch);
	fuzz_judge(caller, FUZZ_REQUEST_CALL, err, picks, 2, false);
	fuzz_check_answer(send->tag, err, answer);
	if (!err)
		fuzz_note_result(answer->result.tag, &answer->result);
	if (err == -EINPROGRESS && waits)
		fuzz_check_timed_out(FUZZ_REQUEST_CALL, since, answer->ms);
	if (send->flags & D2D_SEND_ROUTINE && (!err || err == -EINPROGRESS))
		fuzz_violation("call-with-routine-accepted", "tag=0x%llx err=%d", send->tag, err);
	return err;
}

int fuzz_request_forward(struct fuzz_caller *caller, struct fuzz_pick *hold,
			 struct fuzz_pick *target, struct d2d_send *send)
{
	const struct fuzz_pick picks[] = { *hold, *target };
	int err;

	send->to = target->handle;
	err = d2d_request_forward(hold->handle, send);
	fuzz_judge(caller, FUZZ_REQUEST_FORWARD, err, picks, 2, false);
	if (!err || err == -EINPROGRESS)
		fuzz_note_dead(FUZZ_HOLD, hold->handle);
	return err;
}

int fuzz_request_wait(struct fuzz_caller *caller, struct fuzz_pick *request, u32 ms,
		      struct d2d_result *result)
{
	struct fuzz_watch watch = watch_of(caller, FUZZ_REQUEST_WAIT, request->handle, ms);
	int err;

	fuzz_watch_begins(&watch);
	err = d2d_request_wait(request->handle, ms, result);
	fuzz_watch_ended(&watch);
	fuzz_judge(caller, FUZZ_REQUEST_WAIT, err, request, 1, false);
	if (!err)
		fuzz_note_result(result->tag, result);
	return err;
}

int fuzz_request_cancel(struct fuzz_caller *caller, struct fuzz_pick *request)
{
	int err = d2d_request_cancel(request->handle);

	fuzz_judge(caller, FUZZ_REQUEST_CANCEL, err, request, 1, false);
	return err;
}

int fuzz_request_free(struct fuzz_caller *caller, struct fuzz_pick *request)
{
	int err;

	if (request->thing)
		atomic_inc(&request->thing->ending);
	err = d2d_request_free(request->handle);
	fuzz_judge(caller, FUZZ_REQUEST_FREE, err, request, 1, true);
	if (!request->thing)
		return err;
	if (err) {
		atomic_dec(&request->thing->ending);
	} else {
		fuzz_thing_ended(request->thing, request->nth, true);
		fuzz_note_dead(FUZZ_REQUEST, request->handle);
	}
	return err;
}

int fuzz_request_read(struct fuzz_caller *caller, struct fuzz_pick *request, u32 len)
{
	u8 buffer[FUZZ_OUTPUT];
	int err;

	err = d2d_request_read(request->handle, buffer, min(len, FUZZ_OUTPUT));
	fuzz_judge(caller, FUZZ_REQUEST_READ, err, request, 1, false);
	return err;
}

int fuzz_request_write(struct fuzz_caller *caller, struct fuzz_pick *hold, u64 tag, u32 len)
{
	u8 buffer[FUZZ_OUTPUT];
	int err;

	memset(buffer, fuzz_byte(tag), sizeof(buffer));
	err = d2d_request_write(hold->handle, buffer, min(len, FUZZ_OUTPUT));
	fuzz_judge(caller, FUZZ_REQUEST_WRITE, err, hold, 1, false);
	return err;
}

int fuzz_request_set_cancel(struct fuzz_caller *caller, struct fuzz_pick *hold)
{
	int err;

	fuzz_note_set_cancel(hold->handle);
	err = d2d_request_set_cancel(hold->handle);
	fuzz_judge(caller, FUZZ_REQUEST_SET_CANCEL, err, hold, 1, false);
	return err;
}

int fuzz_request_pend(struct fuzz_caller *caller, struct fuzz_pick *hold)
{
	bool finished = fuzz_is_finished(hold->handle);
	int err;

	err = d2d_request_pend(hold->handle);
	fuzz_judge(caller, FUZZ_REQUEST_PEND, err, hold, 1, false);
	if (!err && finished)
		fuzz_violation("pended-after-completing", "handle=0x%llx", hold->handle);
	return err;
}

static void judge_completion(struct fuzz_caller *caller, enum fuzz_call call, int err,
			     const struct fuzz_pick *hold)
{
	fuzz_judge(caller, call, err, hold, 1, false);
	if (!err) {
		fuzz_note_finished(hold->handle);
		fuzz_note_dead(FUZZ_HOLD, hold->handle);
	}
}

int fuzz_complete(struct fuzz_caller *caller, struct fuzz_pick *hold, int status, u64 information)
{
	int err = d2d_complete(hold->handle, status, information);

	judge_completion(caller, FUZZ_COMPLETE, err, hold);
	return err;
}

int fuzz_complete_with(struct fuzz_caller *caller, struct fuzz_pick *hold, int status,
		       u64 information, u32 output_len)
{
	int err = d2d_complete_with(hold->handle, status, information, output_len);

	judge_completion(caller, FUZZ_COMPLETE_WITH, err, hold);
	if (!err && output_len > D2D_BUFFER_SIZE)
		fuzz_violation("output-too-long", "handle=0x%llx", hold->handle);
	return err;
}

int fuzz_event_open(struct fuzz_caller *caller, struct fuzz_pick *driver, const char *name,
		    u32 kind, bool make, d2d_handle *handle)
{
	enum fuzz_call call = make ? FUZZ_EVENT_CREATE : FUZZ_EVENT_OPEN;
	int err;

	if (make)
		err = d2d_event_create(driver->handle, name, kind, fuzz_below(caller, 2), handle);
	else
		err = d2d_event_open(driver->handle, name, kind, handle);
	fuzz_judge(caller, call, err, driver, 1, false);
	return err;
}

int fuzz_event_close(struct fuzz_caller *caller, struct fuzz_pick *event)
{
	int err;

	if (event->thing)
		atomic_inc(&event->thing->ending);
	err = d2d_event_close(event->handle);
	fuzz_judge(caller, FUZZ_EVENT_CLOSE, err, event, 1, true);
	if (!event->thing)
		return err;
	if (err) {
		atomic_dec(&event->thing->ending);
	} else {
		fuzz_thing_ended(event->thing, event->nth, true);
		fuzz_note_dead(FUZZ_EVENT, event->handle);
	}
	return err;
}

/*
 * d2d_event_ring() returns nothing. fuzz_count() counts only documented results. So it does not
 * count -ESTALE, which no header documents for this function.
 */
void fuzz_event_ring(struct fuzz_caller *caller, struct fuzz_pick *event)
{
	d2d_event_ring(event->handle);
	fuzz_count(FUZZ_EVENT_RING, event->origin == FUZZ_LIVE ? 0 : -ESTALE, event, 1);
}

int fuzz_event_call(struct fuzz_caller *caller, struct fuzz_pick *event, enum fuzz_call call)
{
	int most = call == FUZZ_EVENT_RESET ? 0 : 1;
	int err;

	switch (call) {
	case FUZZ_EVENT_SET:
		err = d2d_event_set(event->handle);
		break;
	case FUZZ_EVENT_RESET:
		err = d2d_event_reset(event->handle);
		break;
	default:
		err = d2d_event_query(event->handle);
		break;
	}
	fuzz_judge(caller, call, err, event, 1, false);
	if (err > most)
		fuzz_violation("impossible-event-state", "call=%s result=%d",
			       fuzz_call_name(call), err);
	return err;
}

int fuzz_event_on_set(struct fuzz_caller *caller, struct fuzz_pick *event, bool remove)
{
	/* If the driver has unregistered, the owner refuses the handle. */
	struct fuzz_registration *reg = event->thing ? READ_ONCE(event->thing->reg) : NULL;
	int err;

	err = d2d_event_on_set(event->handle, remove ? NULL : fuzz_event_was_set, reg);
	fuzz_judge(caller, FUZZ_EVENT_ON_SET, err, event, 1, false);
	if (!err && !remove && event->driver_had_left)
		fuzz_violation("handler-after-leaving", "event=0x%llx", event->handle);
	return err;
}

/*
 * Returns whether the driver of one of the events is being detached. Stores in *begun how often
 * fuzz_detach() was called for these drivers. Called before and after a wait.
 */
static bool is_detaching(const struct fuzz_pick *events, u32 count, int *begun)
{
	bool any = false;

	*begun = 0;
	for (u32 n = 0; n < count; n++) {
		struct fuzz_registration *reg = events[n].thing ? events[n].thing->reg : NULL;

		if (!reg)
			continue;
		*begun += atomic_read(&reg->detaches_begun);
		/*
		 * Pairs with the smp_wmb() in fuzz_detach(), which increments first reg->detaching,
		 * then reg->detaches_begun. Suppose a detach overlaps the wait. If *begun counts it
		 * before the wait, reg->detaching does, too. If not, *begun grows during the wait.
		 */
		smp_rmb();
		any |= atomic_read(&reg->detaching);
	}
	return any;
}

int fuzz_event_wait(struct fuzz_caller *caller, struct fuzz_pick *events, u32 count, u32 flags,
		    u32 timeout)
{
	struct fuzz_watch watch = watch_of(caller, FUZZ_EVENT_WAIT, events->handle, timeout);
	d2d_handle handles[MOST_EVENTS];
	int begun_before, begun;
	u32 index = 0;
	bool live = true, left = false, leaving = false;
	unsigned long since;
	bool detached;
	int err;

	count = min(count, MOST_EVENTS);
	detached = is_detaching(events, count, &begun_before);
	for (u32 n = 0; n < count; n++)
		handles[n] = events[n].handle;
	since = jiffies;
	fuzz_watch_begins(&watch);
	err = d2d_event_wait(handles, count, flags, timeout, &index);
	fuzz_watch_ended(&watch);
	fuzz_judge(caller, FUZZ_EVENT_WAIT, err, events, count, false);
	if (!err && index >= count)
		fuzz_violation("index-too-large", "index=%u count=%u", index, count);
	if (err == -ETIMEDOUT)
		fuzz_check_timed_out(FUZZ_EVENT_WAIT, since, timeout);
	for (u32 n = 0; n < count; n++) {
		live &= fuzz_is_live(&events[n], false);
		left |= events[n].driver_had_left;
		leaving |= fuzz_is_leaving(&events[n]);
	}
	if (timeout && left && (!err || err == -ETIMEDOUT))
		fuzz_violation("wait-after-leaving", "events=%u handle=0x%llx err=%d", count,
			       handles[0], err);
	/* After 100 ms, a detach ends the waits of its driver. It may have begun in this wait. */
	is_detaching(events, count, &begun);
	detached |= begun != begun_before;
	if (err == -ECANCELED && live && !detached && !leaving)
		fuzz_violation("wait-cancelled-without-cause", "events=%u handle=0x%llx", count,
			       handles[0]);
	return err;
}
