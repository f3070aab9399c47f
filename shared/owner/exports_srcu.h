/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_EXPORTS_SRCU_H
#define D2D_EXPORTS_SRCU_H

#include <linux/srcu.h>
#include <linux/types.h>

extern struct srcu_struct d2d_exports_srcu;

void d2d_readers_count(struct srcu_struct *srcu, u64 *entered, u64 *inside);

#endif /* D2D_EXPORTS_SRCU_H */
