// SPDX-License-Identifier: GPL-2.0
/*
 * What shared/d2d/readers.rs cannot do in Rust: what include/linux/srcu.h has as macros and
 * inline functions, and a static srcu_struct.
 */
#include <linux/srcu.h>

#include "readers.h"

/* Who is in the owner's entry points. */
DEFINE_SRCU_FAST(d2d_gate);

int d2d_readers_init(struct srcu_struct *srcu, const char *name, struct lock_class_key *key)
{
#ifdef CONFIG_DEBUG_LOCK_ALLOC
	return __init_srcu_struct_fast(srcu, name, key);
#else
	return init_srcu_struct_fast(srcu);
#endif
}

struct srcu_ctr __percpu *d2d_readers_enter(struct srcu_struct *srcu)
{
	return srcu_read_lock_fast(srcu);
}

void d2d_readers_leave(struct srcu_struct *srcu, struct srcu_ctr __percpu *counters)
{
	srcu_read_unlock_fast(srcu, counters);
}

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
