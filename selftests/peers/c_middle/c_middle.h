/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions by which the two roles of c_middle call each other. above_*() lead to module_a,
 * below_*() to the peers of c_middle.
 */
#ifndef C_MIDDLE_H
#define C_MIDDLE_H

#include <linux/types.h>

#include "../move_notes.h"

/* The peer's role (peer_role.c). Any context. */
int above_ping(u32 value, u32 *result);
int above_bounce(u32 hops, u32 *result);
int above_put(u64 note);
int above_drain(u32 *result);
/* As role_start(), role_leave() and role_stop() in c_role.h */
int above_start(void);
void above_leave(void);
void above_stop(void);

/*
 * The owner's role (owner_role.c). Any context, between d2d_owner_start() and d2d_owner_stop().
 * While no peer is attached, below_put() puts the note for the next peer, and the other three
 * functions fail with -ESHUTDOWN.
 */
int below_ping(u32 value, u32 *result);
int below_bounce(u32 hops, u32 *result);
int below_put(u64 note);
int below_drain(u32 *result);
/* Waits for an event that nobody sets (never.h). Any context. */
void below_wait(void);

#endif /* C_MIDDLE_H */
