/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_EXPORTS_SRCU_H
#define D2D_EXPORTS_SRCU_H

#include <linux/srcu.h>

extern struct srcu_struct d2d_exports_srcu;

#endif /* D2D_EXPORTS_SRCU_H */
