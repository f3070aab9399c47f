// SPDX-License-Identifier: GPL-2.0
/* Functions for shared/d2d/readers.rs that use macros and inline functions of linux/srcu.h. */
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
 * As srcu_read_lock_fast(), but always counts the reader with an atomic operation, as the kernel
 * does only where CONFIG_NEED_SRCU_NMI_SAFE is set. Elsewhere the kernel uses this_cpu_inc(). Where
 * this_cpu_inc() is not one instruction, it disables interrupts or preemption, which costs more: in
 * User-Mode Linux, two system calls. synchronize_srcu() works with both: it only requires that no
 * grace period of RCU begins and ends during the increment. An atomic increment takes effect in one
 * instruction, so no whole grace period fits into it.
 *
 * If @tell_lockdep is set, the function tells lockdep as much as srcu_read_lock() does.
 * srcu_read_lock_fast() tells lockdep too little to find this deadlock: a thread waits for readers,
 * and the readers wait for the thread.
 */
struct srcu_ctr __percpu *d2d_readers_enter(struct srcu_struct *srcu, bool tell_lockdep)
{
	struct srcu_ctr __percpu *counters;

	srcu_check_read_flavor(srcu, SRCU_READ_FLAVOR_FAST);
	counters = READ_ONCE(srcu->srcu_ctrp);
	atomic_long_inc(raw_cpu_ptr(&counters->srcu_locks));
	barrier();
	if (tell_lockdep)
		srcu_lock_acquire(&srcu->dep_map);
	return counters;
}

void d2d_readers_leave(struct srcu_struct *srcu, struct srcu_ctr __percpu *counters,
		       bool tell_lockdep)
{
	if (tell_lockdep)
		srcu_lock_release(&srcu->dep_map);
	srcu_check_read_flavor(srcu, SRCU_READ_FLAVOR_FAST);
	barrier();
	atomic_long_inc(raw_cpu_ptr(&counters->srcu_unlocks));
}

/* Both numbers are approximate: a thread's exit may be counted before its entry. Any context. */
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

/* Milliseconds that d2d_readers_wait() waits before it first calls end_waits() */
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
 * Waits until all readers that are inside now have left. Calls end_waits() after PATIENCE, then
 * again at intervals that double up to one second. A worker waits for the grace period, because
 * the kernel has no function that waits for it with a timeout. The calling thread, not a worker,
 * calls end_waits(): the workqueue runs a limited number of items at a time, and all of these may
 * be jobs that wait for end_waits(). May sleep.
 */
void d2d_readers_wait(struct srcu_struct *srcu, void (*end_waits)(void *), void *data)
{
	struct waiting waiting = { .srcu = srcu };
	/* One jiffy more, because the current one may end at once. */
	unsigned long patience = msecs_to_jiffies(PATIENCE) + 1;

#ifdef CONFIG_DEBUG_LOCK_ALLOC
	/* Tell lockdep that this task waits for the readers: the worker waits on its behalf. */
	srcu_lock_sync(&srcu->dep_map);
#endif
	init_completion(&waiting.done);
	INIT_WORK_ONSTACK(&waiting.work, wait_for_readers);
	queue_work(system_dfl_wq, &waiting.work);
	while (!wait_for_completion_timeout(&waiting.done, patience)) {
		end_waits(data);
		/* Double it: on a slow kernel, end_waits() may take longer than the interval. */
		patience = min(2 * patience, msecs_to_jiffies(1000));
	}
	flush_work(&waiting.work);
	destroy_work_on_stack(&waiting.work);
}
