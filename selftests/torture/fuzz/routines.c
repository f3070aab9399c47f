// SPDX-License-Identifier: GPL-2.0
/* Part of the fuzzer (fuzz.h). The routines of the driver objects. */
#include <linux/string.h>

#include "fuzz.h"

/* The player number of all routines */
#define ROUTINE	1000

/* The input of a request: a handle of the sender's module, and its kind */
struct passed_handle {
	d2d_handle handle;
	u64 kind;
};

static struct fuzz_caller caller_of(u64 what, bool may_sleep)
{
	return (struct fuzz_caller){
		.random = fuzz_random_of(ROUTINE, what),
		.player = ROUTINE,
		.may_sleep = may_sleep,
		.in_routine = true,
	};
}

static void play_inside(struct fuzz_caller *caller)
{
	if (!fuzz_chance(caller, 30) || READ_ONCE(fuzz_is_over) || !fuzz_begin_nested_call())
		return;
	if (caller->may_sleep && fuzz_chance(caller, 30))
		fuzz_play_may_sleep(caller);
	else
		fuzz_play(caller);
	fuzz_end_nested_call();
}

static void note_passed_handle(struct fuzz_caller *caller, const struct d2d_request *request)
{
	u64 tag = (u64)(unsigned long)request->user_buffer;
	struct passed_handle passed;

	if (request->input_len != sizeof(passed) || fuzz_is_own_tag(tag))
		return;
	if (!d2d_request_read(request->handle, &passed, sizeof(passed)))
		fuzz_note_foreign(passed.kind, passed.handle);
}

/*
 * Completes a request, sometimes with bad arguments, or twice. @in_place is NULL outside of a
 * dispatch routine.
 */
void fuzz_finish(struct fuzz_caller *caller, struct fuzz_pick *hold, u64 tag,
		 struct fuzz_in_place *in_place)
{
	static const int statuses[] = { -EPERM, -ENXIO, -EPIPE };
	static const int bad[] = { 1, -EINPROGRESS, -D2D_STATUS_PENDING, -5000 };
	/* A routine that uses the buffers in place has written the whole output. */
	u32 most = in_place && in_place->request ? in_place->request->output_len : 0;
	u64 information = fuzz_information(tag);
	int status = 0;

	if (in_place)
		fuzz_in_place_ends(in_place);
	if (fuzz_chance(caller, 30))
		status = statuses[fuzz_below(caller, ARRAY_SIZE(statuses))];
	else if (fuzz_chance(caller, 3))
		status = bad[fuzz_below(caller, ARRAY_SIZE(bad))];
	if (fuzz_chance(caller, 3))
		fuzz_complete_with(caller, hold, status, information, D2D_BUFFER_SIZE + 1);
	if (fuzz_chance(caller, 50))
		fuzz_complete_with(caller, hold, status, information, fuzz_below(caller, most + 1));
	else
		fuzz_complete(caller, hold, status, information);
	if (fuzz_chance(caller, 5) && !fuzz_complete(caller, hold, status, information))
		fuzz_violation("completed-again", "handle=0x%llx", hold->handle);
}

static bool keep(struct fuzz_caller *caller, struct fuzz_registration *reg, struct fuzz_pick *hold,
		 u64 tag)
{
	struct fuzz_kept kept = {
		.handle = hold->handle,
		.reg = reg,
		.tag = tag,
		.for_ever = fuzz_chance(caller, 25),
	};

	if (fuzz_chance(caller, 50))
		fuzz_request_set_cancel(caller, hold);
	return fuzz_keep(&kept);
}

/*
 * Inside a routine, detaching and unregistering must fail: otherwise a driver would wait for
 * itself, or two drivers for each other. d2d_leave() is allowed.
 */
static void try_to_detach_or_unregister(struct fuzz_caller *caller)
{
	enum fuzz_call call = fuzz_chance(caller, 50) ? FUZZ_DETACH : FUZZ_UNREGISTER;
	struct fuzz_pick driver = fuzz_pick(caller, FUZZ_DRIVER, false);
	int err;

	if (fuzz_chance(caller, 10)) {
		fuzz_driver_leave(caller, &driver);
		fuzz_unpick(&driver);
		return;
	}
	if (call == FUZZ_DETACH)
		err = d2d_detach(driver.handle);
	else
		err = d2d_unregister(driver.handle);
	fuzz_judge(caller, call, err, &driver, 1, false);
	if (err != -EDEADLK && (!err || fuzz_is_live(&driver, false)))
		fuzz_violation("allowed-inside-a-routine", "call=%s err=%d",
			       fuzz_call_name(call), err);
	fuzz_unpick(&driver);
}

/* Pends, forwards, completes or ignores a request. Gives up the buffers first. */
static int serve(struct fuzz_caller *caller, struct fuzz_registration *reg,
		 const struct d2d_request *request, struct fuzz_in_place *in_place)
{
	struct fuzz_pick hold = fuzz_pick_hold(request->handle);
	u64 tag = (u64)(unsigned long)request->user_buffer;
	u32 chance = fuzz_below(caller, 100);
	int err;

	if (chance < 25) {
		if (in_place->request || fuzz_chance(caller, 20)) {
			fuzz_in_place_ends(in_place);
			fuzz_request_pend(caller, &hold);
		}
		if (keep(caller, reg, &hold, tag))
			return -D2D_STATUS_PENDING;
	} else if (chance < 40 && fuzz_begin_nested_call()) {
		fuzz_in_place_ends(in_place);
		err = fuzz_forward(caller, &hold, fuzz_chance(caller, 60) ? D2D_SEND_ROUTINE : 0);
		fuzz_end_nested_call();
		if (!err || err == -EINPROGRESS)
			return -D2D_STATUS_PENDING;
	} else if (chance < 43) {
		fuzz_in_place_ends(in_place);
		return 0;
	} else if (chance < 60) {
		fuzz_request_write(caller, &hold, tag, fuzz_below(caller, FUZZ_OUTPUT));
		fuzz_request_read(caller, &hold, fuzz_below(caller, FUZZ_OUTPUT));
	}
	fuzz_finish(caller, &hold, tag, in_place);
	return 0;
}

int fuzz_dispatch(void *self, const struct d2d_request *request)
{
	bool may_sleep, is_offer = request->code == D2D_IOCTL_SHARE_CONTEXT;
	struct fuzz_registration *reg = self;
	struct fuzz_caller caller;
	struct fuzz_in_place in_place;
	int status = -EIO;

	may_sleep = !(reg->object.flags & D2D_DISPATCH_ATOMIC);
	caller = caller_of(request->handle ^ (unsigned long)request->user_buffer, may_sleep);
	if (!fuzz_begin_routine(reg, "dispatch"))
		goto out;
	if (request->driver != reg->handle && reg->handle)
		fuzz_violation("request-of-another-driver", "driver=0x%llx self=0x%llx",
			       request->driver, reg->handle);
	if (is_offer) {
		fuzz_note_seen(request->handle, FUZZ_OFFER);
		status = fuzz_share(&caller, reg, request);
	} else {
		fuzz_note_hold(request->handle, (unsigned long)request->user_buffer, reg);
		fuzz_note_seen(request->handle, FUZZ_HOLD);
		fuzz_in_place_begins(&in_place, request, reg);
		note_passed_handle(&caller, request);
		play_inside(&caller);
		if (may_sleep && fuzz_chance(&caller, 2))
			try_to_detach_or_unregister(&caller);
		status = serve(&caller, reg, request, &in_place);
	}
out:
	fuzz_end_routine(reg, "dispatch");
	return status;
}

/* Never returns 0 for a failed request: the oracle would take its information for wrong. */
int fuzz_returned(void *self, const struct d2d_request *request, const struct d2d_result *result)
{
	struct fuzz_pick hold = fuzz_pick_hold(request->handle);
	u64 tag = (u64)(unsigned long)request->user_buffer;
	struct fuzz_registration *reg = self;
	struct fuzz_caller caller;
	int status = result->status;
	u32 chance;
	int err;

	caller = caller_of(request->handle ^ tag, false);
	if (!fuzz_begin_routine(reg, "returned"))
		goto out;
	fuzz_note_hold(request->handle, tag, reg);
	fuzz_note_seen(request->handle, FUZZ_HOLD);
	play_inside(&caller);
	chance = fuzz_below(&caller, 100);
	if (chance < 20) {
		if (keep(&caller, reg, &hold, tag))
			status = -D2D_STATUS_PENDING;
	} else if (chance < 35 && fuzz_begin_nested_call()) {
		err = fuzz_forward(&caller, &hold, D2D_SEND_ROUTINE);
		if (!err || err == -EINPROGRESS)
			status = -D2D_STATUS_PENDING;
		fuzz_end_nested_call();
	} else if (chance < 50) {
		fuzz_finish(&caller, &hold, tag, NULL);
		status = -D2D_STATUS_PENDING;
	} else if (chance < 60) {
		status = -EPIPE;
	}
out:
	fuzz_end_routine(reg, "returned");
	return status;
}

int fuzz_completed(void *self, d2d_handle handle, const struct d2d_result *result)
{
	struct fuzz_pick request = fuzz_pick_of(FUZZ_REQUEST, handle);
	struct fuzz_caller caller = caller_of(handle ^ result->tag, false);
	struct fuzz_registration *reg = self;
	int keeps = D2D_MORE_PROCESSING_REQUIRED;

	if (!fuzz_begin_routine(reg, "completed"))
		goto out;
	fuzz_note_completed(result->tag, request.thing, result);
	play_inside(&caller);
	if (request.thing && fuzz_chance(&caller, 10) && fuzz_begin_nested_call()) {
		fuzz_send(&caller, &request, D2D_SEND_ROUTINE | D2D_SEND_ATOMIC, NULL, NULL);
		fuzz_end_nested_call();
	} else if (request.thing && fuzz_chance(&caller, 20)) {
		atomic_inc(&request.thing->ending);
		fuzz_thing_ended(request.thing, request.nth, true);
		keeps = 0;
	}
out:
	fuzz_unpick(&request);
	fuzz_end_routine(reg, "completed");
	return keeps;
}

void fuzz_cancelled(void *self, d2d_handle request)
{
	struct fuzz_caller caller = caller_of(request, false);
	struct fuzz_registration *reg = self;

	if (fuzz_begin_routine(reg, "cancelled")) {
		fuzz_note_cancelled(request);
		fuzz_note_dead(FUZZ_HOLD, request);
		play_inside(&caller);
	}
	fuzz_end_routine(reg, "cancelled");
}

/* @argument is NULL if the fuzzer does not know the event's driver. */
int fuzz_event_was_set(void *argument, d2d_handle event)
{
	struct fuzz_registration *reg = argument;
	struct fuzz_caller caller;

	if (!reg)
		return 0;
	caller = caller_of(event, false);
	if (fuzz_begin_routine(reg, "event"))
		play_inside(&caller);
	if (READ_ONCE(reg->has_left))
		fuzz_violation("handler-after-leaving", "name=%s event=0x%llx", reg->object.name,
			       event);
	fuzz_end_routine(reg, "event");
	return fuzz_chance(&caller, 3) ? -EPERM : 0;
}
