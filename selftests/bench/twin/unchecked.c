// SPDX-License-Identifier: GPL-2.0
/*
 * The twin's queue without the kernel's checks of list pointers, to be comparable: the project's
 * lists have no checks.
 */
#include <linux/kconfig.h>
#undef CONFIG_DEBUG_LIST
#undef CONFIG_LIST_HARDENED
#include <linux/errno.h>

#include "peer.h"
#include "queue.h"

noinline int loop_twin_queue_put_take_unchecked(void *arg, u64 n)
{
	struct twin_queue *queue = arg;
	struct twin_item *item;
	u64 number;
	int err;

	for (number = 0; number < n; number++) {
		err = twin_queue_put(queue, 0, &number, sizeof(number));
		if (err)
			return err;
		item = twin_queue_take(queue);
		if (!item)
			return -EBADMSG;
		if (item->len != sizeof(number) || *(u64 *)item->payload != number)
			err = -EBADMSG;
		twin_queue_release(queue, item);
		if (err)
			return err;
	}
	return 0;
}
