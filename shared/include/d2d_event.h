/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: named events, for where only a state has to be told. The
 * counterpart of IoCreateNotificationEvent(), IoCreateSynchronizationEvent() and
 * KeWaitForMultipleObjects(). Rust drivers have shared/d2d/event.rs.
 *
 * Who creates an event first makes it; everyone else who creates or opens one of
 * that name gets the same one. Each of them gets a handle of its own. The event is
 * gone when the last one is closed; when a driver leaves or is unregistered, its are.
 *
 * A notification event stays set until it is reset, and lets all go that wait. A
 * synchronization event lets exactly one go when it is set, and is not set any more
 * then; if nobody waits, it stays set for the next one who does.
 *
 * Each set gives its event to those that wait for it, in the order in which they
 * began to, before it returns. Who waits for all of several events takes all of
 * them at once, or none. This is done under one lock for all events, with
 * interrupts disabled: at most 64 waits at a time are on an event, and at most 64
 * events in a wait, so that a set looks at most at 64 * 64 events there, takes as
 * many entries off lists, and wakes at most 64 threads; a wait makes at most
 * 64 * 63 / 2 comparisons.
 *
 * User space can watch an event: /sys/kernel/debug/d2d-OWNER/events/NAME, where
 * OWNER is the driver that owns the contexts, is a line of text about it. The first
 * read of an open file returns it, the next ones when the event was set meanwhile;
 * poll() says when they will. Watching takes nothing away from who waits.
 */
#ifndef D2D_EVENT_H
#define D2D_EVENT_H

#include "d2d.h"

/* Longest event name including the terminating NUL, in bytes. */
#define D2D_EVENT_NAME_SIZE	64
/* Events that can be waited for at a time, and waits that can be on an event. */
#define D2D_EVENT_MAX_WAITS	64
/* Events that there can be at a time. */
#define D2D_EVENT_MAX		16384
/* Handles that there can be at a time. */
#define D2D_EVENT_MAX_OPEN	65536

/* Kinds of events. */
#define D2D_EVENT_NOTIFICATION		0
#define D2D_EVENT_SYNCHRONIZATION	1

/* A timeout that never comes. */
#define D2D_EVENT_FOREVER	0xffffffffu
/* For all of the events, not for any of them. */
#define D2D_EVENT_WAIT_ALL		1
/* A signal ends it. */
#define D2D_EVENT_WAIT_INTERRUPTIBLE	2

/*
 * Exported as the functions of d2d.h are, with the same rules: 0 or a negative
 * errno; every refusal also prints one trace line with the reason. -ENODEV if the
 * owner is on its way out.
 *
 * d2d_event_create: makes the event, or opens it if there is one of the name;
 *	initial, whether it is set when it is made, is of no account then. May
 *	sleep. -EFAULT no name or handle, or a pointer that cannot be read,
 *	-ENAMETOOLONG more than 63 bytes, -EINVAL a name that is empty, "." or
 *	"..", or has other characters than visible ones of ASCII or a '/', or an
 *	unknown kind, -EPROTOTYPE it is of the other kind, -ESTALE driver
 *	handle, -ESHUTDOWN the driver is leaving, -ENFILE too many events,
 *	-EMFILE too many handles, -ENOMEM
 * d2d_event_open: opens an event that there is. May sleep. As above, and -ENOENT
 *	there is none
 * d2d_event_close: closes a handle; waits that were begun with it end with
 *	-ECANCELED. May sleep. -ESTALE handle: closed before
 * d2d_event_set: sets the event. 1 if it was set before, otherwise 0. Any context.
 *	-ESTALE handle
 * d2d_event_reset: the event is not set any more. Any context. -ESTALE handle
 * d2d_event_query: 1 if the event is set, otherwise 0; takes nothing. Any context.
 *	-ESTALE handle
 * d2d_event_ring: as d2d_event_set(), but a handle that is stale is passed over in
 *	silence: for a doorbell, whose owner may have gone. Any context
 * d2d_event_wait: waits until any of the events is set (of several the first in
 *	the array is taken, and its index is returned in *index, if that is not
 *	NULL), or until all are. Sleeps; but with a timeout of 0, which only looks
 *	whether it would have to wait, and takes what there is, any context.
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
