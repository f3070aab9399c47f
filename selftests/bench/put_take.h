/* SPDX-License-Identifier: GPL-2.0 */
/* Passes items as a driver in C does. */
#ifndef D2D_BENCH_PUT_TAKE_H
#define D2D_BENCH_PUT_TAKE_H

#include <linux/string.h>

#include "d2d_queue.h"

/* Puts an item, takes it by its handle, reads and releases it. Any execution context. */
static __always_inline int d2d_bench_put_take(struct d2d_queue *queue, u64 n)
{
	struct d2d_item *item;
	d2d_handle handle;
	u64 i, number;
	int err;

	for (i = 0; i < n; i++) {
		err = d2d_queue_put(queue, 0, &i, sizeof(i));
		if (err)
			return err;
		handle = d2d_queue_take(queue);
		item = d2d_queue_redeem(queue, handle);
		if (!item || item->len != sizeof(number))
			return -EBADMSG;
		memcpy(&number, item->payload, sizeof(number));
		err = d2d_queue_release(queue, handle);
		if (err)
			return err;
		if (number != i)
			return -EBADMSG;
	}
	return 0;
}

#endif /* D2D_BENCH_PUT_TAKE_H */
