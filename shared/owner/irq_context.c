// SPDX-License-Identifier: GPL-2.0
/*
 * The caller's execution context. in_hardirq() and the like are macros, for which the
 * kernel crate has no abstraction.
 */
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
 * Without CONFIG_PREEMPT_COUNT the kernel does not know whether the caller holds a spinlock
 * or is in an RCU read-side critical section. With CONFIG_PREEMPT_RCU such a section can be
 * preempted, but does not sleep.
 */
unsigned int d2d_may_sleep(void)
{
	if (rcu_preempt_depth())
		return 0;
	return IS_ENABLED(CONFIG_PREEMPT_COUNT) ? preemptible() : in_task() && !irqs_disabled();
}
