// SPDX-License-Identifier: GPL-2.0
/* bench_peer calls this function by its name, to compare this with the call of an operation. */
#include <linux/export.h>
#include <linux/types.h>

#include "exported.h"

int d2d_bench_ping(void *self, u32 value, u32 *result)
{
	*result = value + 1;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(d2d_bench_ping, "D2D");
