/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions by which the two roles of c_middle call each other. In above.c, a call of the
 * library goes to module_a; in below.c, it goes to c_middle itself, as an owner.
 */
#ifndef C_MIDDLE_H
#define C_MIDDLE_H

#include <linux/string.h>
#include <linux/types.h>

#include "d2d_pair.h"
#include "d2d_queue.h"

/* Functions of the peer's role (above.c), which the owner's role calls. Any context. */
int above_ping(u32 value, u32 *result);
int above_bounce(u32 hops, u32 *result);
int above_put(u64 note);
int above_drain(u32 *result);
/* Register and attach the peer; detach and unregister it. May sleep. */
int above_start(void);
void above_stop(void);

/*
 * Functions of the owner's role (below.c), which the peer's role calls. May be called between
 * d2d_owner_start() and d2d_owner_stop(). Any context. Fail with -ESHUTDOWN while no peer is
 * attached.
 */
int below_ping(u32 value, u32 *result);
int below_bounce(u32 hops, u32 *result);
int below_put(u64 note);
int below_drain(u32 *result);

/* Takes all items of a queue. Passes the notes to put(), and drops other items. */
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
