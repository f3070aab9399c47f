// SPDX-License-Identifier: GPL-2.0
/*
 * The SRCU structure that counts the threads inside the exported functions. Rust can neither
 * define a static one nor read its per-CPU counters.
 */
#include <linux/srcu.h>

#include "exports_srcu.h"

/* The threads inside the owner's exported functions. */
DEFINE_SRCU_FAST(d2d_exports_srcu);

/*
 * Returns how often a thread has entered, and how many threads are inside. The counters
 * may change meanwhile: both numbers are approximate. A thread's two increments are not
 * ordered, so its exit may be counted before its entry. Any context.
 */
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
	for_each_possible_cpu(cpu) {
		ctrs = per_cpu_ptr(srcu->sda, cpu)->srcu_ctrs;
		locks += atomic_long_read(&ctrs[0].srcu_locks);
		locks += atomic_long_read(&ctrs[1].srcu_locks);
	}
	*entered = locks;
	*inside = locks > unlocks ? locks - unlocks : 0;
}
