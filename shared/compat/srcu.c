// SPDX-License-Identifier: GPL-2.0
/*
 * srcu_readers_active() for shared/compat/d2d_kernel.rs. Modules link this file on kernels before
 * 7.3, whose include/linux/srcu.h does not have the function.
 */
#include <linux/percpu.h>
#include <linux/srcu.h>

bool d2d_srcu_readers_active(struct srcu_struct *srcu);

/*
 * Whether a reader is in a critical section. The answer is exact only if no reader enters or leaves
 * meanwhile.
 */
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
