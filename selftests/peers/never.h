/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For modules in C with several roles: an event that nobody sets. The driver of one role creates
 * the event. An operation of another role waits for the event. The wait ends when the driver that
 * has created the event leaves.
 */
#ifndef NEVER_H
#define NEVER_H

#include <linux/preempt.h>

#include "d2d_event.h"

/* 0 until create_never() has created the event */
static d2d_handle never;

/* May sleep. */
static inline int create_never(d2d_handle driver)
{
	return d2d_event_create(driver, KBUILD_MODNAME ".never", D2D_EVENT_NOTIFICATION, 0, &never);
}

/* Waits for the event, if it is created and the caller may sleep. Any context. */
static inline void wait_for_never(void)
{
	if (never && in_task())
		d2d_event_wait(&never, 1, 0, D2D_EVENT_FOREVER, NULL);
}

#endif /* NEVER_H */
