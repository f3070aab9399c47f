/* SPDX-License-Identifier: GPL-2.0 */
/* What the bench's owner exports besides its table. */
#ifndef D2D_BENCH_EXPORTED_H
#define D2D_BENCH_EXPORTED_H

#include <linux/types.h>

/* Does what the operation ping does. Any execution context. */
int d2d_bench_ping(void *self, u32 value, u32 *result);

#endif /* D2D_BENCH_EXPORTED_H */
