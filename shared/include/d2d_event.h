/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: named events, which tell other drivers a state. The counterpart of
 * IoCreateNotificationEvent(), IoCreateSynchronizationEvent() and
 * KeWaitForMultipleObjects() on Windows. Rust drivers have shared/d2d/event.rs.
 *
 * The first driver that creates an event of a name makes it. Each driver that creates or
 * opens an event of this name later gets a handle of its own for the same event. The event
 * exists until its last handle is closed. The owner closes the handles of a driver that
 * leaves or is unregistered.
 *
 * A notification event stays set until it is reset; all waits for it end. A synchronization
 * event that is set ends exactly one wait, which resets it. If no thread waits, the event
 * stays set, and the next wait ends at once.
 *
 * While no thread waits for an event, setting, taking, resetting and querying it is one
 * atomic step. A set gives the event to the threads that wait for it, in the order in which
 * they began to wait, before it returns. A wait for all of several events takes all of them
 * at once, or none. The owner does this with one lock held, the same for all events, and
 * with interrupts disabled. At most 64 waits are for one event, and at most 64 events are in
 * one wait. So a set looks at 64 * 64 events at most, takes as many entries off lists, and
 * wakes 64 threads at most. A wait makes 64 * 63 / 2 comparisons at most.
 *
 * User space can watch an event: /sys/kernel/debug/d2d-OWNER/events/NAME has a line of text
 * about it. OWNER is the name of the owner. The first read of an open file returns the line.
 * A later read returns the line again if the event was set since the last one; poll() tells
 * when that is so. Watching an event does not take it from the threads that wait.
 */
#ifndef D2D_EVENT_H
#define D2D_EVENT_H

#include "d2d.h"

/* Room for the name of an event with its NUL, in bytes. */
#define D2D_EVENT_NAME_SIZE	64
/* The most events in one wait, and the most waits for one event. */
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

/*
 * The functions of events that an owner exports. What d2d.h says of its functions is true of
 * these: they return 0 or a negative errno, a refusal also prints one trace line with the
 * reason, and all return -ENODEV if the owner is being unloaded, and -ESTALE if the handle
 * is stale.
 *
 * d2d_event_create: creates the event, set if initial is not 0; or opens it if it already
 *	exists, and then ignores initial. May sleep.
 *	-EFAULT no name, a name that cannot be read, or a handle that cannot be written;
 *	-ENAMETOOLONG the name has more than 63 bytes; -EINVAL the name is empty, "." or "..",
 *	or has a '/' or a character that is not visible ASCII, or an unknown kind; -EPROTOTYPE
 *	the event is of the other kind; -ESHUTDOWN the driver is leaving; -ENFILE too many
 *	events; -EMFILE too many handles; -ENOMEM
 * d2d_event_open: opens an existing event. May sleep.
 *	Errors as d2d_event_create(), and -ENOENT the event does not exist
 * d2d_event_close: closes a handle. Waits that were begun with the handle end with
 *	-ECANCELED. May sleep
 * d2d_event_set: sets the event. Returns 1 if it was set before, otherwise 0. Any context
 * d2d_event_reset: resets the event. Any context
 * d2d_event_query: returns 1 if the event is set, otherwise 0. Does not take it. Any context
 * d2d_event_ring: as d2d_event_set(), but ignores a stale handle: for a doorbell, whose driver
 *	may have left. Any context
 * d2d_event_wait: waits until one of the events is set, and takes it. If several are set, it
 *	takes the first one in the array. Stores its index in *index, if index is not NULL.
 *	With D2D_EVENT_WAIT_ALL, waits until all events are set, and takes all of them. May
 *	sleep. With a timeout of 0 it does not wait: it takes what is set or returns
 *	-ETIMEDOUT, and is allowed in any context.
 *	-EINVAL no event, more than 64, one of them twice, or unknown flags; -EDEADLK the
 *	caller must not sleep (see d2d_request_send()); -EAGAIN 64 threads wait for one of the
 *	events; -ENOMEM only with more than four events; -ETIMEDOUT after timeout milliseconds,
 *	counted in the kernel's ticks; -ERESTARTSYS a signal came; -ECANCELED the handle was
 *	closed, or its driver is being detached: see d2d_detach(); -EFAULT the handles cannot be
 *	read or the index cannot be written. Usually the wait finds that before it begins, and
 *	takes nothing. If the memory of the index disappears meanwhile, it finds that at the
 *	end, and sets each synchronization event that it has taken again, unless the handle of
 *	that event was closed
 */
int d2d_event_create(d2d_handle driver, const char *name, u32 kind, u32 initial,
		     d2d_handle *event);
int d2d_event_open(d2d_handle driver, const char *name, u32 kind, d2d_handle *event);
int d2d_event_close(d2d_handle event);
int d2d_event_set(d2d_handle event);
int d2d_event_reset(d2d_handle event);
int d2d_event_query(d2d_handle event);
void d2d_event_ring(d2d_handle event);
int d2d_event_wait(const d2d_handle *events, u32 count, u32 flags, u32 timeout, u32 *index);

#endif /* D2D_EVENT_H */
