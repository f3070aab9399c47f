/* SPDX-License-Identifier: GPL-2.0 */
/* What the bench's owner exports beside the library's entry points. */
#ifndef D2D_BENCH_EXPORTED_H
#define D2D_BENCH_EXPORTED_H

#include <linux/types.h>

/* Does what an operation does. Any context. */
int d2d_bench_ping(void *self, u32 value, u32 *result);

#endif /* D2D_BENCH_EXPORTED_H */
