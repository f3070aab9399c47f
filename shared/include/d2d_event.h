/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: named events, where only a state has to be told. The counterpart
 * of IoCreateNotificationEvent(), IoCreateSynchronizationEvent() and
 * KeWaitForMultipleObjects(). Rust drivers have shared/d2d/event.rs.
 *
 * The first driver that creates an event of a name makes it. Each driver that creates
 * or opens one of that name later gets the same event, and a handle of its own. The
 * event is gone when its last handle is closed. The owner closes the handles of a
 * driver that leaves or is unregistered.
 *
 * A notification event stays set until it is reset; all waits for it end. A
 * synchronization event that is set ends exactly one wait, which resets it; if nobody
 * waits, it stays set for the next wait.
 *
 * While nobody waits for an event, setting, taking, resetting and querying it is one
 * atomic step. Each set gives its event to the threads that wait for it, in the order
 * in which they began to wait, before it returns. A wait for all of several events
 * takes all of them at once, or none. This is done under one lock for all waiters,
 * with interrupts disabled: at most 64 waits at a time are on an event, and at most 64
 * events in a wait, so that a set looks at most at 64 * 64 events there, takes as many
 * entries off lists, and wakes at most 64 threads; a wait makes at most 64 * 63 / 2
 * comparisons.
 *
 * User space can watch an event: /sys/kernel/debug/d2d-OWNER/events/NAME, where
 * OWNER is the driver that owns the contexts, is a line of text about it. The first
 * read of an open file returns it, each later one when the event was set meanwhile;
 * poll() says when. Watching takes nothing from the threads that wait.
 */
#ifndef D2D_EVENT_H
#define D2D_EVENT_H

#include "d2d.h"

/* Longest event name including the terminating NUL, in bytes. */
#define D2D_EVENT_NAME_SIZE	64
/* Most events in a wait, and most waits that are on an event. */
#define D2D_EVENT_MAX_WAITS	64
/* Most events at a time. */
#define D2D_EVENT_MAX		16384
/* Most handles at a time. */
#define D2D_EVENT_MAX_OPEN	65536

/* Kinds of events. */
#define D2D_EVENT_NOTIFICATION		0
#define D2D_EVENT_SYNCHRONIZATION	1

/* No limit, in place of a timeout. No timeout of 2^31 ms (24.8 days) or more is a limit. */
#define D2D_EVENT_FOREVER	0xffffffffu
/* Wait for all of the events, not for any of them. */
#define D2D_EVENT_WAIT_ALL		1
/* A signal ends the wait. */
#define D2D_EVENT_WAIT_INTERRUPTIBLE	2

/*
 * Exported as the functions of d2d.h are, with the same rules: 0 or a negative
 * errno; every refusal also prints one trace line with the reason. -ENODEV if the
 * owner is on its way out.
 *
 * d2d_event_create: makes the event, set if initial is not 0, or opens it if there
 *	is one of the name; then initial is ignored. May
 *	sleep. -EFAULT no name or handle, or a pointer that cannot be read,
 *	-ENAMETOOLONG more than 63 bytes, -EINVAL a name that is empty, "." or
 *	"..", or has other characters than visible ones of ASCII or a '/', or an
 *	unknown kind, -EPROTOTYPE it is of the other kind, -ESTALE driver
 *	handle, -ESHUTDOWN the driver is leaving, -ENFILE too many events,
 *	-EMFILE too many handles, -ENOMEM
 * d2d_event_open: opens an existing event. May sleep. As above, and -ENOENT
 *	there is none
 * d2d_event_close: closes a handle; waits that were begun with it end with
 *	-ECANCELED. May sleep. -ESTALE handle: closed before
 * d2d_event_set: sets the event. 1 if it was set before, otherwise 0. Any context.
 *	-ESTALE handle
 * d2d_event_reset: the event is not set any more. Any context. -ESTALE handle
 * d2d_event_query: 1 if the event is set, otherwise 0; takes nothing. Any context.
 *	-ESTALE handle
 * d2d_event_ring: as d2d_event_set(), but ignores a stale handle: for a doorbell of
 *	a driver that may have left. Any context
 * d2d_event_wait: waits until any of the events is set (of several the first in
 *	the array is taken, and its index is returned in *index, if that is not
 *	NULL), or until all are. May sleep. With a timeout of 0 it takes what there
 *	is or returns -ETIMEDOUT, and is allowed in any context.
 *	-EINVAL no or more than 64 events, one of them twice, or unknown flags,
 *	-EFAULT a pointer that cannot be read, or an index that cannot be written:
 *	before the wait, which then takes nothing, or after it, if the memory went
 *	away meanwhile; then each synchronization event that the wait has taken is
 *	set again, unless its handle was closed. -ESTALE handle, -EDEADLK the caller
 *	must not sleep (known as for d2d_request_send()), -EAGAIN 64 wait for one
 *	of the events, -ENOMEM (more than four events), -ETIMEDOUT after timeout
 *	milliseconds, counted in the kernel's ticks, -ERESTARTSYS a signal came,
 *	-ECANCELED the handle was closed, or its driver is being detached: see
 *	d2d_detach()
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
