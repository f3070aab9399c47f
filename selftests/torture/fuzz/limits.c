// SPDX-License-Identifier: GPL-2.0
/*
 * Part of the fuzzer (fuzz.h). Plays that fill the owner's tables. While a table is full, the owner
 * refuses other players, too.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fuzz.h"

#define WAITERS	80
/* Limits of the owner that no header of the library names */
#define MOST_DRIVERS	127	/* besides the owner's own */
#define MOST_REQUESTS	4096
#define MOST_WAITS	63	/* for one request */
#define TRIES_TO_ATTACH	1000
#define TOO_MANY	(D2D_EVENT_MAX_OPEN + 1)	/* more than each limit */

#define CODE_PEND	D2D_CTL_CODE(0x8ff, D2D_METHOD_BUFFERED)

static d2d_handle *handles;

/* Pends many_waits()'s request. */
static int dispatch(void *self, const struct d2d_request *request)
{
	if (request->code == CODE_PEND)
		return -D2D_STATUS_PENDING;
	d2d_complete(request->handle, -EPERM, 0);
	return -EPERM;
}

static int register_one(const char *what, u32 number, d2d_handle *handle)
{
	struct d2d_driver object = fuzz_driver_object("", NULL);

	snprintf(object.name, sizeof(object.name), "%s.%s%u", THIS_MODULE->name, what, number);
	object.dispatch = dispatch;
	object.returned = NULL;
	object.completed = NULL;
	object.cancelled = NULL;
	return d2d_register(&object, handle);
}

static void unregister_one(d2d_handle handle)
{
	int err = d2d_unregister(handle);

	if (err)
		fuzz_violation("driver-not-unregistered", "handle=0x%llx err=%d", handle, err);
}

/* After @count successes, at most @most, a call must fail with @expected. */
static void expect(struct fuzz_caller *caller, enum fuzz_call call, u32 count, u32 most, int err,
		   int expected)
{
	/*
	 * The owner limits its events (-ENFILE) and their handles (-EMFILE). The other module may
	 * use the owner, too, so a call may reach either limit first.
	 */
	bool is_full = err == expected || (err == -EMFILE && call == FUZZ_EVENT_CREATE) ||
		       (err == -ENFILE && call == FUZZ_EVENT_CREATE);

	fuzz_judge(caller, call, err, NULL, 0, false);
	if (!is_full || count > most)
		fuzz_violation("limit", "call=%s count=%u most=%u err=%d", fuzz_call_name(call),
			       count, most, err);
}

static void many_drivers(struct fuzz_caller *caller, d2d_handle driver)
{
	int err = 0;
	u32 count;

	for (count = 0; count < TOO_MANY; count++) {
		err = register_one("many", count, &handles[count]);
		if (err)
			break;
	}
	expect(caller, FUZZ_REGISTER, count, MOST_DRIVERS, err, -ENFILE);
	while (count--)
		unregister_one(handles[count]);
}

static void many_requests(struct fuzz_caller *caller, d2d_handle driver)
{
	int err = 0;
	u32 count;

	for (count = 0; count < TOO_MANY; count++) {
		err = d2d_request_alloc(driver, 0, 0, &handles[count]);
		if (err)
			break;
	}
	expect(caller, FUZZ_REQUEST_ALLOC, count, MOST_REQUESTS, err, -EAGAIN);
	/*
	 * While all requests are allocated, d2d_attach() fails with -EAGAIN. Try until it does:
	 * other players may free requests, and other drivers may have all contexts.
	 */
	for (u32 tries = 0; tries < TRIES_TO_ATTACH && count < TOO_MANY; tries++) {
		while (!d2d_request_alloc(driver, 0, 0, &handles[count]))
			count++;
		err = d2d_attach(driver);
		fuzz_judge(caller, FUZZ_ATTACH, err, NULL, 0, false);
		if (err == -EAGAIN)
			break;
		usleep_range(100, 200);
	}
	/* d2d_unregister() frees the other half. */
	for (u32 n = 0; n < count / 2; n++)
		d2d_request_free(handles[n]);
}

static void many_events(struct fuzz_caller *caller, d2d_handle driver)
{
	char name[32];
	int err = 0;
	u32 count;

	for (count = 0; count < TOO_MANY; count++) {
		snprintf(name, sizeof(name), "%s.many%u", THIS_MODULE->name, count);
		err = d2d_event_create(driver, name, 0, 0, &handles[count]);
		if (err)
			break;
	}
	expect(caller, FUZZ_EVENT_CREATE, count, D2D_EVENT_MAX, err, -ENFILE);
}

static void many_openings(struct fuzz_caller *caller, d2d_handle driver)
{
	d2d_handle event;
	u32 count, opened;
	char name[32];
	int err = 0;

	snprintf(name, sizeof(name), "%s.open", THIS_MODULE->name);
	for (count = 0; count < TOO_MANY; count++) {
		err = d2d_event_create(driver, name, 0, 0, &handles[count]);
		if (err)
			break;
	}
	expect(caller, FUZZ_EVENT_CREATE, count, D2D_EVENT_MAX_OPEN, err, -EMFILE);
	err = d2d_event_open(driver, name, 0, &event);
	fuzz_judge(caller, FUZZ_EVENT_OPEN, err, NULL, 0, false);
	for (err = 0, opened = count, count = 0; count < opened && !err; count += !err)
		err = d2d_event_on_set(handles[count], fuzz_event_was_set, NULL);
	expect(caller, FUZZ_EVENT_ON_SET, count, D2D_EVENT_MAX_WAITS, err, -EAGAIN);
	for (u32 n = 0; n < opened / 2; n++)
		d2d_event_close(handles[n]);
}

/* More threads than the owner allows, which wait for one event or request */
static struct {
	d2d_handle event;	/* 0: they wait for the request */
	d2d_handle request;
	atomic_t refused;
	atomic_t running;
	struct completion enough;	/* the owner has refused all waits above its limit */
	struct completion done;
} crowd;

static int wait_in_crowd(void *most)
{
	struct d2d_result result;
	int err;

	if (crowd.event)
		err = d2d_event_wait(&crowd.event, 1, 0, FUZZ_PATIENCE_MS, NULL);
	else
		err = d2d_request_wait(crowd.request, FUZZ_PATIENCE_MS, &result);
	if (err == -EAGAIN && atomic_inc_return(&crowd.refused) == WAITERS - (long)most)
		complete(&crowd.enough);
	else if (err && err != -EAGAIN && err != -ETIMEDOUT)
		fuzz_violation("limit", "call=%s err=%d", crowd.event ? "d2d_event_wait" :
			       "d2d_request_wait", err);
	if (atomic_dec_and_test(&crowd.running))
		complete(&crowd.done);
	return 0;
}

/*
 * WAITERS threads wait. The owner accepts @most waits. When it has refused all others, end() ends
 * the waits.
 */
static void gather(enum fuzz_call call, long most, void (*end)(void))
{
	init_completion(&crowd.enough);
	init_completion(&crowd.done);
	atomic_set(&crowd.refused, 0);
	atomic_set(&crowd.running, 1);
	for (u32 n = 0; n < WAITERS; n++) {
		atomic_inc(&crowd.running);
		if (IS_ERR(kthread_run(wait_in_crowd, (void *)most, "%s-wait", THIS_MODULE->name)))
			atomic_dec(&crowd.running);
	}
	wait_for_completion_timeout(&crowd.enough, msecs_to_jiffies(FUZZ_PATIENCE_MS));
	end();
	if (!atomic_dec_and_test(&crowd.running))
		wait_for_completion(&crowd.done);
	if (atomic_read(&crowd.refused) > WAITERS - most)
		fuzz_violation("limit", "call=%s refused=%d most=%ld", fuzz_call_name(call),
			       atomic_read(&crowd.refused), most);
	for (u32 n = 0; n < atomic_read(&crowd.refused); n++)
		fuzz_count(call, -EAGAIN, NULL, 0);
}

static void set_event_of_crowd(void)
{
	d2d_event_set(crowd.event);
}

static void cancel_request_of_crowd(void)
{
	d2d_request_cancel(crowd.request);
}

static void many_waits(struct fuzz_caller *caller, d2d_handle driver)
{
	struct d2d_send send = d2d_send_to(0, CODE_PEND);
	char name[32];
	int err;

	snprintf(name, sizeof(name), "%s.crowd", THIS_MODULE->name);
	err = d2d_event_create(driver, name, D2D_EVENT_NOTIFICATION, 0, &crowd.event);
	fuzz_judge(caller, FUZZ_EVENT_CREATE, err, NULL, 0, false);
	if (!err)
		gather(FUZZ_EVENT_WAIT, D2D_EVENT_MAX_WAITS, set_event_of_crowd);

	crowd.event = 0;
	snprintf(name, sizeof(name), "%s.limits0", THIS_MODULE->name);
	err = d2d_request_alloc(driver, 0, 0, &crowd.request);
	fuzz_judge(caller, FUZZ_REQUEST_ALLOC, err, NULL, 0, false);
	err = err ?: d2d_lookup(name, &send.to) ?: d2d_request_send(crowd.request, &send);
	if (err == -EINPROGRESS)
		gather(FUZZ_REQUEST_WAIT, MOST_WAITS, cancel_request_of_crowd);
}

#ifdef CONFIG_FAILSLAB
/*
 * The first tries may allocate nothing: the owner uses memory that it has kept, or a table is full.
 */
#define TRIES	4096

/* A request without buffers needs no memory but its record. */
static int alloc_small(d2d_handle driver)
{
	d2d_handle request;

	return d2d_request_alloc(driver, 0, 0, &request);
}

/* Attaches when the owner has no memory for another record. */
static int attach(d2d_handle driver)
{
	int err;

	fuzz_fail_nth(1);
	err = alloc_small(driver);
	if (err != -ENOMEM)
		return err;
	fuzz_fail_nth(1);
	return d2d_attach(driver);
}

static int alloc(d2d_handle driver)
{
	d2d_handle request;

	fuzz_fail_nth(1);
	return d2d_request_alloc(driver, 16, 16, &request);
}

static int create(d2d_handle driver)
{
	d2d_handle event;

	fuzz_fail_nth(1);
	return d2d_event_create(driver, "fuzz.no-memory", 0, 0, &event);
}

/* Creates an event, and then makes the next allocation fail. */
static int create_before(d2d_handle driver, char (*name)[32], d2d_handle *event)
{
	int err;

	snprintf(*name, sizeof(*name), "%s.no-memory", THIS_MODULE->name);
	err = d2d_event_create(driver, *name, 0, 0, event);
	if (!err)
		fuzz_fail_nth(1);
	return err;
}

static int open(d2d_handle driver)
{
	d2d_handle event;
	char name[32];

	return create_before(driver, &name, &event) ?: d2d_event_open(driver, name, 0, &event);
}

static int on_set(d2d_handle driver)
{
	d2d_handle event;
	char name[32];

	return create_before(driver, &name, &event) ?:
	       d2d_event_on_set(event, fuzz_event_was_set, NULL);
}

static int wait(d2d_handle driver)
{
	d2d_handle events[6] = {};

	fuzz_fail_nth(1);
	return d2d_event_wait(events, ARRAY_SIZE(events), 0, 0, NULL);
}

static void no_memory(struct fuzz_caller *caller, d2d_handle driver)
{
	static const struct {
		enum fuzz_call call;
		int (*play)(d2d_handle driver);
	} plays[] = {
		{ FUZZ_ATTACH, attach }, { FUZZ_REQUEST_ALLOC, alloc },
		{ FUZZ_EVENT_CREATE, create }, { FUZZ_EVENT_OPEN, open },
		{ FUZZ_EVENT_WAIT, wait }, { FUZZ_EVENT_ON_SET, on_set },
	};

	for (u32 n = 0; n < ARRAY_SIZE(plays); n++) {
		for (u32 tries = 0; tries < TRIES; tries++) {
			int err = plays[n].play(driver);

			fuzz_fail_nth(0);
			if (err != -ENOMEM)
				continue;
			fuzz_judge(caller, plays[n].call, err, NULL, 0, false);
			break;
		}
	}
}
#else
static void no_memory(struct fuzz_caller *caller, d2d_handle driver)
{
}
#endif

/*
 * Makes the play number @which. Both modules may do so at the same time, with 0 and 1, 2 and 3, or
 * 4 and 5: the two plays fill different tables.
 */
void fuzz_play_limits(struct fuzz_caller *caller, u32 which)
{
	void (* const plays[])(struct fuzz_caller *caller, d2d_handle driver) = {
		many_drivers, many_openings, many_events, many_requests, many_waits, no_memory,
	};
	d2d_handle driver;

	which %= ARRAY_SIZE(plays);
	handles = kvcalloc(TOO_MANY, sizeof(*handles), GFP_KERNEL);
	if (!handles)
		return;
	/* The other module may have reached the limit of drivers just now. */
	for (u32 tries = 0; tries < FUZZ_PATIENCE_MS / 20; tries++) {
		int err = register_one("limits", 0, &driver);

		fuzz_judge(caller, FUZZ_REGISTER, err, NULL, 0, false);
		if (!err) {
			plays[which](caller, driver);
			unregister_one(driver);
			break;
		}
		msleep(20);
	}
	kvfree(handles);
}

/* Leaves a driver registered, which the owner must expel when the module is unloaded. */
void fuzz_forget(void)
{
	struct d2d_send send = d2d_send_to(0, D2D_PAIR_IOCTL_PEND);
	d2d_handle driver, request, event;
	u64 key = fuzz_seed;
	int err;

	err = register_one("forgotten", 0, &driver);
	/* As in fuzz_play_limits() */
	if (err == -ENFILE)
		return;
	if (err) {
		fuzz_violation("limit", "call=d2d_register name=forgotten err=%d", err);
		return;
	}
	send.flags = D2D_SEND_ATOMIC;
	send.input = &key;
	send.input_len = sizeof(key);
	send.output_len = sizeof(key);
	err = d2d_event_create(driver, "fuzz.forgotten", 0, 0, &event) ?:
	      d2d_request_alloc(driver, sizeof(key), sizeof(key), &request) ?:
	      d2d_lookup("module_a", &send.to) ?: d2d_request_send(request, &send);
	if (err && err != -EINPROGRESS && err != -EAGAIN && err != -EMFILE && err != -ENFILE)
		fuzz_violation("limit", "call=d2d_request_send name=forgotten err=%d", err);
}
