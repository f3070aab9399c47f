// SPDX-License-Identifier: GPL-2.0
/*
 * srcu_readers_active() for shared/compat/d2d_kernel.rs. Modules link this file only on kernels
 * whose own is not in include/linux/srcu.h; it is since 7.3.
 */
#include <linux/percpu.h>
#include <linux/srcu.h>

bool d2d_srcu_readers_active(struct srcu_struct *srcu);

/* Whether a reader is inside. The answer is exact only if no reader enters or leaves. */
bool d2d_srcu_readers_active(struct srcu_struct *srcu)
{
	unsigned long inside = 0;
	int cpu, i;

	for_each_possible_cpu(cpu) {
		struct srcu_data *data = per_cpu_ptr(srcu->sda, cpu);

		for (i = 0; i < 2; i++) {
			inside += atomic_long_read(&data->srcu_ctrs[i].srcu_locks);
			inside -= atomic_long_read(&data->srcu_ctrs[i].srcu_unlocks);
		}
	}
	return inside;
}
