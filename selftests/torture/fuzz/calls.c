// SPDX-License-Identifier: GPL-2.0
/*
 * A wrapper of each exported function: calls it, lets the watchdog watch it if it may take
 * long, and lets the oracle judge its result.
 */
#include <linux/jiffies.h>

#include "fuzz.h"

#define LONGEST_BUFFER	128
#define MOST_EVENTS	8

static struct fuzz_watch watch_of(struct fuzz_caller *caller, enum fuzz_call call,
				  d2d_handle handle, u32 limit)
{
	return (struct fuzz_watch){
		.call = call,
		.handle = handle,
		.limit = limit,
		.actor = caller->actor,
	};
}

int fuzz_request_alloc(struct fuzz_caller *caller, struct fuzz_pick *driver, u32 input, u32 output,
		       d2d_handle *handle)
{
	int err = d2d_request_alloc(driver->handle, input, output, handle);

	fuzz_judge(caller, FUZZ_ALLOC, err, driver, 1, 0);
	return err;
}

int fuzz_request_send(struct fuzz_caller *caller, struct fuzz_pick *request,
		      struct fuzz_pick *target, struct d2d_send *send)
{
	struct fuzz_watch watch = watch_of(caller, FUZZ_SEND, request->handle, FUZZ_LONGEST_MS);
	const struct fuzz_pick picks[] = { *request, *target };
	int err;

	send->to = target->handle;
	fuzz_watch_begins(&watch);
	err = d2d_request_send(request->handle, send);
	fuzz_watch_ended(&watch);
	fuzz_judge(caller, FUZZ_SEND, err, picks, 2, 0);
	return err;
}

int fuzz_request_forward(struct fuzz_caller *caller, struct fuzz_pick *hold,
			 struct fuzz_pick *target, struct d2d_send *send)
{
	const struct fuzz_pick picks[] = { *hold, *target };
	int err;

	send->to = target->handle;
	err = d2d_request_forward(hold->handle, send);
	fuzz_judge(caller, FUZZ_FORWARD, err, picks, 2, 0);
	if (!err || err == -EINPROGRESS)
		fuzz_note_dead(FUZZ_HOLD, hold->handle);
	return err;
}

/*
 * The watchdog finds a wait that exceeds its limit. All waits for the same send have to get the
 * same result.
 */
int fuzz_request_wait(struct fuzz_caller *caller, struct fuzz_pick *request, u32 ms,
		      struct d2d_result *result)
{
	struct fuzz_watch watch = watch_of(caller, FUZZ_WAIT, request->handle, ms);
	int err;

	fuzz_watch_begins(&watch);
	err = d2d_request_wait(request->handle, ms, result);
	fuzz_watch_ended(&watch);
	fuzz_judge(caller, FUZZ_WAIT, err, request, 1, 0);
	if (!err)
		fuzz_note_result(result->tag, result);
	return err;
}

int fuzz_request_cancel(struct fuzz_caller *caller, struct fuzz_pick *request)
{
	int err = d2d_request_cancel(request->handle);

	fuzz_judge(caller, FUZZ_CANCEL, err, request, 1, 0);
	return err;
}

int fuzz_request_free(struct fuzz_caller *caller, struct fuzz_pick *request)
{
	int err;

	if (request->thing)
		atomic_inc(&request->thing->ending);
	err = d2d_request_free(request->handle);
	fuzz_judge(caller, FUZZ_FREE, err, request, 1, 1);
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

/* Reads or writes len bytes of a request's buffers. */
int fuzz_request_touch(struct fuzz_caller *caller, struct fuzz_pick *request, bool write, u32 len)
{
	enum fuzz_call call = write ? FUZZ_WRITE : FUZZ_READ;
	u8 buffer[LONGEST_BUFFER] = {};
	int err;

	len = min(len, LONGEST_BUFFER);
	if (write)
		err = d2d_request_write(request->handle, buffer, len);
	else
		err = d2d_request_read(request->handle, buffer, len);
	fuzz_judge(caller, call, err, request, 1, 0);
	return err;
}

int fuzz_request_set_cancel(struct fuzz_caller *caller, struct fuzz_pick *hold)
{
	int err;

	fuzz_note_tells(hold->handle);
	err = d2d_request_set_cancel(hold->handle);
	fuzz_judge(caller, FUZZ_SET_CANCEL, err, hold, 1, 0);
	return err;
}

int fuzz_complete(struct fuzz_caller *caller, struct fuzz_pick *hold, int status, u64 information)
{
	int err = d2d_complete(hold->handle, status, information);

	fuzz_judge(caller, FUZZ_COMPLETE, err, hold, 1, 0);
	if (!err) {
		fuzz_note_finished(hold->handle);
		fuzz_note_dead(FUZZ_HOLD, hold->handle);
	}
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
	fuzz_judge(caller, call, err, driver, 1, 0);
	return err;
}

int fuzz_event_close(struct fuzz_caller *caller, struct fuzz_pick *event)
{
	int err;

	if (event->thing)
		atomic_inc(&event->thing->ending);
	err = d2d_event_close(event->handle);
	fuzz_judge(caller, FUZZ_EVENT_CLOSE, err, event, 1, 1);
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

/* Sets, resets or queries an event. */
int fuzz_event_change(struct fuzz_caller *caller, struct fuzz_pick *event, enum fuzz_call call)
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
	fuzz_judge(caller, call, err, event, 1, 0);
	if (err > most)
		fuzz_violation("state-of-event", "call=%s result=%d", fuzz_call_name(call), err);
	return err;
}

/*
 * Returns whether the driver of one of the events is being detached. Stores in *begun how often
 * fuzz_detach() was called for these drivers.
 */
static bool detaching(const struct fuzz_pick *events, u32 count, int *begun)
{
	bool any = false;

	*begun = 0;
	for (u32 n = 0; n < count; n++) {
		struct fuzz_life *life = events[n].thing ? events[n].thing->life : NULL;

		if (!life)
			continue;
		*begun += atomic_read(&life->detachings);
		/*
		 * fuzz_detach() increments detaching first. So if detachings counts a detach that
		 * is under way, detaching shows it; if not, detachings grows later.
		 */
		smp_rmb();
		any |= atomic_read(&life->detaching);
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
	bool live = true;
	unsigned long since;
	bool detached;
	int err;

	count = min(count, MOST_EVENTS);
	detached = detaching(events, count, &begun_before);
	for (u32 n = 0; n < count; n++)
		handles[n] = events[n].handle;
	since = jiffies;
	fuzz_watch_begins(&watch);
	err = d2d_event_wait(handles, count, flags, timeout, &index);
	fuzz_watch_ended(&watch);
	fuzz_judge(caller, FUZZ_EVENT_WAIT, err, events, count, 0);
	if (!err && index >= count)
		fuzz_violation("index-of-event", "index=%u count=%u", index, count);
	if (err == -ETIMEDOUT)
		fuzz_check_timed_out(FUZZ_EVENT_WAIT, since, timeout);
	for (u32 n = 0; n < count; n++)
		live &= fuzz_is_live(&events[n], 0);
	detaching(events, count, &begun);
	detached |= begun != begun_before;
	/* A detach that takes long ends the waits for the driver's events. */
	if (err == -ECANCELED && live && !detached)
		fuzz_violation("wait-cancelled-by-nobody", "events=%u handle=0x%llx", count,
			       handles[0]);
	return err;
}
