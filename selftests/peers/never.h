/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An event that nobody sets, for modules in C with several roles. The driver of one role creates
 * the event. An operation of another role waits for the event until the event's creator leaves.
 */
#ifndef NEVER_H
#define NEVER_H

#include <linux/preempt.h>

#include "d2d_event.h"

static d2d_handle never;

/* May sleep. */
static inline int create_never(d2d_handle driver)
{
	return d2d_event_create(driver, KBUILD_MODNAME ".never", D2D_EVENT_NOTIFICATION, 0, &never);
}

/* Any context. Waits only in a task, and only if the event exists. */
static inline void wait_for_never(void)
{
	if (never && in_task())
		d2d_event_wait(&never, 1, 0, D2D_EVENT_FOREVER, NULL);
}

#endif /* NEVER_H */
