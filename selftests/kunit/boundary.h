/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_KUNIT_BOUNDARY_H
#define D2D_KUNIT_BOUNDARY_H

#include "d2d.h"

u32 d2d_kunit_layout(void);
int d2d_kunit_put(struct d2d_queue *queue, u32 kind, u64 payload);
d2d_handle d2d_kunit_take(struct d2d_queue *queue);
int d2d_kunit_release(struct d2d_queue *queue, d2d_handle handle);

#endif /* D2D_KUNIT_BOUNDARY_H */
