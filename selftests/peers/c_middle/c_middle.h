/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the two roles of c_middle call of each other. In above.c the functions of the library are
 * those of module_a, in below.c those of this module.
 */
#ifndef C_MIDDLE_H
#define C_MIDDLE_H

#include <linux/string.h>
#include <linux/types.h>

#include "d2d_pair.h"
#include "d2d_queue.h"

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

/* Passes the notes among the items of a queue on by put(), and drops the other items. */
static inline int move_notes(struct d2d_queue *queue, int (*put)(u64 note), u32 *moved)
{
	struct d2d_item *item;
	d2d_handle handle;
	int err = 0;
	u64 note;

	*moved = 0;
	while (!err && (handle = d2d_queue_take(queue))) {
		item = d2d_queue_redeem(queue, handle);
		if (item && item->kind == D2D_PAIR_KIND_NOTE && item->len == sizeof(note)) {
			memcpy(&note, item->payload, sizeof(note));
			err = put(note);
		}
		d2d_queue_release(queue, handle);
		++*moved;
	}
	return err;
}

#endif /* C_MIDDLE_H */
