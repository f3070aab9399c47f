// SPDX-License-Identifier: GPL-2.0
/* Part of the fuzzer (fuzz.h). Plays that do not sleep. Any player or routine may make them. */
#include <linux/kernel.h>
#include <linux/string.h>

#include "d2d_hot_step.h"
#include "fuzz.h"

static u32 any_code(struct fuzz_caller *caller, bool to_owner)
{
	if (fuzz_chance(caller, 1))
		return D2D_IOCTL_SHARE_CONTEXT;
	if (to_owner)
		return D2D_CTL_CODE(0x801 + fuzz_below(caller, 5), D2D_METHOD_BUFFERED);
	return D2D_CTL_CODE(0x8f0 + fuzz_below(caller, 4), D2D_METHOD_BUFFERED);
}

static struct fuzz_pick lookup(struct fuzz_caller *caller, const char *name)
{
	struct fuzz_pick pick = { .origin = FUZZ_FOREIGN };
	int err = d2d_lookup(name, &pick.handle);

	fuzz_judge(caller, FUZZ_LOOKUP, err, NULL, 0, false);
	if (err)
		pick.origin = FUZZ_ZERO;
	return pick;
}

static struct fuzz_pick any_target(struct fuzz_caller *caller, bool *to_owner)
{
	u32 chance = fuzz_below(caller, 100);
	char name[D2D_NAME_SIZE];

	if (chance < 60)
		return fuzz_pick(caller, FUZZ_TARGET, true);
	if (chance < 92 || !to_owner) {
		snprintf(name, sizeof(name), "fuzz%u.%u", fuzz_below(caller, 2),
			 fuzz_below(caller, 12));
		return lookup(caller, name);
	}
	*to_owner = true;
	return lookup(caller, "module_a");
}

/* The receiver may be in the other module, so passes only a handle that is for all players. */
static void choose_handle_to_pass(struct fuzz_caller *caller, d2d_handle passed[2])
{
	static const enum fuzz_kind kinds[] = {
		FUZZ_DRIVER, FUZZ_TARGET, FUZZ_REQUEST, FUZZ_EVENT,
	};
	enum fuzz_kind kind = kinds[fuzz_below(caller, ARRAY_SIZE(kinds))];
	struct fuzz_pick pick = fuzz_pick(caller, kind, true);

	passed[0] = 0;
	passed[1] = FUZZ_KINDS;
	if (pick.origin == FUZZ_LIVE && pick.thing->sharing == FUZZ_FOR_ALL) {
		passed[0] = pick.handle;
		passed[1] = kind;
	}
	fuzz_unpick(&pick);
}

/* If @answer is not NULL, uses d2d_request_call(). */
int fuzz_send(struct fuzz_caller *caller, struct fuzz_pick *request, u32 flags, u64 *tag,
	      struct fuzz_answer *answer)
{
	bool to_owner = false;
	struct fuzz_pick target = any_target(caller, &to_owner);
	struct d2d_send send = d2d_send_to(0, any_code(caller, to_owner));
	d2d_handle passed[2];
	int err;

	if (request->thing) {
		send.input_len = request->thing->input_size;
		send.output_len = fuzz_below(caller, request->thing->output_size + 1);
	}
	choose_handle_to_pass(caller, passed);
	send.input_len = min(send.input_len, sizeof(passed));
	if (fuzz_chance(caller, 2))
		send.output_len = D2D_BUFFER_SIZE;
	send.input = passed;
	send.flags = flags;
	if (fuzz_chance(caller, 1))
		send.flags |= D2D_SEND_TRACE;
	if (fuzz_chance(caller, 1))
		send.flags |= 1u << 31;
	if (!caller->may_sleep)
		send.flags |= D2D_SEND_ATOMIC;
	send.tag = fuzz_send_begins(caller, request, send.flags, to_owner);
	send.user_buffer = (void *)(unsigned long)send.tag;
	if (tag)
		*tag = send.tag;
	if (answer)
		err = fuzz_request_call(caller, request, &target, &send, answer);
	else
		err = fuzz_request_send(caller, request, &target, &send);
	fuzz_send_ended(send.tag, request, send.flags, err);
	fuzz_unpick(&target);
	return err;
}

/* Does not forward to the owner, because the oracle does not know the owner's results. */
int fuzz_forward(struct fuzz_caller *caller, struct fuzz_pick *hold, u32 flags)
{
	struct fuzz_pick target = any_target(caller, NULL);
	struct d2d_send send = d2d_send_to(0, any_code(caller, false));
	int err;

	send.flags = flags;
	if (!caller->may_sleep)
		send.flags |= D2D_SEND_ATOMIC;
	err = fuzz_request_forward(caller, hold, &target, &send);
	fuzz_unpick(&target);
	return err;
}

static void play_send(struct fuzz_caller *caller)
{
	struct fuzz_pick request = fuzz_pick(caller, FUZZ_REQUEST, false);
	u32 flags = fuzz_below(caller, 4);

	fuzz_send(caller, &request, flags, NULL, NULL);
	fuzz_unpick(&request);
}

/* With D2D_SEND_ATOMIC, d2d_request_call() must not wait. */
static void play_call(struct fuzz_caller *caller)
{
	struct fuzz_pick request = fuzz_pick(caller, FUZZ_REQUEST, false);
	u32 flags = D2D_SEND_ATOMIC | (fuzz_chance(caller, 5) ? D2D_SEND_ROUTINE : 0);
	struct fuzz_answer answer;

	fuzz_answer_prepare(caller, &answer, 0);
	fuzz_send(caller, &request, flags, NULL, &answer);
	fuzz_unpick(&request);
}

static void play_cancel(struct fuzz_caller *caller)
{
	struct fuzz_pick request = fuzz_pick(caller, FUZZ_REQUEST, true);

	fuzz_request_cancel(caller, &request);
	fuzz_unpick(&request);
}

static void play_free(struct fuzz_caller *caller)
{
	struct fuzz_pick request = fuzz_pick(caller, FUZZ_REQUEST, false);

	fuzz_request_free(caller, &request);
	fuzz_unpick(&request);
}

static void play_read(struct fuzz_caller *caller)
{
	struct fuzz_pick request = fuzz_pick(caller, FUZZ_REQUEST, true);

	fuzz_request_read(caller, &request, fuzz_below(caller, FUZZ_OUTPUT));
	fuzz_unpick(&request);
}

/* Picks a pended request, or a handle that names no pended request. */
static struct fuzz_pick any_hold(struct fuzz_caller *caller, struct fuzz_kept *kept, bool leave_it)
{
	struct fuzz_pick pick;

	*kept = (struct fuzz_kept){};
	if (fuzz_chance(caller, 85) && fuzz_take_kept(caller, kept, leave_it))
		return fuzz_pick_hold(kept->handle);
	pick = fuzz_pick(caller, FUZZ_HOLD, false);
	fuzz_unpick(&pick);
	pick.thing = NULL;
	return pick;
}

static void play_complete(struct fuzz_caller *caller)
{
	struct fuzz_kept kept;
	struct fuzz_pick hold = any_hold(caller, &kept, false);

	if (kept.is_offer)
		fuzz_complete_offer(caller, &kept, fuzz_chance(caller, 70) ? 0 : -ENXIO);
	else
		fuzz_finish(caller, &hold, kept.tag, NULL);
}

static void play_forward(struct fuzz_caller *caller)
{
	struct fuzz_kept kept;
	struct fuzz_pick hold = any_hold(caller, &kept, false);

	fuzz_forward(caller, &hold, fuzz_below(caller, 4) & (D2D_SEND_ROUTINE | D2D_SEND_ATOMIC));
}

static void play_hold(struct fuzz_caller *caller)
{
	struct fuzz_kept kept;
	struct fuzz_pick hold = any_hold(caller, &kept, true);

	switch (fuzz_below(caller, 4)) {
	case 0:
		fuzz_request_set_cancel(caller, &hold);
		break;
	case 1:
		fuzz_request_pend(caller, &hold);
		break;
	case 2:
		fuzz_request_read(caller, &hold, fuzz_below(caller, FUZZ_OUTPUT));
		break;
	default:
		fuzz_request_write(caller, &hold, kept.tag, fuzz_below(caller, FUZZ_OUTPUT));
		break;
	}
}

static void play_event(struct fuzz_caller *caller)
{
	static const enum fuzz_call calls[] = {
		FUZZ_EVENT_SET, FUZZ_EVENT_SET, FUZZ_EVENT_RESET, FUZZ_EVENT_QUERY,
	};
	struct fuzz_pick event = fuzz_pick(caller, FUZZ_EVENT, true);

	fuzz_event_call(caller, &event, calls[fuzz_below(caller, ARRAY_SIZE(calls))]);
	fuzz_unpick(&event);
}

static void play_ring(struct fuzz_caller *caller)
{
	struct fuzz_pick event = fuzz_pick(caller, FUZZ_EVENT, true);

	fuzz_event_ring(caller, &event);
	fuzz_unpick(&event);
}

static void play_poll(struct fuzz_caller *caller)
{
	struct fuzz_pick events[3];
	u32 count = 1 + fuzz_below(caller, ARRAY_SIZE(events));

	for (u32 n = 0; n < count; n++)
		events[n] = fuzz_pick(caller, FUZZ_EVENT, true);
	fuzz_event_wait(caller, events, count, fuzz_below(caller, 5), 0);
	for (u32 n = 0; n < count; n++)
		fuzz_unpick(&events[n]);
}

/* In an interrupt, the owner must refuse to wait. */
static void play_wait_in_interrupt(struct fuzz_caller *caller)
{
	struct fuzz_pick request = fuzz_pick(caller, FUZZ_REQUEST, true);
	struct fuzz_pick event = fuzz_pick(caller, FUZZ_EVENT, true);
	struct d2d_result result;
	int err;

	if (!caller->may_sleep && !caller->in_routine) {
		err = fuzz_event_wait(caller, &event, 1, 0, 1);
		if (err != -EDEADLK)
			fuzz_violation("waits-in-interrupt", "err=%d", err);
		fuzz_request_wait(caller, &request, 1, &result);
	}
	fuzz_unpick(&request);
	fuzz_unpick(&event);
}

/*
 * Most steps are hot, so that the owner prints no line for them. The address of a text is in the
 * first page, where nothing is mapped. Reading the text must not crash the owner.
 */
static void play_trace(struct fuzz_caller *caller)
{
	struct d2d_record record = *D2D_RECORD(THIS_MODULE->name, LOAD, 0, D2D_TEXT(VIA, "fuzz"));

	if (fuzz_chance(caller, 10)) {
		record.step = fuzz_below(caller, D2D_STEP_REFUSE);
	} else {
		record.step = fuzz_below(caller, D2D_STEP_COUNT);
		record.flags = D2D_RECORD_HOT;
	}
	for (u32 i = 1; i < D2D_RECORD_FIELDS; i++) {
		record.fields[i].value = fuzz_below(caller, PAGE_SIZE);
		record.fields[i].key = fuzz_below(caller, D2D_FIELD_COUNT + 2);
		record.fields[i].length = fuzz_chance(caller, 50) ? D2D_IS_NUMBER : 4;
	}
	d2d_trace(&record);
	fuzz_count(FUZZ_TRACE, 0, NULL, 0);
}

void fuzz_play(struct fuzz_caller *caller)
{
	static const struct {
		u32 weight;
		void (*play)(struct fuzz_caller *caller);
	} plays[] = {
		{ 16, play_send }, { 4, play_call }, { 8, play_cancel }, { 3, play_free },
		{ 4, play_read }, { 14, play_complete }, { 4, play_forward }, { 6, play_hold },
		{ 20, play_event }, { 4, play_ring }, { 6, play_poll }, { 1, play_trace },
		{ 1, play_wait_in_interrupt }, { 9, fuzz_play_link },
	};
	u32 chance = fuzz_below(caller, 100);

	for (u32 n = 0; n < ARRAY_SIZE(plays); n++) {
		if (chance < plays[n].weight) {
			plays[n].play(caller);
			return;
		}
		chance -= plays[n].weight;
	}
}
