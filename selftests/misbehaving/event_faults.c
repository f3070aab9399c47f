// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a driver in C that misuses an event. The parameter "fault" says how. The init fails with
 * the errno of the misuse, or with -ENOTRECOVERABLE if the owner accepts the misuse. With
 * fault=none, the module stays loaded.
 *
 * Events need no context, so the driver does not attach. d2d_unregister() closes the
 * driver's handles.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "d2d_event.h"
#include "d2d_table.h"

static char *fault = "none";
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "What to do wrong");

static d2d_handle self;
static d2d_handle event;

static bool fault_is(const char *name)
{
	return !strcmp(fault, name);
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

/* Nobody sets an event of this test, so a wait that the owner accepts times out. */
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

static int ignore_set(void *argument, d2d_handle handle)
{
	return 0;
}

/* The event gets as many handlers as it may have, then one more, which the owner must refuse. */
static int many_handlers(void)
{
	d2d_handle another;
	int err = 0;
	u32 n;

	for (n = 0; n < D2D_EVENT_MAX_WAITS && !err; n++)
		err = d2d_event_open(self, "fault", D2D_EVENT_SYNCHRONIZATION, &another) ?:
		      d2d_event_on_set(another, ignore_set, NULL);
	return err ? -ENOTRECOVERABLE : d2d_event_on_set(event, ignore_set, NULL);
}

static int misuse(void)
{
	d2d_handle pair[2] = { event, event };

	if (fault_is("event-twice"))
		return wait(pair, 2, 0, NULL);
	if (fault_is("no-events"))
		return wait(NULL, 1, 0, NULL);
	if (fault_is("unreadable-events"))
		return wait((void *)PAGE_SIZE, 1, 0, NULL);
	if (fault_is("bad-index"))
		return wait(&event, 1, 0, (void *)((char *)&event + 1));
	if (fault_is("bad-flags"))
		return wait(&event, 1, 4, NULL);
	if (fault_is("too-many"))
		return wait(&event, U32_MAX, 0, NULL);
	if (fault_is("wait-under-lock"))
		return wait_under_lock();
	if (fault_is("timeout"))
		return wait(&event, 1, D2D_EVENT_WAIT_ALL | D2D_EVENT_WAIT_INTERRUPTIBLE, NULL);
	if (fault_is("handler-outside-text"))
		return d2d_event_on_set(event, (void *)&event, NULL);
	if (fault_is("too-many-handlers"))
		return many_handlers();
	if (fault_is("not-closed"))
		return 0;

	if (d2d_event_close(event))
		return -ENOTRECOVERABLE;
	if (fault_is("closed-twice"))
		return d2d_event_close(event);
	if (fault_is("set-when-closed"))
		return d2d_event_set(event);
	if (fault_is("reset-when-closed"))
		return d2d_event_reset(event);
	if (fault_is("query-when-closed"))
		return d2d_event_query(event);
	if (fault_is("on-set-when-closed"))
		return d2d_event_on_set(event, ignore_set, NULL);
	if (fault_is("wait-when-closed"))
		return wait(&event, 1, 0, NULL);
	/* d2d_event_ring() has no result, and must ignore a stale handle. */
	if (fault_is("ring-when-closed"))
		d2d_event_ring(event);
	return 0;
}

/* Waits for so many events that the owner must allocate memory for the wait. */
static int behave(void)
{
	d2d_handle events[6];
	char name[] = "fault0";
	int err = 0;
	u32 n;

	for (n = 0; n < ARRAY_SIZE(events) && !err; n++) {
		name[strlen("fault")] = '0' + n;
		err = d2d_event_create(self, name, D2D_EVENT_SYNCHRONIZATION, 0, &events[n]) ?:
		      d2d_event_open(self, name, D2D_EVENT_SYNCHRONIZATION, &event);
	}
	if (err)
		return err;
	err = wait(events, ARRAY_SIZE(events), 0, NULL);
	return err == -ETIMEDOUT ? 0 : err;
}

/* Only the last call is wrong: its driver's name leaves no room for the name of the event. */
static int open_of_long_name(void)
{
	char name[D2D_EVENT_NAME_SIZE] = {};

	memset(name, 'x', sizeof(name) - 1);
	return d2d_event_create_of(self, KBUILD_MODNAME, "fault", D2D_EVENT_NOTIFICATION, 0,
				   &event) ?:
	       d2d_event_open_of(self, KBUILD_MODNAME, "fault", D2D_EVENT_NOTIFICATION, &event) ?:
	       d2d_event_open_of(self, name, "fault", D2D_EVENT_NOTIFICATION, &event);
}

static int misbehave(void)
{
	if (fault_is("none"))
		return behave();
	if (fault_is("no-name"))
		return create(NULL, D2D_EVENT_NOTIFICATION);
	if (fault_is("unreadable-name"))
		return create((void *)PAGE_SIZE, D2D_EVENT_NOTIFICATION);
	if (fault_is("empty-name"))
		return create("", D2D_EVENT_NOTIFICATION);
	if (fault_is("long-name-of-a-driver"))
		return open_of_long_name();
	if (fault_is("bad-kind"))
		return create("fault", 2);
	if (fault_is("no-handle"))
		return d2d_event_create(self, "fault", D2D_EVENT_NOTIFICATION, 0, NULL);
	if (fault_is("unknown-event"))
		return d2d_event_open(self, "fault", D2D_EVENT_NOTIFICATION, &event);
	if (fault_is("unknown-driver"))
		return d2d_event_create(self + 1, "fault", D2D_EVENT_NOTIFICATION, 0, &event);
	return create("fault", D2D_EVENT_SYNCHRONIZATION) ?: misuse();
}

static int __init event_faults_init(void)
{
	int err;

	err = d2d_register(&driver, &self);
	if (err)
		return err;
	err = misbehave();
	if (!err && fault_is("none"))
		return 0;
	d2d_unregister(self);
	return err ?: -ENOTRECOVERABLE;
}
module_init(event_faults_init);

static void __exit event_faults_exit(void)
{
	d2d_unregister(self);
}
module_exit(event_faults_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a driver that does one thing wrong with an event");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(torture_owner);
