/* SPDX-License-Identifier: GPL-2.0 */
/* What the drivers in C of the growing pair share */
#ifndef GROWING_C_H
#define GROWING_C_H

#include <linux/module.h>

#ifndef GROWING_HEADER
#define GROWING_HEADER "growing-1.0.h"
#endif

#include "d2d_data.h"
#include "d2d_event.h"
#include "d2d_ops.h"
#include "d2d_queue.h"
#include "d2d_request.h"
#include GROWING_HEADER

#define NUMBERS	2

/* The kinds of items of this version, and the payload that the peer puts */
static const struct kind {
	u32 kind;
	u32 len;
	u64 payload[NUMBERS];
} kinds[] = {
	{ GROWING_KIND_NUMBER, sizeof(u64), { 5 } },
#if GROWING_MINOR >= 1
	{ GROWING_KIND_NUMBERS, NUMBERS * sizeof(u64), { 6, 7 } },
#endif
};

/* The control codes of this version. The output is the input times @factor. */
static const struct code {
	u32 code;
	u64 factor;
} codes[] = {
	{ GROWING_IOCTL_ECHO, 1 },
#if GROWING_MINOR >= 1
	{ GROWING_IOCTL_DOUBLE, 2 },
#endif
};

static int put_item(struct d2d_queue *queue, const struct kind *kind, const u64 *payload)
{
	return d2d_queue_put(queue, kind->kind, payload, kind->len);
}

/*
 * Stores the last payload of each kind. Refuses items of kinds that only newer versions have, and
 * returns the number of the other items.
 */
static unsigned int take_all(struct d2d_queue *queue, const char *driver,
			     u64 payloads[][NUMBERS])
{
	unsigned int known = 0;
	struct d2d_item *item;
	d2d_handle handle;

	while ((handle = d2d_queue_take(queue))) {
		unsigned int n = 0;

		item = d2d_queue_redeem(queue, handle);
		if (!item)
			continue;
		while (n < ARRAY_SIZE(kinds) - 1 && kinds[n].kind != item->kind)
			n++;
		if (!d2d_queue_expect(item, driver, kinds[n].kind, kinds[n].len)) {
			memcpy(payloads[n], item->payload, kinds[n].len);
			known++;
		}
		d2d_queue_release(queue, handle);
	}
	return known;
}

#endif /* GROWING_C_H */
