/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the two roles of c_middle call of each other. In above.c the functions of the library are
 * those of module_a, in below.c those of this module.
 */
#ifndef C_MIDDLE_H
#define C_MIDDLE_H

#include <linux/types.h>

/* The peer's role. Any context, from an operation of the owner's role. */
int above_ping(u32 value, u32 *result);
int above_bounce(u32 hops, u32 *result);
int above_put(u64 note);
int above_drain(u32 *result);
/* Registers the peer and attaches it; the reverse. May sleep. */
int above_start(void);
void above_stop(void);

/*
 * The owner's role. Any context, while the owner is started. Without a peer, -ESHUTDOWN.
 */
int below_ping(u32 value, u32 *result);
int below_bounce(u32 hops, u32 *result);
int below_put(u64 note);
int below_drain(u32 *result);

#endif /* C_MIDDLE_H */
