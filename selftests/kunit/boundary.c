// SPDX-License-Identifier: GPL-2.0
/*
 * The boundary as a C driver sees it, for the suites to compare with the Rust
 * side: macros that bindgen cannot evaluate, and inline functions.
 */
#include "boundary.h"
#include "d2d_queue.h"

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
