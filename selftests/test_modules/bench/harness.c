// SPDX-License-Identifier: GPL-2.0
/*
 * Measures the contenders, whatever language they are written in, and prints the raw
 * times: statistics are the host's (qemu/bench/).
 *
 * A contender's loop runs in a thread of its own, bound to the first CPU; if it takes
 * two threads, the other one is bound to the last. The clock is read once before and once
 * after a batch of loops, and nothing is subtracted.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/printk.h>
#include <linux/sched/task.h>
#include <linux/timekeeping.h>

#include "harness.h"

#define BATCHES		30
#define FIRST_N		64
/* So many batches in a row have to be long enough before it begins. */
#define WARM		3
/* A batch is so long that neither reading the clock nor one timer tick matters much. */
#define BATCH_NS	(2 * NSEC_PER_MSEC)

/* What one thread does. */
struct part {
	d2d_bench_loop *loop;
	void *arg;
	u64 n;
	struct completion done;
};

static int part_thread(void *data)
{
	struct part *part = data;
	int err;

	err = part->loop(part->arg, part->n);
	complete(&part->done);
	return err;
}

static struct task_struct *begin(struct part *part, unsigned int cpu)
{
	struct task_struct *task;

	init_completion(&part->done);
	task = kthread_create(part_thread, part, "d2d_bench/%u", cpu);
	if (IS_ERR(task))
		return task;
	kthread_bind(task, cpu);
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

static int end(struct part *part, struct task_struct *task)
{
	/* One that is stopped before it runs would never run. */
	wait_for_completion(&part->done);
	return kthread_stop_put(task);
}

static int batch(const struct d2d_bench_contender *contender, u64 n, u64 *ns)
{
	struct part other = { .loop = contender->other, .arg = contender->arg, .n = n };
	struct task_struct *task = NULL;
	u64 start;
	int err;

	if (contender->other) {
		task = begin(&other, cpumask_last(cpu_online_mask));
		if (IS_ERR(task))
			return PTR_ERR(task);
	}
	start = ktime_get_ns();
	err = contender->loop(contender->arg, n);
	*ns = ktime_get_ns() - start;
	if (task)
		err = end(&other, task) ?: err;
	return err;
}

static int measure(void *arg, u64 batches)
{
	const struct d2d_bench_contender *contender = arg;
	u64 n = FIRST_N, ns, i;
	char text[BATCHES * sizeof("18446744073709551615")];
	int length = 0, long_enough = 0;
	int err;

	/* Looking for the length of a batch is the warm-up as well; one alone may be slow. */
	while (long_enough < WARM) {
		err = batch(contender, n, &ns);
		if (err)
			return err;
		if (ns >= BATCH_NS) {
			long_enough++;
		} else {
			long_enough = 0;
			n *= 2;
		}
	}
	for (i = 0; i < batches; i++) {
		err = batch(contender, n, &ns);
		if (err)
			return err;
		length += scnprintf(text + length, sizeof(text) - length, "%llu,", ns);
	}
	pr_info("bench: contender=%s base=%s calls=%s n=%llu ns=%s\n", contender->name,
		contender->base, contender->calls, n, text);
	return 0;
}

int d2d_bench_run(const struct d2d_bench_contender *contender)
{
	struct part part = { .loop = measure, .arg = (void *)contender, .n = BATCHES };
	struct task_struct *task = begin(&part, cpumask_first(cpu_online_mask));

	return IS_ERR(task) ? PTR_ERR(task) : end(&part, task);
}
