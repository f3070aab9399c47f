// SPDX-License-Identifier: GPL-2.0
/*
 * A C driver that does one thing wrong with an event, chosen by the parameter sin.
 * It registers, and never asks for a context: events need none. Its initialization
 * always fails, with the error that it was refused with, or with -ENOTRECOVERABLE if
 * it was not refused. What it has not closed then is closed by its end. With sin=none
 * it creates and opens events, waits for them, and stays loaded.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "d2d_event.h"

static char *sin = "none";
module_param(sin, charp, 0);
MODULE_PARM_DESC(sin, "What to do wrong");

static d2d_handle self;
static d2d_handle event;

static int sinful(const char *name)
{
	return !strcmp(sin, name);
}

static int dispatch(void *this, const struct d2d_request *request)
{
	return d2d_complete(request->handle, -ENOTTY, 0) ?: -ENOTTY;
}

static const struct d2d_driver driver = D2D_DRIVER_INIT(KBUILD_MODNAME, .dispatch = dispatch);

static int create(const char *name, u32 kind)
{
	return d2d_event_create(self, name, kind, 0, &event);
}

/* Waits for an event that nobody sets, so that there is an end. */
static int wait(const d2d_handle *events, u32 count, u32 flags, u32 *index)
{
	return d2d_event_wait(events, count, flags, 1, index);
}

static int wait_under_lock(void)
{
	static DEFINE_SPINLOCK(lock);
	unsigned long flags;
	int err;

	spin_lock_irqsave(&lock, flags);
	err = wait(&event, 1, 0, NULL);
	spin_unlock_irqrestore(&lock, flags);
	return err;
}

/* The sins of somebody who has an event. Returns what they were refused with. */
static int misuse(void)
{
	d2d_handle pair[2] = { event, event };

	if (sinful("event-twice"))
		return wait(pair, 2, 0, NULL);
	if (sinful("no-events"))
		return wait(NULL, 1, 0, NULL);
	if (sinful("unreadable-events"))
		return wait((void *)PAGE_SIZE, 1, 0, NULL);
	if (sinful("bad-index"))
		return wait(&event, 1, 0, (void *)((char *)&event + 1));
	if (sinful("bad-flags"))
		return wait(&event, 1, 4, NULL);
	if (sinful("too-many"))
		return wait(&event, U32_MAX, 0, NULL);
	if (sinful("wait-under-lock"))
		return wait_under_lock();
	if (sinful("timeout"))
		return wait(&event, 1, D2D_EVENT_WAIT_ALL | D2D_EVENT_WAIT_INTERRUPTIBLE, NULL);
	if (sinful("left-open"))
		return 0;

	if (d2d_event_close(event))
		return -ENOTRECOVERABLE;
	if (sinful("closed-twice"))
		return d2d_event_close(event);
	if (sinful("set-when-closed"))
		return d2d_event_set(event);
	if (sinful("reset-when-closed"))
		return d2d_event_reset(event);
	if (sinful("query-when-closed"))
		return d2d_event_query(event);
	if (sinful("wait-when-closed"))
		return wait(&event, 1, 0, NULL);
	/* Nobody is told of that. */
	if (sinful("ring-when-closed"))
		d2d_event_ring(event);
	return 0;
}

/* More events than can be waited for without memory. */
static int behave(void)
{
	d2d_handle events[6];
	char name[] = "sin0";
	int err = 0;
	u32 n;

	for (n = 0; n < ARRAY_SIZE(events) && !err; n++) {
		name[3] = '0' + n;
		err = d2d_event_create(self, name, D2D_EVENT_SYNCHRONIZATION, 0, &events[n]) ?:
		      d2d_event_open(self, name, D2D_EVENT_SYNCHRONIZATION, &event);
	}
	if (err)
		return err;
	err = wait(events, ARRAY_SIZE(events), 0, NULL);
	return err == -ETIMEDOUT ? 0 : err;
}

static int misbehave(void)
{
	if (sinful("none"))
		return behave();
	if (sinful("no-name"))
		return create(NULL, D2D_EVENT_NOTIFICATION);
	if (sinful("unreadable-name"))
		return create((void *)PAGE_SIZE, D2D_EVENT_NOTIFICATION);
	if (sinful("empty-name"))
		return create("", D2D_EVENT_NOTIFICATION);
	if (sinful("bad-kind"))
		return create("sin", 2);
	if (sinful("no-handle"))
		return d2d_event_create(self, "sin", D2D_EVENT_NOTIFICATION, 0, NULL);
	if (sinful("unknown-event"))
		return d2d_event_open(self, "sin", D2D_EVENT_NOTIFICATION, &event);
	if (sinful("unknown-driver"))
		return d2d_event_create(self + 1, "sin", D2D_EVENT_NOTIFICATION, 0, &event);
	return create("sin", D2D_EVENT_SYNCHRONIZATION) ?: misuse();
}

static int __init event_sins_init(void)
{
	int err;

	err = d2d_register(&driver, &self);
	if (err)
		return err;
	err = misbehave();
	if (!err && sinful("none"))
		return 0;
	d2d_unregister(self);
	return err ?: -ENOTRECOVERABLE;
}
module_init(event_sins_init);

static void __exit event_sins_exit(void)
{
	d2d_unregister(self);
}
module_exit(event_sins_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a driver that does one thing wrong with an event");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
