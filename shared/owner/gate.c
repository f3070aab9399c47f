// SPDX-License-Identifier: GPL-2.0
/*
 * What the owner's half cannot do in Rust with those who are inside: a static
 * srcu_struct, and its readers' counters, which are on each CPU.
 */
#include <linux/srcu.h>

#include "gate.h"

/* Who is in the owner's entry points. */
DEFINE_SRCU_FAST(d2d_gate);

/* How often somebody has entered, and how many are inside, about now. */
void d2d_readers_count(struct srcu_struct *srcu, u64 *entered, u64 *inside)
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
