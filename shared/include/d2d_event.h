/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Named events, the counterpart of IoCreateNotificationEvent(), IoCreateSynchronizationEvent() and
 * KeWaitForMultipleObjects() on Windows. Rust drivers have shared/d2d/event.rs.
 *
 * Each driver that creates or opens an event of a name gets a handle of its own for the same event.
 * The event exists until its last handle is closed. When a driver is unregistered, the owner closes
 * the driver's handles, after the last of the driver's routines has returned.
 *
 * A notification event stays set until it is reset; all waits for it end. A synchronization event
 * that is set ends exactly one wait, which resets it. If no thread waits, the event stays set, and
 * the next wait ends at once. A driver can also give the event a handler: see d2d_event_on_set().
 *
 * An event has a user while a thread waits for it, a process watches it, it has a handler, or a
 * driver that is leaving has a handle of it. Without a user, the owner sets, takes, resets or
 * queries the event by one atomic operation. With a user, and when a thread begins to wait, the
 * owner takes the lock of all events, with interrupts disabled (docs/interrupts-off.md).
 *
 * A thread that sets an event ends the waits for it in the order in which they began. A wait for
 * all of several events takes all of them at once, or none.
 *
 * User space can watch an event by the file /sys/kernel/debug/d2d-OWNER/events/NAME: see
 * docs/guide.md. Watching an event does not take it.
 */
#ifndef D2D_EVENT_H
#define D2D_EVENT_H

#include <linux/kernel.h>

#include "d2d.h"

/* Room for the name of an event with its NUL, in bytes. */
#define D2D_EVENT_NAME_SIZE	64
/* The most events in one wait, the most waits for an event, and the most handlers of an event. */
#define D2D_EVENT_MAX_WAITS	64
/* The most events of an owner. */
#define D2D_EVENT_MAX		16384
/* The most handles of an owner's events. */
#define D2D_EVENT_MAX_OPEN	65536

#define D2D_EVENT_NOTIFICATION		0
#define D2D_EVENT_SYNCHRONIZATION	1

/* No limit for a wait. Any timeout of 2^31 ms (24.8 days) or more means the same. */
#define D2D_EVENT_FOREVER	0xffffffffu
/* The wait ends when all of the events are set, not when one of them is. */
#define D2D_EVENT_WAIT_ALL		1
/* A signal ends the wait. */
#define D2D_EVENT_WAIT_INTERRUPTIBLE	2

/**
 * DOC: The functions of events in an owner's table
 *
 * What d2d.h says of its functions holds for these, too. The lists of errors leave out -ENODEV,
 * -ESTALE, and -EFAULT for a bad pointer. A function may be called in any context, unless its
 * comment says otherwise. Only d2d_event_ring() never fails.
 */

/**
 * d2d_event_create() - create an event, or open it if it already exists
 * @driver: the driver to which the new handle belongs
 * @name: the name
 * @kind: D2D_EVENT_NOTIFICATION or D2D_EVENT_SYNCHRONIZATION
 * @initial: if it is not 0, a new event is set. Ignored if the event already exists
 * @event: where to store the handle of the event
 *
 * Context: Task, may sleep.
 *
 * Return: 0, or
 * * %-ENAMETOOLONG - the name has more than 63 bytes
 * * %-EINVAL - the kind is unknown, or the name is empty, "." or "..", or has a '/' or a character
 *   that is not visible ASCII
 * * %-EPROTOTYPE - the event is of the other kind
 * * %-ESHUTDOWN - the driver is leaving
 * * %-ENFILE - too many events
 * * %-EMFILE - too many handles
 * * %-ENOMEM - no memory
 */
int d2d_event_create(d2d_handle driver, const char *name, u32 kind, u32 initial,
		     d2d_handle *event);

/**
 * d2d_event_open() - open an existing event
 * @driver: the driver to which the new handle belongs
 * @name: the name
 * @kind: the kind that the event must have
 * @event: where to store the handle of the event
 *
 * Context: Task, may sleep.
 *
 * Return: as d2d_event_create(), or
 * * %-ENOENT - the event does not exist
 */
int d2d_event_open(d2d_handle driver, const char *name, u32 kind, d2d_handle *event);

/**
 * d2d_event_create_of() - create an event that a pair declares, or open it if it already exists
 * @driver: the driver to which the new handle belongs
 * @of: the name of the driver whose event it is
 * @name: the name of the event in the pair. A macro in the header of the pair expands to this
 *	argument and the next one
 * @kind: its kind
 * @initial: as for d2d_event_create()
 * @event: where to store the handle of the event
 *
 * Context: Task, may sleep.
 *
 * Return: as d2d_event_create()
 */
static inline int d2d_event_create_of(d2d_handle driver, const char *of, const char *name,
				      u32 kind, u32 initial, d2d_handle *event)
{
	/* A name that is too long fills this buffer, and the owner refuses it. */
	char whole[D2D_EVENT_NAME_SIZE + 1];

	snprintf(whole, sizeof(whole), "%s.%s", of, name);
	return d2d_event_create(driver, whole, kind, initial, event);
}

/**
 * d2d_event_open_of() - open an existing event that a pair declares
 * @driver: the driver to which the new handle belongs
 * @of: the name of the driver whose event it is
 * @name: as for d2d_event_create_of()
 * @kind: its kind
 * @event: where to store the handle of the event
 *
 * Context: Task, may sleep.
 *
 * Return: as d2d_event_open()
 */
static inline int d2d_event_open_of(d2d_handle driver, const char *of, const char *name, u32 kind,
				    d2d_handle *event)
{
	char whole[D2D_EVENT_NAME_SIZE + 1];

	snprintf(whole, sizeof(whole), "%s.%s", of, name);
	return d2d_event_open(driver, whole, kind, event);
}

/**
 * d2d_event_close() - close a handle
 * @event: the handle
 *
 * Ends the waits that were begun with the handle, with -ECANCELED. Removes the handle's handler.
 *
 * Context: Task, may sleep.
 *
 * Return: 0
 */
int d2d_event_close(d2d_handle event);

/**
 * d2d_event_set() - set an event
 * @event: the event
 *
 * Return: 1 if the event was set before, otherwise 0
 */
int d2d_event_set(d2d_handle event);

/**
 * d2d_event_reset() - reset an event
 * @event: the event
 *
 * Return: 0
 */
int d2d_event_reset(d2d_handle event);

/**
 * d2d_event_query() - ask whether an event is set, without taking it
 * @event: the event
 *
 * Return: 1 if the event is set, otherwise 0
 */
int d2d_event_query(d2d_handle event);

/**
 * d2d_event_ring() - set an event, and ignore a stale handle
 * @event: the event, which is a doorbell whose driver may have left
 */
void d2d_event_ring(d2d_handle event);

/**
 * d2d_event_wait() - wait until one of the events is set, or all are, and take what is set
 * @events: the events
 * @count: the number of events, 1 to D2D_EVENT_MAX_WAITS
 * @flags: D2D_EVENT_WAIT_...
 * @timeout: the limit in milliseconds, counted in the kernel's ticks, or D2D_EVENT_FOREVER. With
 *	0, the function takes what is set, without waiting
 * @index: where to store the index of the event that was taken (0 with D2D_EVENT_WAIT_ALL), or
 *	NULL. If several are set, the wait takes the first one in the array
 *
 * If the memory at @index disappears during the wait, the owner sets each synchronization event
 * that the wait has taken, so that no set is lost. It leaves out an event whose handle was closed.
 *
 * Context: Any context with a timeout of 0. Otherwise it may sleep.
 *
 * Return: 0, or
 * * %-EINVAL - no event, more than 64, one of them twice, or unknown flags
 * * %-EDEADLK - the caller must not sleep (see d2d_request_send())
 * * %-EAGAIN - 64 threads wait for one of the events
 * * %-ENOMEM - no memory; only with more than four events
 * * %-ETIMEDOUT - the limit has passed, or with a timeout of 0 no event is set
 * * %-ERESTARTSYS - a signal came
 * * %-ECANCELED - one of the handles was closed, or its driver is being detached or has left
 */
int d2d_event_wait(const d2d_handle *events, u32 count, u32 flags, u32 timeout, u32 *index);

/**
 * typedef d2d_event_routine - what is called when an event is set
 * @argument: that of d2d_event_on_set()
 * @event: the handle with which d2d_event_on_set() was called
 *
 * The owner calls the routine in the execution context of the thread that sets the event, which may
 * be any. The call is inside an RCU read-side critical section, so the routine does not sleep. The
 * routine takes no lock that a thread may hold while it sets the event. It may set other events,
 * unless their handlers lead back to this routine. Several calls of the routine may run at once.
 *
 * Return: 0, or a negative errno if the driver cannot react to the event any more. Then the owner
 * does not call the routine again, and a synchronization event goes to the next handler, or stays
 * set.
 */
typedef int (*d2d_event_routine)(void *argument, d2d_handle event);

/**
 * d2d_event_on_set() - have a routine called when an event is set
 * @event: the event
 * @routine: the routine, in the text of the module of the driver to which the handle belongs; or
 *	NULL to remove the handler
 * @argument: its argument
 *
 * A handle has at most one handler. If the event is set already, this function calls @routine.
 *
 * Whenever a thread sets a notification event, even one that is set already, the owner calls all
 * handlers. Setting a synchronization event ends one wait; if it ends none, one handler takes the
 * event. The handlers take it in turn. If the handler that has taken the event fails, or is removed
 * before its call, the owner sets the event once more. If several threads set the event at the same
 * time, the owner may call the routine only once, after the last of them has set it. Resetting the
 * event does not cancel a call that is due.
 *
 * The routine does not run, and is not called any more, when one of these functions has returned:
 *
 * - d2d_event_on_set() with NULL or another routine;
 * - d2d_event_close() for the handle;
 * - d2d_leave() or d2d_unregister() for the driver.
 *
 * They wait for a grace period of RCU. A driver calls d2d_leave() before it stops what the routine
 * starts: until then, the routine may start it again.
 *
 * Context: Task, may sleep.
 *
 * Return: 0, or
 * * %-ENOEXEC - the routine is outside the module's text, or in its init text
 * * %-ESHUTDOWN - the driver is leaving
 * * %-EAGAIN - the event has 64 handlers
 * * %-ENOMEM - no memory
 */
int d2d_event_on_set(d2d_handle event, d2d_event_routine routine, void *argument);

#endif /* D2D_EVENT_H */
