/* SPDX-License-Identifier: GPL-2.0 */
/* Named events, with the rules, limits and errnos of d2d_event.h. */
#ifndef TWIN_EVENT_H
#define TWIN_EVENT_H

#include "twin.h"

int twin_event_set(twin_handle event);
int twin_event_reset(twin_handle event);
int twin_event_query(twin_handle event);
void twin_event_ring(twin_handle event);
int twin_event_wait(const twin_handle *events, u32 count, u32 flags, u32 timeout, u32 *index);
int twin_event_create(twin_handle driver, const char *name, u32 kind, u32 initial,
		      twin_handle *event);
int twin_event_open(twin_handle driver, const char *name, u32 kind, twin_handle *event);
int twin_event_close(twin_handle event);

#endif /* TWIN_EVENT_H */
