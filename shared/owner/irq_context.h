/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_IRQ_CONTEXT_H
#define D2D_IRQ_CONTEXT_H

#include <linux/types.h>

/* What d2d_irq_context() returns: indices of the table IN in trace.rs. */
#define D2D_IN_TASK	0
#define D2D_IN_SOFTIRQ	1
#define D2D_IN_HARDIRQ	2

unsigned int d2d_irq_context(void);

/* Whether the caller may sleep, as far as the kernel knows. Any context. */
unsigned int d2d_may_sleep(void);

#endif /* D2D_IRQ_CONTEXT_H */
