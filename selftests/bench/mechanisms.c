// SPDX-License-Identifier: GPL-2.0
/*
 * Loops with which the bench compares the library: an empty loop, whose cost is known; a bare
 * indirect call, the least that a call can cost; and the kernel's mechanisms.
 */
#include <linux/compiler.h>
#include <linux/completion.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kfifo.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/notifier.h>
#include <linux/ptr_ring.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "exported.h"
#include "measure.h"
#include "put_take.h"

/* The defaults of bench_owner (capacity, item_size) */
#define CAPACITY	256
#define ITEM_WORDS	8

/* Two instructions a turn. In assembly, because the compiler would remove an empty loop in C. */
static noinline int loop_empty_loop(void *arg, u64 n)
{
	asm volatile("1: dec %0\n\tjnz 1b" : "+r" (n) : : "cc");
	return 0;
}

static noinline int ping(void *self, u32 value, u32 *result)
{
	*result = value + 1;
	return 0;
}

static int (*operation)(void *self, u32 value, u32 *result) = ping;

static noinline int loop_indirect_call(void *arg, u64 n)
{
	u32 value = 0;
	u64 i;
	int err;

	for (i = 0; i < n; i++) {
		err = READ_ONCE(operation)(arg, value, &value);
		if (err)
			return err;
	}
	return value == (u32)n ? 0 : -EBADMSG;
}

/* Needs no protection: this module imports the function, so the exporting module stays loaded. */
static noinline int loop_exported_symbol_call(void *arg, u64 n)
{
	u32 value = 0;
	u64 i;
	int err;

	for (i = 0; i < n; i++) {
		err = d2d_bench_ping(arg, value, &value);
		if (err)
			return err;
	}
	return value == (u32)n ? 0 : -EBADMSG;
}

/* Without the library, a driver can use SRCU to protect calls into a driver that may detach. */
DEFINE_STATIC_SRCU(srcu);
static bool opened = true;

static noinline int loop_indirect_call_srcu(void *arg, u64 n)
{
	u32 value = 0;
	u64 i;
	int err = -ESHUTDOWN, index;

	for (i = 0; i < n; i++) {
		index = srcu_read_lock(&srcu);
		/* Pairs with a store-release of real drivers. Here, `opened` never changes. */
		if (smp_load_acquire(&opened))
			err = READ_ONCE(operation)(arg, value, &value);
		srcu_read_unlock(&srcu, index);
		if (err)
			return err;
	}
	return value == (u32)n ? 0 : -EBADMSG;
}

DEFINE_STATIC_SRCU_FAST(srcu_fast);

static noinline int loop_indirect_call_srcu_fast(void *arg, u64 n)
{
	struct srcu_ctr __percpu *counter;
	int err = -ESHUTDOWN;
	u32 value = 0;
	u64 i;

	for (i = 0; i < n; i++) {
		counter = srcu_read_lock_fast(&srcu_fast);
		/* See loop_indirect_call_srcu(). */
		if (smp_load_acquire(&opened))
			err = READ_ONCE(operation)(arg, value, &value);
		srcu_read_unlock_fast(&srcu_fast, counter);
		if (err)
			return err;
	}
	return value == (u32)n ? 0 : -EBADMSG;
}

/* Notifier chains. A member may leave the SRCU chain during a call, but not the raw chain. */
static int notified(struct notifier_block *block, unsigned long action, void *data)
{
	u32 *value = data;

	ping(block, *value, value);
	return NOTIFY_OK;
}

static struct notifier_block member = { .notifier_call = notified };
static struct notifier_block srcu_member = { .notifier_call = notified };
static RAW_NOTIFIER_HEAD(chain);
SRCU_NOTIFIER_HEAD_STATIC(srcu_chain);

static noinline int loop_notifier_chain(void *arg, u64 n)
{
	u32 value = 0;
	u64 i;

	for (i = 0; i < n; i++)
		if (raw_notifier_call_chain(&chain, 0, &value) != NOTIFY_OK)
			return -ESHUTDOWN;
	return value == (u32)n ? 0 : -EBADMSG;
}

static noinline int loop_srcu_notifier_chain(void *arg, u64 n)
{
	u32 value = 0;
	u64 i;

	for (i = 0; i < n; i++)
		if (srcu_notifier_call_chain(&srcu_chain, 0, &value) != NOTIFY_OK)
			return -ESHUTDOWN;
	return value == (u32)n ? 0 : -EBADMSG;
}

static int measure_notifier_chains(void)
{
	static const struct d2d_bench_contender raw = {
		"notifier-chain", "indirect-call", "raw_notifier_call_chain", loop_notifier_chain
	};
	static const struct d2d_bench_contender srcu = {
		"srcu-notifier-chain", "indirect-call", "srcu_notifier_call_chain",
		loop_srcu_notifier_chain
	};
	int err;

	err = raw_notifier_chain_register(&chain, &member);
	if (err)
		return err;
	err = d2d_bench_run(&raw);
	raw_notifier_chain_unregister(&chain, &member);
	if (err)
		return err;
	err = srcu_notifier_chain_register(&srcu_chain, &srcu_member);
	if (err)
		return err;
	err = d2d_bench_run(&srcu);
	srcu_notifier_chain_unregister(&srcu_chain, &srcu_member);
	return err;
}

static DEFINE_SPINLOCK(lock);
static u64 locked;

static noinline int loop_spin_lock_irqsave(void *arg, u64 n)
{
	unsigned long flags;
	u64 i, before = locked;

	for (i = 0; i < n; i++) {
		spin_lock_irqsave(&lock, flags);
		locked++;
		spin_unlock_irqrestore(&lock, flags);
	}
	return locked - before == n ? 0 : -EBADMSG;
}

struct entry {
	union {
		struct list_head node;
		struct llist_node lnode;
	};
	u64 words[ITEM_WORDS];
};

static LIST_HEAD(entries);

static noinline int loop_list_add_del(void *arg, u64 n)
{
	struct entry entry, *first;
	u64 i;

	for (i = 0; i < n; i++) {
		entry.words[0] = i;
		list_add_tail(&entry.node, &entries);
		/* Make the compiler store the list, as if other threads read it. */
		barrier();
		first = list_first_entry_or_null(&entries, struct entry, node);
		if (!first || first->words[0] != i)
			return -EBADMSG;
		list_del(&first->node);
		barrier();
	}
	return 0;
}

/* The kernel's queues. The loops call functions that any execution context may call. */
struct payload {
	u64 words[ITEM_WORDS];
};

static DECLARE_KFIFO_PTR(fifo, struct payload);

static noinline int loop_kfifo_spinlock(void *arg, u64 n)
{
	struct payload in = {}, out;
	u64 i;

	for (i = 0; i < n; i++) {
		in.words[0] = i;
		if (!kfifo_in_spinlocked(&fifo, &in, 1, &lock))
			return -ENOSPC;
		if (!kfifo_out_spinlocked(&fifo, &out, 1, &lock) || out.words[0] != i)
			return -EBADMSG;
	}
	return 0;
}

static int measure_kfifo(void)
{
	static const struct d2d_bench_contender contender = {
		"kfifo-spinlock", "queue-put-take", "_raw_spin_lock_irqsave", loop_kfifo_spinlock
	};
	int err;

	err = kfifo_alloc(&fifo, CAPACITY, GFP_KERNEL);
	if (err)
		return err;
	err = d2d_bench_run(&contender);
	kfifo_free(&fifo);
	return err;
}

/* ptr_ring passes a pointer, and copies nothing. */
static noinline int loop_ptr_ring(void *arg, u64 n)
{
	struct ptr_ring *ring = arg;
	struct payload in, *out;
	u64 i;

	for (i = 0; i < n; i++) {
		in.words[0] = i;
		if (ptr_ring_produce_any(ring, &in))
			return -ENOSPC;
		out = ptr_ring_consume_any(ring);
		if (!out || out->words[0] != i)
			return -EBADMSG;
	}
	return 0;
}

static int measure_ptr_ring(void)
{
	struct ptr_ring ring;
	const struct d2d_bench_contender contender = {
		"ptr-ring", "queue-put-take", "_raw_spin_lock_irqsave", loop_ptr_ring, .arg = &ring,
	};
	int err;

	err = ptr_ring_init(&ring, CAPACITY, GFP_KERNEL);
	if (err)
		return err;
	err = d2d_bench_run(&contender);
	ptr_ring_cleanup(&ring, NULL);
	return err;
}

static LLIST_HEAD(llist);

/* llist has no lock and no bound. */
static noinline int loop_llist(void *arg, u64 n)
{
	struct llist_node *taken;
	struct entry entry;
	u64 i;

	for (i = 0; i < n; i++) {
		entry.words[0] = i;
		llist_add(&entry.lnode, &llist);
		taken = llist_del_all(&llist);
		if (!taken || llist_entry(taken, struct entry, lnode)->words[0] != i)
			return -EBADMSG;
	}
	return 0;
}

struct job {
	struct work_struct work;
	struct completion done;
	u32 value;
};

static void work_job(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	ping(NULL, job->value, &job->value);
	complete(&job->done);
}

static __always_inline int work_items(struct workqueue_struct *wq, u64 n)
{
	struct job job = {};
	u64 i;

	INIT_WORK_ONSTACK(&job.work, work_job);
	init_completion(&job.done);
	for (i = 0; i < n; i++) {
		reinit_completion(&job.done);
		queue_work(wq, &job.work);
		wait_for_completion(&job.done);
	}
	flush_work(&job.work);
	destroy_work_on_stack(&job.work);
	return job.value == (u32)n ? 0 : -EBADMSG;
}

static noinline int loop_work_item_percpu(void *arg, u64 n)
{
	return work_items(system_percpu_wq, n);
}

static noinline int loop_work_item_unbound(void *arg, u64 n)
{
	return work_items(system_dfl_wq, n);
}

/* Two threads wake each other in turn. Each makes half of the n wake-ups. */
static DECLARE_COMPLETION(ping_done);
static DECLARE_COMPLETION(pong_done);

static noinline int loop_completion(void *arg, u64 n)
{
	u64 i;

	for (i = 0; i < n / 2; i++) {
		complete(&ping_done);
		wait_for_completion(&pong_done);
	}
	return 0;
}

static noinline int other_completion(void *arg, u64 n)
{
	u64 i;

	for (i = 0; i < n / 2; i++) {
		wait_for_completion(&ping_done);
		complete(&pong_done);
	}
	return 0;
}

static DECLARE_WAIT_QUEUE_HEAD(ping_queue);
static DECLARE_WAIT_QUEUE_HEAD(pong_queue);
static bool ping_set, pong_set;

/* Only one thread waits for a flag and resets it, so resetting needs no atomic operation. */
static __always_inline void wait_for(wait_queue_head_t *queue, bool *set)
{
	wait_event(*queue, READ_ONCE(*set));
	WRITE_ONCE(*set, false);
}

static __always_inline void set_and_wake(wait_queue_head_t *queue, bool *set)
{
	WRITE_ONCE(*set, true);
	wake_up(queue);
}

static noinline int loop_wait_queue(void *arg, u64 n)
{
	u64 i;

	for (i = 0; i < n / 2; i++) {
		set_and_wake(&ping_queue, &ping_set);
		wait_for(&pong_queue, &pong_set);
	}
	return 0;
}

static noinline int other_wait_queue(void *arg, u64 n)
{
	u64 i;

	for (i = 0; i < n / 2; i++) {
		wait_for(&ping_queue, &ping_set);
		set_and_wake(&pong_queue, &pong_set);
	}
	return 0;
}

static noinline int loop_queue_handle_c(void *arg, u64 n)
{
	return d2d_bench_put_take(arg, n);
}

int d2d_bench_queue(struct d2d_context *context)
{
	const struct d2d_bench_contender contender = {
		"queue-handle-c", "queue-handle-c", "_raw_spin_lock_irqsave", loop_queue_handle_c,
		.arg = &context->to_owner,
	};

	return d2d_bench_run(&contender);
}

static const struct d2d_bench_contender mechanisms[] = {
	{ "indirect-call", "indirect-call", "*", loop_indirect_call },
	{ "indirect-call-srcu", "indirect-call", "*", loop_indirect_call_srcu },
	{ "indirect-call-srcu-fast", "indirect-call", "*", loop_indirect_call_srcu_fast },
	{ "exported-symbol-call", "indirect-call", "d2d_bench_ping", loop_exported_symbol_call },
	{ "spin-lock-irqsave", "indirect-call", "_raw_spin_lock_irqsave", loop_spin_lock_irqsave },
	{ "list-add-del", "indirect-call", "", loop_list_add_del },
	{ "llist", "queue-put-take", "", loop_llist },
	{ "work-item-percpu", "ops-call-b-to-a", "queue_work_on", loop_work_item_percpu },
	{ "work-item-unbound", "ops-call-b-to-a", "queue_work_on", loop_work_item_unbound },
	{ "completion", "completion", "wait_for_completion", loop_completion, other_completion },
	{ "wait-queue", "completion", "__wake_up", loop_wait_queue, other_wait_queue },
};

int d2d_bench_mechanisms(void)
{
	size_t i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(mechanisms) && !err; i++)
		err = d2d_bench_run(&mechanisms[i]);
	return err ?: measure_notifier_chains() ?: measure_kfifo() ?: measure_ptr_ring();
}

int d2d_bench_calibrate(void)
{
	static const struct d2d_bench_contender empty_loop = {
		"empty-loop", "empty-loop", "", loop_empty_loop
	};

	return d2d_bench_run(&empty_loop);
}
