// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel crate has no abstraction for: in_task() and its kin are
 * macros over the preemption count.
 */
#include <linux/irqflags.h>
#include <linux/preempt.h>

#include "irq_context.h"

unsigned int d2d_irq_context(void)
{
	if (in_hardirq() || in_nmi())
		return D2D_IN_HARDIRQ;
	if (in_serving_softirq())
		return D2D_IN_SOFTIRQ;
	return D2D_IN_TASK;
}

/* Where preemption is not counted, a spinlock or an RCU read side does not show. */
unsigned int d2d_may_sleep(void)
{
	return IS_ENABLED(CONFIG_PREEMPT_COUNT) ? preemptible() : in_task() && !irqs_disabled();
}
