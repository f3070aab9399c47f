/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions by which the two roles of c_middle call each other. If peer_role.c calls the
 * library, the call goes to module_a, which is the owner of the peer's role. If owner_role.c calls
 * the library, the call goes to the library in c_middle itself, because c_middle is an owner, too.
 *
 * The prefix of a function says where its call goes: module_a is above c_middle, and the peers of
 * c_middle are below c_middle.
 */
#ifndef C_MIDDLE_H
#define C_MIDDLE_H

#include <linux/types.h>

#include "../move_notes.h"

/* Functions of the peer's role (peer_role.c), which the owner's role calls. Any context. */
int above_ping(u32 value, u32 *result);
int above_bounce(u32 hops, u32 *result);
int above_put(u64 note);
int above_drain(u32 *result);
/*
 * above_start() registers and attaches the driver. above_leave() lets it leave. above_stop()
 * detaches and unregisters it. All three may sleep.
 */
int above_start(void);
void above_leave(void);
void above_stop(void);

/*
 * Functions of the owner's role (owner_role.c), which the peer's role calls. May be called between
 * d2d_owner_start() and d2d_owner_stop(). Any context. While no peer is attached, below_ping(),
 * below_bounce() and below_drain() fail with -ESHUTDOWN, and below_put() puts the item for the next
 * peer.
 */
int below_ping(u32 value, u32 *result);
int below_bounce(u32 hops, u32 *result);
int below_put(u64 note);
int below_drain(u32 *result);
/* Waits for an event of the owner's role that nobody sets: never.h. Any context. */
void below_wait(void);

#endif /* C_MIDDLE_H */
