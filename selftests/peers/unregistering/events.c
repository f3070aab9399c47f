// SPDX-License-Identifier: GPL-2.0
/*
 * The subject "event" of unregistering.c: a driver unregisters while two events are in one of the
 * stages below. The drivers "opener" and "other" have opened the events; in the stage "watched",
 * only "opener" has.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/string.h>

#include "unregistering.h"

/* A time limit in ms that does not expire */
#define LONG	600000
/* The number of events */
#define COUNT	2
/* The number of handles that do_close() closes */
#define MANY	64

enum { OPENER, OTHER, WAITER };

static const char * const names[COUNT] = { "unregistering.one", "unregistering.two" };

static u32 kind;
static d2d_handle handles[DRIVERS][COUNT];
static d2d_handle many[MANY];
static bool stop;
static int calls;
static struct completion has_unregistered;	/* the thread "unregister" has ended */

static struct unreg_driver * const opener = &drivers[OPENER];
static struct unreg_driver * const other = &drivers[OTHER];
static struct unreg_driver * const waiter = &drivers[WAITER];

/* What the threads do */

static void do_wait(struct unreg_thread *thread)
{
	thread->err = d2d_event_wait(thread->events, thread->count, thread->flags, thread->ms,
				     NULL);
}

static void do_send(struct unreg_thread *thread)
{
	struct d2d_send send = d2d_send_to(other->target, 1);
	struct d2d_result result;
	d2d_handle request;

	thread->err = d2d_request_alloc(waiter->self, 0, 0, &request);
	if (thread->err)
		return;
	thread->err = d2d_request_send(request, &send) ?:
		      d2d_request_wait(request, D2D_FOREVER, &result);
	thread->has_status = !thread->err;
	thread->status = result.status;
	d2d_request_free(request);
}

/* Calls once() until it fails, or until end() sets `stop`. */
static void repeat(struct unreg_thread *thread, int (*once)(void))
{
	do {
		thread->err = once();
		WRITE_ONCE(calls, calls + 1);
		usleep_range(20, 50);
	} while (thread->err >= 0 && !READ_ONCE(stop));
	thread->err = min(thread->err, 0);
}

static int set(void)
{
	return d2d_event_set(handles[OPENER][0]);
}

static int set_in_hardirq(void)
{
	return unreg_in_hardirq(set);
}

static int reset(void)
{
	return d2d_event_reset(handles[OPENER][0]);
}

static int create(void)
{
	d2d_handle event;

	return d2d_event_create(opener->self, "unregistering.three", kind, 0, &event) ?:
	       d2d_event_close(event);
}

static int open(void)
{
	d2d_handle event;

	return d2d_event_open(opener->self, names[0], kind, &event) ?: d2d_event_close(event);
}

static void do_set(struct unreg_thread *thread)
{
	repeat(thread, set);
}

static void do_set_in_hardirq(struct unreg_thread *thread)
{
	repeat(thread, set_in_hardirq);
}

static void do_reset(struct unreg_thread *thread)
{
	repeat(thread, reset);
}

static void do_create(struct unreg_thread *thread)
{
	repeat(thread, create);
}

static void do_open(struct unreg_thread *thread)
{
	repeat(thread, open);
}

/*
 * Before closing the last handle, waits until the thread "unregister" has ended. So at least one
 * handle is open while a driver unregisters.
 */
static void do_close(struct unreg_thread *thread)
{
	for (int n = 0; n < MANY && !thread->err; n++) {
		if (n == MANY - 1)
			wait_for_completion(&has_unregistered);
		thread->err = d2d_event_close(many[n]);
		WRITE_ONCE(calls, calls + 1);
		usleep_range(20, 50);
	}
}

/* Common to the stages */

static int create_all(struct unreg_driver *driver, d2d_handle *opened)
{
	int err = 0;

	for (int n = 0; n < COUNT && !err; n++)
		err = d2d_event_create(driver->self, names[n], kind, 0, &opened[n]);
	return err;
}

static int create_for_opener(const char *how)
{
	kind = strcmp(how, "synchronization") ? D2D_EVENT_NOTIFICATION : D2D_EVENT_SYNCHRONIZATION;
	memset(handles, 0, sizeof(handles));
	memset(many, 0, sizeof(many));
	WRITE_ONCE(stop, false);
	WRITE_ONCE(calls, 0);
	init_completion(&has_unregistered);
	return create_all(opener, handles[OPENER]);
}

static int create_for_both(const char *how)
{
	return create_for_opener(how) ?: create_all(other, handles[OTHER]);
}

static int wait_by(const char *name, const d2d_handle *by, u32 flags, u32 ms)
{
	return unreg_settle(unreg_start(name, do_wait, (struct unreg_thread){
		.events = by, .count = COUNT, .flags = flags, .ms = ms,
	}, -1));
}

static int wait_by_both(const char *how, u32 flags, u32 ms)
{
	return create_for_both(how) ?: wait_by("opener", handles[OPENER], flags, ms) ?:
	       wait_by("other", handles[OTHER], flags, ms);
}

static int wait_mixed(const char *how, u32 flags)
{
	static d2d_handle mixed[COUNT];
	int err = create_for_both(how);

	if (err)
		return err;
	mixed[0] = handles[OPENER][0];
	mixed[1] = handles[OTHER][1];
	return wait_by("mixed", mixed, flags, D2D_EVENT_FOREVER);
}

static int start_repeating(const char *name, void (*run)(struct unreg_thread *thread))
{
	if (!unreg_start(name, run, (struct unreg_thread){}, -1))
		return -ENOMEM;
	while (READ_ONCE(calls) < 2) {
		if (unreg_time_left() == 1)
			return -ETIMEDOUT;
		usleep_range(50, 100);
	}
	return 0;
}

/* The stages */

static int reach_open(const char *how)
{
	return create_for_both(how);
}

static int reach_alone(const char *how)
{
	return create_for_opener(how);
}

static int reach_waited_any(const char *how)
{
	return wait_by_both(how, 0, D2D_EVENT_FOREVER);
}

static int reach_waited_all(const char *how)
{
	return wait_by_both(how, D2D_EVENT_WAIT_ALL, D2D_EVENT_FOREVER);
}

static int reach_waited_timed(const char *how)
{
	return wait_by_both(how, 0, LONG);
}

static int reach_waited_interruptible(const char *how)
{
	return wait_by_both(how, D2D_EVENT_WAIT_INTERRUPTIBLE, D2D_EVENT_FOREVER);
}

static int reach_waited_mixed_any(const char *how)
{
	return wait_mixed(how, 0);
}

static int reach_waited_mixed_all(const char *how)
{
	return wait_mixed(how, D2D_EVENT_WAIT_ALL);
}

/* The dispatch routine of "other" waits in the sending thread. */
static int reach_waited_inside(const char *how)
{
	int err = create_for_both(how);

	if (err)
		return err;
	other->in_dispatch = WAITS;
	other->event = handles[OTHER][0];
	return unreg_settle(unreg_start("send", do_send, (struct unreg_thread){}, -1));
}

static int reach_set(const char *how)
{
	return create_for_both(how) ?: start_repeating("set", do_set);
}

static int reach_set_in_hardirq(const char *how)
{
	return create_for_both(how) ?: start_repeating("set", do_set_in_hardirq);
}

static int reach_reset(const char *how)
{
	return create_for_both(how) ?: start_repeating("reset", do_reset);
}

static int reach_created(const char *how)
{
	return create_for_both(how) ?: start_repeating("create", do_create);
}

static int reach_opened(const char *how)
{
	return create_for_both(how) ?: start_repeating("open", do_open);
}

static int reach_closed(const char *how)
{
	int err = create_for_both(how);

	for (int n = 0; n < MANY && !err; n++)
		err = d2d_event_open(opener->self, names[0], kind, &many[n]);
	return err ?: start_repeating("close", do_close);
}

static const struct stage stages[] = {
	{ "open", reach_open },
	{ "waited-any", reach_waited_any },
	{ "waited-all", reach_waited_all },
	{ "waited-timed", reach_waited_timed },
	{ "waited-interruptible", reach_waited_interruptible },
	{ "waited-mixed-any", reach_waited_mixed_any },
	{ "waited-mixed-all", reach_waited_mixed_all },
	{ "waited-inside", reach_waited_inside },
	{ "set", reach_set },
	{ "set-in-hardirq", reach_set_in_hardirq },
	{ "reset", reach_reset },
	{ "created", reach_created },
	{ "opened", reach_opened },
	{ "closed", reach_closed },
	/* The test starts a program that watches the first event. */
	{ "watched", reach_alone },
	{ "watched-by-two", reach_open },
	{}
};

/*
 * Unregistering must end without help, so this function awaits it first. Then it sets the events
 * until all waits have ended: setting a synchronization event ends only one wait.
 */
static void end(void)
{
	static const char * const waits[] = { "opener", "other", "mixed", "send" };
	bool waiting;

	unreg_await("unregister");
	complete_all(&has_unregistered);
	/*
	 * If opener has unregistered, the owner must refuse the calls of repeat(). So do not set
	 * `stop` then: if the owner wrongly accepts the calls, the thread does not end, and the
	 * test fails.
	 */
	WRITE_ONCE(stop, !opener->unregistered);
	do {
		for (int n = 0; n < DRIVERS; n++)
			for (int event = 0; event < COUNT; event++)
				d2d_event_ring(handles[n][event]);
		usleep_range(50, 100);
		waiting = false;
		for (size_t n = 0; n < ARRAY_SIZE(waits); n++)
			waiting |= unreg_is_running(waits[n]);
	} while (waiting && unreg_time_left() > 1);
}

static void report(void)
{
	static const char * const query[] = { [OPENER] = "opener.query", [OTHER] = "other.query" };

	for (int n = OPENER; n <= OTHER; n++) {
		if (!handles[n][0])
			continue;
		if (!drivers[n].unregistered)
			d2d_event_reset(handles[n][0]);
		unreg_note_error(query[n], d2d_event_query(handles[n][0]));
	}
}

static void clean(void)
{
	for (int n = 0; n < DRIVERS; n++)
		for (int event = 0; event < COUNT; event++)
			if (handles[n][event] && !drivers[n].unregistered)
				d2d_event_close(handles[n][event]);
	for (int n = 0; n < MANY && many[n] && !opener->unregistered; n++)
		d2d_event_close(many[n]);
}

const struct subject events = {
	.name = "event",
	.names = { "opener", "other", "waiter", "bystander" },
	.stages = stages,
	.unregister = unreg_unregister,
	.end = end,
	.report = report,
	.clean = clean,
};
