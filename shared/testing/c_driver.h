/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_TESTING_C_DRIVER_H
#define D2D_TESTING_C_DRIVER_H

#include "d2d.h"

/* Returns D2D_LAYOUT, evaluated by the C compiler. */
u32 d2d_kunit_layout(void);

/* d2d_queue_put() with a payload of 8 bytes, d2d_queue_take() and d2d_queue_release(). */
int d2d_kunit_put(struct d2d_queue *queue, u32 kind, u64 payload);
d2d_handle d2d_kunit_take(struct d2d_queue *queue);
int d2d_kunit_release(struct d2d_queue *queue, d2d_handle handle);

#endif /* D2D_TESTING_C_DRIVER_H */
