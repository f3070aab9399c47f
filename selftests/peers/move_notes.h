/* SPDX-License-Identifier: GPL-2.0 */
/* For modules in C with several roles */
#ifndef MOVE_NOTES_H
#define MOVE_NOTES_H

#include <linux/string.h>

#include "d2d_pair.h"
#include "d2d_queue.h"

/*
 * Takes all items of a queue. Passes each note to put(), unless @put is NULL, and drops the other
 * items. If put() fails, its note is lost, and the rest stays in the queue.
 */
static inline int move_notes(struct d2d_queue *queue, int (*put)(u64 note), u32 *moved)
{
	struct d2d_item *item;
	d2d_handle handle;
	int err = 0;
	u64 note;

	*moved = 0;
	while (!err && (handle = d2d_queue_take(queue))) {
		item = d2d_queue_redeem(queue, handle);
		if (put && item && item->kind == D2D_PAIR_KIND_NOTE && item->len == sizeof(note)) {
			memcpy(&note, item->payload, sizeof(note));
			err = put(note);
		}
		d2d_queue_release(queue, handle);
		++*moved;
	}
	return err;
}

#endif /* MOVE_NOTES_H */
