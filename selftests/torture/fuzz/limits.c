// SPDX-License-Identifier: GPL-2.0
/*
 * Plays that reach the limits of the owner's tables. Each play has a driver of its own, but all
 * drivers share the tables, so other actors also get these errors. fuzz_forget() leaves a driver
 * registered.
 */
#include <linux/completion.h>
#include <linux/errno.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "fuzz.h"

#define WAITERS	80
/* More than the owner's tables can hold. */
#define MOST	(D2D_EVENT_MAX_OPEN + 1)

static DEFINE_MUTEX(limits_lock);
static d2d_handle *handles;

/* The dispatch routine of these drivers: fails every request. */
static int refuse(void *self, const struct d2d_request *request)
{
	d2d_complete(request->handle, -EPERM, 0);
	return -EPERM;
}

static int register_one(const char *what, u32 number, d2d_handle *handle)
{
	struct d2d_driver object = fuzz_driver_object("", NULL);

	snprintf(object.name, sizeof(object.name), "%s.%s%u", THIS_MODULE->name, what, number);
	object.dispatch = refuse;
	object.returned = NULL;
	object.completed = NULL;
	object.cancelled = NULL;
	return d2d_register(&object, handle);
}

static void unregister_one(d2d_handle handle)
{
	int err = d2d_unregister(handle);

	if (err)
		fuzz_violation("driver-left", "handle=0x%llx err=%d", handle, err);
}

static void expect(struct fuzz_caller *caller, enum fuzz_call call, u32 count, u32 most, int err,
		   int expected)
{
	/* The fuzzer's other module may have reached the limit on all handles meanwhile. */
	bool is_full = err == expected || (err == -EMFILE && call == FUZZ_EVENT_CREATE) ||
		       (err == -ENFILE && call == FUZZ_EVENT_CREATE);

	fuzz_judge(caller, call, err, NULL, 0, 0);
	if (!is_full || count > most)
		fuzz_violation("limit", "call=%s count=%u most=%u err=%d", fuzz_call_name(call),
			       count, most, err);
}

static void many_drivers(struct fuzz_caller *caller)
{
	int err = 0;
	u32 count;

	for (count = 0; count < MOST; count++) {
		err = register_one("many", count, &handles[count]);
		if (err)
			break;
	}
	expect(caller, FUZZ_REGISTER, count, 127, err, -ENFILE);
	while (count--)
		unregister_one(handles[count]);
}

static void many_requests(struct fuzz_caller *caller, d2d_handle driver)
{
	int err = 0;
	u32 count;

	for (count = 0; count < MOST; count++) {
		err = d2d_request_alloc(driver, 0, 0, &handles[count]);
		if (err)
			break;
	}
	expect(caller, FUZZ_ALLOC, count, 4096, err, -EAGAIN);
	/* Free half of the requests here; d2d_unregister() frees the rest. */
	for (u32 n = 0; n < count / 2; n++)
		d2d_request_free(handles[n]);
}

static void many_events(struct fuzz_caller *caller, d2d_handle driver)
{
	char name[32];
	int err = 0;
	u32 count;

	for (count = 0; count < MOST; count++) {
		snprintf(name, sizeof(name), "%s.many%u", THIS_MODULE->name, count);
		err = d2d_event_create(driver, name, 0, 0, &handles[count]);
		if (err)
			break;
	}
	expect(caller, FUZZ_EVENT_CREATE, count, D2D_EVENT_MAX, err, -ENFILE);
}

static void many_openings(struct fuzz_caller *caller, d2d_handle driver)
{
	char name[32];
	int err = 0;
	u32 count;

	snprintf(name, sizeof(name), "%s.open", THIS_MODULE->name);
	for (count = 0; count < MOST; count++) {
		err = d2d_event_create(driver, name, 0, 0, &handles[count]);
		if (err)
			break;
	}
	expect(caller, FUZZ_EVENT_CREATE, count, D2D_EVENT_MAX_OPEN, err, -EMFILE);
	for (u32 n = 0; n < count / 2; n++)
		d2d_event_close(handles[n]);
}

static struct {
	d2d_handle event;
	atomic_t refused;
	atomic_t left;
	struct completion done;
} crowd;

static int wait_in_crowd(void *unused)
{
	int err = d2d_event_wait(&crowd.event, 1, 0, FUZZ_LONGEST_MS, NULL);

	if (err == -EAGAIN)
		atomic_inc(&crowd.refused);
	else if (err && err != -ETIMEDOUT)
		fuzz_violation("limit", "call=d2d_event_wait err=%d", err);
	if (atomic_dec_and_test(&crowd.left))
		complete(&crowd.done);
	return 0;
}

/*
 * Makes more threads wait for an event than the owner allows, so that it refuses some. On a slow
 * machine the threads may wait one after the other, and none is refused.
 */
static void many_waits(struct fuzz_caller *caller, d2d_handle driver)
{
	char name[32];
	int err;

	snprintf(name, sizeof(name), "%s.crowd", THIS_MODULE->name);
	err = d2d_event_create(driver, name, 0, 0, &crowd.event);
	fuzz_judge(caller, FUZZ_EVENT_CREATE, err, NULL, 0, 0);
	if (err)
		return;
	init_completion(&crowd.done);
	atomic_set(&crowd.left, 1);
	for (u32 n = 0; n < WAITERS; n++) {
		atomic_inc(&crowd.left);
		if (IS_ERR(kthread_run(wait_in_crowd, NULL, "%s-wait", THIS_MODULE->name)))
			atomic_dec(&crowd.left);
	}
	if (!atomic_dec_and_test(&crowd.left))
		wait_for_completion(&crowd.done);
	for (u32 n = 0; n < atomic_read(&crowd.refused); n++)
		fuzz_count_errno(FUZZ_EVENT_WAIT, -EAGAIN);
	atomic_set(&crowd.refused, 0);
}

/* Reaches one of the limits. */
void fuzz_play_limits(struct fuzz_caller *caller)
{
	void (* const plays[])(struct fuzz_caller *caller, d2d_handle driver) = {
		many_requests, many_events, many_openings, many_waits,
	};
	u32 which = fuzz_below(caller, ARRAY_SIZE(plays) + 1);
	d2d_handle driver;

	if (!mutex_trylock(&limits_lock))
		return;
	handles = kvcalloc(MOST, sizeof(*handles), GFP_KERNEL);
	if (!handles)
		goto unlock;
	if (which == ARRAY_SIZE(plays)) {
		many_drivers(caller);
	} else if (!register_one("limits", 0, &driver)) {
		plays[which](caller, driver);
		unregister_one(driver);
	}
	kvfree(handles);
unlock:
	mutex_unlock(&limits_lock);
}

/*
 * Leaves a driver registered, with an event and a request that is on its way. When the module is
 * unloaded, the owner removes the driver.
 */
void fuzz_forget(void)
{
	struct d2d_send send = d2d_send_to(0, D2D_PAIR_IOCTL_PEND);
	d2d_handle driver, request, event;
	u64 key = fuzz_seed;
	int err;

	err = register_one("forgotten", 0, &driver);
	/* The other module may have reached the limit just now. */
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
