// SPDX-License-Identifier: GPL-2.0
/*
 * What shared/d2d/readers.rs cannot do in Rust: what include/linux/srcu.h has as macros and
 * inline functions.
 */
#include <linux/srcu.h>

#include "readers.h"

int d2d_readers_init(struct srcu_struct *srcu, const char *name, struct lock_class_key *key)
{
#ifdef CONFIG_DEBUG_LOCK_ALLOC
	return __init_srcu_struct_fast(srcu, name, key);
#else
	return init_srcu_struct_fast(srcu);
#endif
}

/*
 * Of who is seen lockdep hears what it hears of srcu_read_lock(): that of
 * srcu_read_lock_fast() is not enough for it to know who waits for readers that wait
 * for him.
 */
struct srcu_ctr __percpu *d2d_readers_enter(struct srcu_struct *srcu, bool seen)
{
	struct srcu_ctr __percpu *counters = srcu_read_lock_fast_notrace(srcu);

	if (seen)
		srcu_lock_acquire(&srcu->dep_map);
	return counters;
}

void d2d_readers_leave(struct srcu_struct *srcu, struct srcu_ctr __percpu *counters, bool seen)
{
	if (seen)
		srcu_lock_release(&srcu->dep_map);
	srcu_read_unlock_fast_notrace(srcu, counters);
}
