// SPDX-License-Identifier: GPL-2.0
/*
 * By these functions, the unit tests use the inline functions and the macros of shared/include/:
 * bindgen translates neither.
 */
#include "c_driver.h"
#include "d2d_queue.h"
#include "d2d_table.h"

/* Defines the functions d2d_...(), which the tested code calls. No unit test reaches module_a. */
D2D_OWNER(module_a);

u32 d2d_kunit_layout(void)
{
	return D2D_LAYOUT;
}

int d2d_kunit_put(struct d2d_queue *queue, u32 kind, u64 payload)
{
	return d2d_queue_put(queue, kind, &payload, sizeof(payload));
}

d2d_handle d2d_kunit_take(struct d2d_queue *queue)
{
	return d2d_queue_take(queue);
}

int d2d_kunit_release(struct d2d_queue *queue, d2d_handle handle)
{
	return d2d_queue_release(queue, handle);
}
