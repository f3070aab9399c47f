// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel crate has no abstraction for: in_task() and its kin are
 * macros over the preemption count, and SRCU's readers are counted on each CPU.
 */
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/srcu.h>

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

/* How often somebody has entered, and how many are inside, about now. */
void d2d_srcu_count(struct srcu_struct *srcu, u64 *entered, u64 *inside)
{
	u64 locks = 0, unlocks = 0;
	struct srcu_ctr *ctrs;
	int cpu;

	for_each_possible_cpu(cpu) {
		ctrs = per_cpu_ptr(srcu->sda, cpu)->srcu_ctrs;
		unlocks += atomic_long_read(&ctrs[0].srcu_unlocks);
		unlocks += atomic_long_read(&ctrs[1].srcu_unlocks);
	}
	/* Who has left is then seen to have entered. */
	smp_mb();
	for_each_possible_cpu(cpu) {
		ctrs = per_cpu_ptr(srcu->sda, cpu)->srcu_ctrs;
		locks += atomic_long_read(&ctrs[0].srcu_locks);
		locks += atomic_long_read(&ctrs[1].srcu_locks);
	}
	*entered = locks;
	*inside = locks - unlocks;
}
