// SPDX-License-Identifier: GPL-2.0
/*
 * What shared/d2d/readers.rs cannot do in Rust: what include/linux/srcu.h has as macros and
 * inline functions.
 */
#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>

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
 * srcu_read_lock_fast(), but it counts the reader with an atomic operation, as the kernel
 * does where CONFIG_NEED_SRCU_NMI_SAFE is set. Both that and this_cpu_inc() are RCU
 * readers, which is all that synchronize_srcu() relies on. Where this_cpu_inc() is not one
 * instruction, it disables interrupts or preemption, which costs more than the atomic
 * operation: in User-Mode Linux, two system calls.
 *
 * Tells lockdep of a seen reader what srcu_read_lock() tells it: what
 * srcu_read_lock_fast() tells is not enough to find a thread that waits for readers
 * which wait for that thread.
 */
struct srcu_ctr __percpu *d2d_readers_enter(struct srcu_struct *srcu, bool seen)
{
	struct srcu_ctr __percpu *counters;

	srcu_check_read_flavor(srcu, SRCU_READ_FLAVOR_FAST);
	counters = READ_ONCE(srcu->srcu_ctrp);
	atomic_long_inc(raw_cpu_ptr(&counters->srcu_locks));
	barrier();
	if (seen)
		srcu_lock_acquire(&srcu->dep_map);
	return counters;
}

void d2d_readers_leave(struct srcu_struct *srcu, struct srcu_ctr __percpu *counters, bool seen)
{
	if (seen)
		srcu_lock_release(&srcu->dep_map);
	srcu_check_read_flavor(srcu, SRCU_READ_FLAVOR_FAST);
	barrier();
	atomic_long_inc(raw_cpu_ptr(&counters->srcu_unlocks));
}

/* How long readers may take to leave by themselves, in milliseconds. */
#define PATIENCE	100

struct waiting {
	struct work_struct work;
	struct srcu_struct *srcu;
	struct completion done;
};

static void wait_for_readers(struct work_struct *work)
{
	struct waiting *waiting = container_of(work, struct waiting, work);

	synchronize_srcu(waiting->srcu);
	complete(&waiting->done);
}

/*
 * Waits for the readers. While they take long, calls end_waits() again and again, once a
 * second in the end. A worker waits for the grace period: the kernel has no wait for one
 * that has a limit and is expedited. May sleep.
 */
void d2d_readers_wait(struct srcu_struct *srcu, void (*end_waits)(void *), void *data)
{
	struct waiting waiting = { .srcu = srcu };
	/* The jiffy that has begun may be over at once. */
	unsigned long patience = msecs_to_jiffies(PATIENCE) + 1;

#ifdef CONFIG_DEBUG_LOCK_ALLOC
	/* This task waits for the readers, whatever task synchronize_srcu() runs in. */
	srcu_lock_sync(&srcu->dep_map);
#endif
	init_completion(&waiting.done);
	INIT_WORK_ONSTACK(&waiting.work, wait_for_readers);
	queue_work(system_dfl_wq, &waiting.work);
	while (!wait_for_completion_timeout(&waiting.done, patience)) {
		end_waits(data);
		/* On a slow kernel end_waits() takes longer than that: let others run. */
		patience = min(2 * patience, msecs_to_jiffies(1000));
	}
	flush_work(&waiting.work);
	destroy_work_on_stack(&waiting.work);
}
