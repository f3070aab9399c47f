// SPDX-License-Identifier: GPL-2.0
/* in_hardirq() and the like are macros, for which the kernel crate has no abstraction. */
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>

#include "irq_context.h"

unsigned int d2d_irq_context(void)
{
	if (in_hardirq() || in_nmi())
		return D2D_IN_HARDIRQ;
	if (in_serving_softirq())
		return D2D_IN_SOFTIRQ;
	return D2D_IN_TASK;
}

/*
 * Without CONFIG_PREEMPT_COUNT the kernel does not know whether the caller holds a spinlock or is
 * an RCU reader. With CONFIG_PREEMPT_RCU a reader can be preempted, but may not sleep.
 */
unsigned int d2d_may_sleep(void)
{
	if (rcu_preempt_depth())
		return 0;
	return IS_ENABLED(CONFIG_PREEMPT_COUNT) ? preemptible() : in_task() && !irqs_disabled();
}
