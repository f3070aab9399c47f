/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: named events, which tell other drivers a state. The counterpart of
 * IoCreateNotificationEvent(), IoCreateSynchronizationEvent() and
 * KeWaitForMultipleObjects() on Windows. Rust drivers have shared/d2d/event.rs.
 *
 * The first driver that creates an event of a name makes it. Each driver that later creates or
 * opens an event of this name gets a handle of its own for the same event. The event exists until
 * its last handle is closed. The owner closes the handles of a driver that is unregistered, once
 * none of the driver's routines runs any more.
 *
 * A notification event stays set until it is reset; all waits for it end. A synchronization
 * event that is set ends exactly one wait, which resets it. If no thread waits, the event
 * stays set, and the next wait ends at once.
 *
 * Instead of keeping a thread waiting, a driver can give the event a handler: see
 * d2d_event_on_set(). The owner calls the handler when the event is set.
 *
 * The owner sets, takes, resets or queries an event by one atomic operation while
 *
 * - no thread waits for the event,
 * - no process watches the event,
 * - the event has no handler, and
 * - no driver that is leaving has a handle of the event.
 *
 * In all other cases, and when a thread begins to wait, the owner takes a lock with interrupts
 * disabled. All events share this lock.
 *
 * Before a set returns, it gives the event to the threads that wait for it, in the order in which
 * they began to wait. A wait for all of several events takes all of them at once, or none. At most
 * 64 waits are for one event, and at most 64 events are in one wait. So a set looks at 64 * 64
 * events at most, takes as many entries off lists, and wakes 64 threads at most. To find an event
 * that is in a wait twice, the owner makes 64 * 63 / 2 comparisons at most. An event has at most 64
 * handlers, which a set calls without the lock.
 *
 * User space can watch an event: /sys/kernel/debug/d2d-OWNER/events/NAME has a line of text about
 * it. OWNER is the name of the owner. The first read of an open file returns the line. When the
 * whole line has been read, the next read waits until the event has been set since that line was
 * made. poll() tells whether a read would wait. Watching an event does not take it from the threads
 * that wait.
 */
#ifndef D2D_EVENT_H
#define D2D_EVENT_H

#include <linux/kernel.h>

#include "d2d.h"

/* Room for the name of an event with its NUL, in bytes. */
#define D2D_EVENT_NAME_SIZE	64
/* The most events in one wait, the most waits for one event, and the most handlers of one event. */
#define D2D_EVENT_MAX_WAITS	64
/* The most events of an owner. */
#define D2D_EVENT_MAX		16384
/* The most handles of an owner's events. */
#define D2D_EVENT_MAX_OPEN	65536

/* Kinds of events. */
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
 * Like the functions in d2d.h, these functions return a negative errno if they fail. A refusal also
 * prints one trace line with the reason. All return -ENODEV if the owner is being unloaded, and
 * -ESTALE if the handle is stale. Only d2d_event_ring() never fails.
 */

/**
 * d2d_event_create() - create an event, or open it if it already exists
 * @driver: the driver to which the new handle belongs
 * @name: the name
 * @kind: D2D_EVENT_NOTIFICATION or D2D_EVENT_SYNCHRONIZATION
 * @initial: not 0 to create the event set; ignored if the event already exists
 * @event: where to store the handle of the event
 *
 * Context: Task, may sleep.
 *
 * Return: 0, or
 * * %-EFAULT - no name, a name that cannot be read, or a handle that cannot be written
 * * %-ENAMETOOLONG - the name has more than 63 bytes
 * * %-EINVAL - the kind is unknown
 * * %-EINVAL - the name is empty, "." or "..", or has a '/' or a character that is not visible
 *   ASCII
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
 * @name: the name of the event in the pair. The header of the pair has a macro for each event,
 *	which expands to this argument and the next one
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
 * Waits that were begun with the handle end with -ECANCELED. Its handler is removed: see
 * d2d_event_on_set().
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
 * Context: Any context.
 *
 * Return: 1 if the event was set before, otherwise 0
 */
int d2d_event_set(d2d_handle event);

/**
 * d2d_event_reset() - reset an event
 * @event: the event
 *
 * Context: Any context.
 *
 * Return: 0
 */
int d2d_event_reset(d2d_handle event);

/**
 * d2d_event_query() - ask whether an event is set, without taking it
 * @event: the event
 *
 * Context: Any context.
 *
 * Return: 1 if the event is set, otherwise 0
 */
int d2d_event_query(d2d_handle event);

/**
 * d2d_event_ring() - set an event, and ignore a stale handle
 * @event: the event, which is a doorbell whose driver may have left
 *
 * Context: Any context.
 */
void d2d_event_ring(d2d_handle event);

/**
 * d2d_event_wait() - wait until one of the events is set, and take it
 * @events: the events
 * @count: the number of events, 1 to D2D_EVENT_MAX_WAITS
 * @flags: D2D_EVENT_WAIT_ALL to wait until all events are set, and take all of them;
 *	D2D_EVENT_WAIT_INTERRUPTIBLE to end the wait when a signal comes
 * @timeout: the limit in milliseconds (the owner counts the kernel's ticks), or
 *	D2D_EVENT_FOREVER. With 0, the function takes what is set, without waiting
 * @index: where to store the index of the event that was taken, or NULL. If several are set,
 *	the wait takes the first one in the array
 *
 * The wait usually finds a bad pointer before it begins, and takes nothing. If the memory at
 * @index disappears during the wait, the wait has already taken events. It then sets each
 * synchronization event that it has taken, so that no set is lost. It leaves out an event whose
 * handle was closed.
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
 * * %-ECANCELED - the handle was closed, or its driver is being detached or has left: see
 *   d2d_detach() and d2d_leave()
 * * %-EFAULT - the handles cannot be read, or the index cannot be written
 */
int d2d_event_wait(const d2d_handle *events, u32 count, u32 flags, u32 timeout, u32 *index);

/**
 * typedef d2d_event_routine - what is called when an event is set
 * @argument: that of d2d_event_on_set()
 * @event: the handle with which d2d_event_on_set() was called
 *
 * The owner calls the routine in the execution context of the thread that sets the event, which may
 * be any. The call is inside an RCU read-side critical section, so the routine does not sleep. It
 * usually starts a work item or a timer, and returns. The thread that sets the event may hold
 * locks, which the routine must not take. The routine may set other events, unless their handlers
 * lead back to this routine. If several threads or interrupts set the event at the same time,
 * several calls of the routine may run at once.
 *
 * Return: 0, or a negative errno if the driver cannot react to the set any more. Then the routine
 * is not called again, and a synchronization event goes to the next handler, or stays set. The
 * event's file in debugfs counts it as failed.
 */
typedef int (*d2d_event_routine)(void *argument, d2d_handle event);

/**
 * d2d_event_on_set() - have a routine called when an event is set
 * @event: the event
 * @routine: the routine, in the text of the module of the driver to which the handle belongs; or
 *	NULL to remove the handler
 * @argument: its argument
 *
 * The routine is the handler of this handle, which has one at most. Other handles of the event
 * have handlers of their own.
 *
 * Each set of a notification event calls all handlers, also if the event is set already. Setting a
 * synchronization event ends the wait of one thread, which takes the event. If the set ends no
 * wait, one handler takes the event. The handlers take it in turn. If the handler that has taken
 * the event fails, or is removed before it is called, the owner sets the event once more. If the
 * event is set when this function is called, @routine is called at once. If several threads set the
 * event at the same time, the owner may call the routine once for several sets. That call begins
 * after the last of these sets. Resetting the event neither cancels a call that is due, nor keeps
 * the owner from setting the event once more.
 *
 * The routine does not run, and is not called any more, when one of these functions has returned:
 *
 * - d2d_event_on_set() with NULL or another routine;
 * - d2d_event_close() for the handle;
 * - d2d_leave() or d2d_unregister() for the driver.
 *
 * These functions wait for a grace period of RCU, even if another thread has removed the handler
 * already. So a driver calls d2d_leave() first, and then stops what the routine has started.
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
