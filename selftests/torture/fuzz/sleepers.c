// SPDX-License-Identifier: GPL-2.0
/* Part of the fuzzer (fuzz.h). Plays that may sleep. */
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "fuzz.h"

/*
 * Routines never choose FUZZ_FOR_ONE: they all have one player number, but run in several threads.
 */
static void choose_sharing(struct fuzz_caller *caller, struct fuzz_thing *thing)
{
	thing->sharing = fuzz_below(caller, 3);
	if (thing->sharing == FUZZ_FOR_ONE && caller->in_routine)
		thing->sharing = FUZZ_FOR_TWO;
	thing->sharing_player = caller->player;
}

static void play_alloc(struct fuzz_caller *caller)
{
	struct fuzz_pick driver = fuzz_pick(caller, FUZZ_DRIVER, false);
	u32 output = fuzz_below(caller, 80), input = 16;
	struct fuzz_thing *thing = NULL;
	d2d_handle handle;

	if (fuzz_chance(caller, 2))
		output = D2D_BUFFER_SIZE + 1;
	if (driver.thing)
		thing = fuzz_thing_reserve(FUZZ_REQUEST);
	if (!driver.thing || thing) {
		bool made = !fuzz_request_alloc(caller, &driver, input, output, &handle);

		if (made && thing) {
			choose_sharing(caller, thing);
			thing->input_size = input;
			thing->output_size = output;
			fuzz_thing_publish(thing, handle, driver.thing->reg);
		} else if (thing) {
			fuzz_thing_unreserve(thing);
		}
	}
	fuzz_unpick(&driver);
}

/*
 * A wait without a limit ends when this module's drivers unregister. Drivers of the other module
 * may stay, so waits for foreign handles have a limit.
 */
static u32 any_limit(struct fuzz_caller *caller, const struct fuzz_pick *picks, u32 count)
{
	bool for_ever = !caller->in_routine && !READ_ONCE(fuzz_is_over) && fuzz_chance(caller, 1);

	for (u32 n = 0; n < count; n++)
		for_ever &= picks[n].origin != FUZZ_FOREIGN;
	if (for_ever)
		return D2D_FOREVER;
	return fuzz_below(caller, fuzz_chance(caller, 80) ? 4 : FUZZ_LONGEST_MS);
}

static void play_wait(struct fuzz_caller *caller)
{
	struct fuzz_pick request = fuzz_pick(caller, FUZZ_REQUEST, true);
	struct d2d_result result;

	fuzz_request_wait(caller, &request, any_limit(caller, &request, 1), &result);
	fuzz_unpick(&request);
}

/* Only this player uses the request. */
static void call_alone(struct fuzz_caller *caller, struct fuzz_pick *request)
{
	u32 ms = any_limit(caller, request, 1);
	unsigned long since = jiffies;
	struct fuzz_answer answer;
	int err;

	fuzz_answer_prepare(caller, &answer, ms);
	err = fuzz_send(caller, request, 0, NULL, &answer);
	if (!err && answer.result.status == -ETIMEDOUT)
		fuzz_check_timed_out(FUZZ_REQUEST_CALL, since, ms);
}

/* Only this player uses the request, so a wait must get the result of this player's last send. */
static void play_alone(struct fuzz_caller *caller, struct fuzz_pick *request)
{
	u32 ms = any_limit(caller, request, 1);
	struct d2d_result result;
	bool cancelled = false;
	unsigned long since;
	u64 tag;
	int err;

	err = fuzz_send(caller, request, fuzz_chance(caller, 50) ? D2D_SEND_ATOMIC : 0, &tag,
			NULL);
	if (err && err != -EINPROGRESS)
		return;
	if (err && fuzz_chance(caller, 30))
		cancelled = !fuzz_request_cancel(caller, request);
	since = jiffies;
	err = fuzz_request_wait(caller, request, ms, &result);
	if (err)
		return;
	if (result.tag != tag)
		fuzz_violation("result-of-another-send", "tag=0x%llx other=0x%llx", tag,
			       result.tag);
	if (cancelled && result.status != -ECANCELED)
		fuzz_violation("cancelled-without-effect", "tag=0x%llx status=%d", tag,
			       result.status);
	if (result.status == -ETIMEDOUT)
		fuzz_check_timed_out(FUZZ_REQUEST_WAIT, since, ms);
	if (fuzz_chance(caller, 30))
		fuzz_request_wait(caller, request, 0, &result);
}

static void play_request(struct fuzz_caller *caller)
{
	struct fuzz_pick request = fuzz_pick(caller, FUZZ_REQUEST, false);
	u32 flags = fuzz_below(caller, 4);
	struct fuzz_answer answer;
	struct d2d_result result;
	u32 ms;
	int err;

	if (request.thing && request.thing->sharing == FUZZ_FOR_ONE) {
		if (fuzz_chance(caller, 50))
			call_alone(caller, &request);
		else
			play_alone(caller, &request);
	} else if (fuzz_chance(caller, 50)) {
		fuzz_answer_prepare(caller, &answer, any_limit(caller, &request, 1));
		fuzz_send(caller, &request, flags & D2D_SEND_ATOMIC, NULL, &answer);
	} else {
		err = fuzz_send(caller, &request, flags, NULL, NULL);
		if (err == -EINPROGRESS && fuzz_chance(caller, 50)) {
			ms = any_limit(caller, &request, 1);
			fuzz_request_wait(caller, &request, ms, &result);
		}
	}
	fuzz_unpick(&request);
}

/* Both modules use the same few names, so they share events. */
static void play_open(struct fuzz_caller *caller)
{
	struct fuzz_pick driver = fuzz_pick(caller, FUZZ_DRIVER, true);
	u32 number = fuzz_below(caller, 16);
	bool make = fuzz_chance(caller, 70);
	struct fuzz_thing *thing;
	u32 kind = number % 2;
	d2d_handle handle;
	char name[16];

	thing = fuzz_thing_reserve(FUZZ_EVENT);
	if (!thing)
		goto out;
	snprintf(name, sizeof(name), "fuzz.%u", number);
	if (fuzz_chance(caller, 3))
		kind ^= 1 + fuzz_below(caller, 2);
	if (fuzz_chance(caller, 1))
		name[0] = '\0';
	if (fuzz_event_open(caller, &driver, name, kind, make, &handle)) {
		fuzz_thing_unreserve(thing);
	} else if (driver.thing) {
		fuzz_thing_publish(thing, handle, driver.thing->reg);
	} else {
		/*
		 * The other module may unregister its driver at any time: do not keep the handle.
		 */
		d2d_event_close(handle);
		fuzz_thing_unreserve(thing);
	}
out:
	fuzz_unpick(&driver);
}

static void play_close(struct fuzz_caller *caller)
{
	struct fuzz_pick event = fuzz_pick(caller, FUZZ_EVENT, false);

	fuzz_event_close(caller, &event);
	fuzz_unpick(&event);
}

static void play_handler(struct fuzz_caller *caller)
{
	struct fuzz_pick event = fuzz_pick(caller, FUZZ_EVENT, true);

	fuzz_event_on_set(caller, &event, fuzz_chance(caller, 25));
	fuzz_unpick(&event);
}

static void play_events(struct fuzz_caller *caller)
{
	struct fuzz_pick events[6];
	u32 count = 1 + fuzz_below(caller, ARRAY_SIZE(events));
	u32 flags = fuzz_below(caller, 4);

	if (fuzz_chance(caller, 2))
		flags |= 4;
	for (u32 n = 0; n < count; n++)
		events[n] = fuzz_pick(caller, FUZZ_EVENT, true);
	fuzz_event_wait(caller, events, count, flags, any_limit(caller, events, count));
	for (u32 n = 0; n < count; n++)
		fuzz_unpick(&events[n]);
}

/* A routine makes none of the last five plays. */
void fuzz_play_may_sleep(struct fuzz_caller *caller)
{
	static const struct {
		u32 weight;
		void (*play)(struct fuzz_caller *caller);
	} plays[] = {
		{ 22, play_alloc }, { 24, play_request }, { 8, play_wait }, { 18, play_open },
		{ 2, play_handler }, { 10, play_close }, { 6, play_events },
		{ 4, fuzz_play_register }, { 1, fuzz_play_unregister }, { 1, fuzz_play_leave },
		{ 2, fuzz_play_attach }, { 2, fuzz_play_detach },
	};
	u32 chance = fuzz_below(caller, caller->in_routine ? 90 : 100);

	fuzz_fail_nth(fuzz_chance(caller, 5) ? 1 + fuzz_below(caller, 6) : 0);
	for (u32 n = 0; n < ARRAY_SIZE(plays); n++) {
		if (chance < plays[n].weight) {
			plays[n].play(caller);
			break;
		}
		chance -= plays[n].weight;
	}
	fuzz_fail_nth(0);
}
