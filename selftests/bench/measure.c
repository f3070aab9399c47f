// SPDX-License-Identifier: GPL-2.0
/*
 * Measures contenders (measure.h). Prints raw times; the host makes the statistics (qemu/bench/).
 *
 * The measured loop runs on the first CPU. The other threads share the other CPUs. A batch is one
 * call of the loop. With producers, a batch is several calls, and its time is the mean time of a
 * call. Each time includes reading the clock.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/printk.h>
#include <linux/sched/task.h>
#include <linux/timekeeping.h>

#include "measure.h"

#define BATCHES		30
/* For a point of a curve */
#define POINT_BATCHES	7
/* Operations in the first batch of the warm-up */
#define FIRST_N		2
/* With several threads */
#define FIRST_N_OF_TWO	64
/* The warm-up ends after this many long batches in a row, because one may be long by chance. */
#define WARM		3
/* The least time of a batch, so that a timer tick or reading the clock hardly counts */
#define BATCH_NS	(2 * NSEC_PER_MSEC)
/* The same with producers, so that each of them runs, even if several share a CPU */
#define PRODUCERS_NS	(100 * NSEC_PER_MSEC)
#define MAX_PRODUCERS	8
/* How many items a producer tries to put in each call of its loop */
#define PUT_AT_ONCE	16

/* A thread, and the loop that it runs */
struct part {
	d2d_bench_loop *loop;
	void *arg;
	u64 n;
	struct completion begun;
	struct completion done;
	const bool *stop;	/* tells a producer to end */
	u64 put;		/* items that a producer has put */
};

struct measurement {
	const struct d2d_bench_contender *contender;
	bool warm;
	u64 counts[MAX_PRODUCERS];	/* items that each producer has put since the warm-up */
};

static int part_thread(void *data)
{
	struct part *part = data;
	int err;

	complete(&part->begun);
	err = part->loop(part->arg, part->n);
	complete(&part->done);
	return err;
}

static int producer_thread(void *data)
{
	struct part *part = data;
	int count = 0;

	complete(&part->begun);
	while (count >= 0 && !READ_ONCE(*part->stop)) {
		count = part->loop(part->arg, PUT_AT_ONCE);
		if (count > 0)
			part->put += count;
		if (count < PUT_AT_ONCE)
			cpu_relax();
		cond_resched();
	}
	complete(&part->done);
	return min(count, 0);
}

static struct task_struct *begin(struct part *part, int (*thread)(void *data), unsigned int cpu)
{
	struct task_struct *task;

	init_completion(&part->begun);
	init_completion(&part->done);
	task = kthread_create(thread, part, "d2d_bench/%u", cpu);
	if (IS_ERR(task))
		return task;
	kthread_bind(task, cpu);
	get_task_struct(task);
	wake_up_process(task);
	/* Starting the thread is not measured. */
	wait_for_completion(&part->begun);
	return task;
}

static int end(struct part *part, struct task_struct *task)
{
	/* Wait for the end: kthread_stop_put() would wake a thread that sleeps in its loop. */
	wait_for_completion(&part->done);
	return kthread_stop_put(task);
}

/* Returns the first CPU only if there is no other one. */
static unsigned int other_cpu(unsigned int index)
{
	unsigned int others = num_online_cpus() - 1;

	return cpumask_nth(others ? 1 + index % others : 0, cpu_online_mask);
}

static int timed_loop(const struct d2d_bench_contender *contender, u64 n, u64 *ns)
{
	u64 start = ktime_get_ns();
	int err = contender->loop(contender->arg, n);

	*ns = ktime_get_ns() - start;
	return err;
}

struct in_hardirq {
	struct hrtimer timer;
	struct completion done;
	const struct d2d_bench_contender *contender;
	u64 n;
	u64 *ns;
	int err;
};

static enum hrtimer_restart expired(struct hrtimer *timer)
{
	struct in_hardirq *job = container_of(timer, struct in_hardirq, timer);

	job->err = timed_loop(job->contender, job->n, job->ns);
	complete(&job->done);
	return HRTIMER_NORESTART;
}

static int batch_in_hardirq(const struct d2d_bench_contender *contender, u64 n, u64 *ns)
{
	struct in_hardirq job = { .contender = contender, .n = n, .ns = ns };

	init_completion(&job.done);
	hrtimer_setup_on_stack(&job.timer, expired, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
	hrtimer_start(&job.timer, NSEC_PER_USEC, HRTIMER_MODE_REL_PINNED);
	wait_for_completion(&job.done);
	/* expired() may not have returned yet. */
	hrtimer_cancel(&job.timer);
	destroy_hrtimer_on_stack(&job.timer);
	return job.err;
}

static int batch_with_producers(struct measurement *measurement, u64 n, u64 *ns)
{
	const struct d2d_bench_contender *contender = measurement->contender;
	struct task_struct *tasks[MAX_PRODUCERS];
	struct part parts[MAX_PRODUCERS] = {};
	unsigned int i, begun;
	u64 least = measurement->warm ? PRODUCERS_NS : 1;
	u64 total = 0, one, rounds;
	bool stop = false;
	int err = 0;

	for (begun = 0; begun < contender->value; begun++) {
		parts[begun] = (struct part){
			.loop = contender->other, .arg = contender->arg, .stop = &stop,
		};
		tasks[begun] = begin(&parts[begun], producer_thread, other_cpu(begun));
		if (IS_ERR(tasks[begun])) {
			err = PTR_ERR(tasks[begun]);
			break;
		}
	}
	/*
	 * Do not count the items that the first producers have put before the last one started. If
	 * counts[i] wraps here, it wraps back when parts[i].put is added.
	 */
	for (i = 0; i < begun; i++)
		measurement->counts[i] -= READ_ONCE(parts[i].put);
	for (rounds = 0; total < least && !err; rounds++) {
		err = timed_loop(contender, n, &one);
		total += one;
	}
	WRITE_ONCE(stop, true);
	for (i = 0; i < begun; i++) {
		err = end(&parts[i], tasks[i]) ?: err;
		measurement->counts[i] += parts[i].put;
	}
	*ns = err ? 0 : div64_u64(total, rounds);
	return err;
}

static int batch(struct measurement *measurement, u64 n, u64 *ns)
{
	const struct d2d_bench_contender *contender = measurement->contender;
	struct part other = { .loop = contender->other, .arg = contender->arg, .n = n };
	struct task_struct *task;
	int err;

	if (contender->flags & D2D_BENCH_HARDIRQ)
		return batch_in_hardirq(contender, n, ns);
	if (contender->flags & D2D_BENCH_PRODUCERS)
		return batch_with_producers(measurement, n, ns);
	if (!contender->other)
		return timed_loop(contender, n, ns);
	task = begin(&other, part_thread, other_cpu(0));
	if (IS_ERR(task))
		return PTR_ERR(task);
	err = timed_loop(contender, n, ns);
	return end(&other, task) ?: err;
}

static int warm_up(struct measurement *measurement, u64 *n)
{
	int long_enough = 0, err;
	u64 ns;

	*n = measurement->contender->other ? FIRST_N_OF_TWO : FIRST_N;
	while (long_enough < WARM) {
		err = batch(measurement, *n, &ns);
		if (err)
			return err;
		if (ns >= BATCH_NS) {
			long_enough++;
		} else {
			long_enough = 0;
			*n *= 2;
		}
	}
	return 0;
}

/* Has the type of a contender's loop, because part_thread() calls it. */
static int measure(void *arg, u64 batches)
{
	struct measurement *measurement = arg;
	const struct d2d_bench_contender *contender = measurement->contender;
	bool producers = contender->flags & D2D_BENCH_PRODUCERS;
	char text[BATCHES * sizeof("18446744073709551615")], at[48] = "";
	int length = 0, err;
	u64 n, ns, i;

	err = warm_up(measurement, &n);
	if (err)
		return err;
	measurement->warm = true;
	memset(measurement->counts, 0, sizeof(measurement->counts));
	for (i = 0; i < batches; i++) {
		err = batch(measurement, n, &ns);
		if (err)
			return err;
		length += scnprintf(text + length, sizeof(text) - length, "%llu,", ns);
	}
	if (contender->axis)
		scnprintf(at, sizeof(at), " at=%s:%llu", contender->axis, contender->value);
	pr_info("bench: contender=%s base=%s%s calls=%s n=%llu ns=%s\n", contender->name,
		contender->base, at, contender->callee, n, text);
	if (!producers)
		return 0;
	for (i = 0, length = 0; i < contender->value; i++)
		length += scnprintf(text + length, sizeof(text) - length, "%llu,",
				    measurement->counts[i]);
	pr_info("bench: share of=%s%s counts=%s\n", contender->name, at, text);
	return 0;
}

int d2d_bench_run(const struct d2d_bench_contender *contender)
{
	struct measurement measurement = { .contender = contender };
	struct part part = {
		.loop = measure,
		.arg = &measurement,
		.n = contender->axis ? POINT_BATCHES : BATCHES,
	};
	struct task_struct *task;

	if (contender->flags & (D2D_BENCH_SPINS | D2D_BENCH_PRODUCERS) && num_online_cpus() < 2)
		return 0;
	if (contender->flags & D2D_BENCH_PRODUCERS && contender->value > MAX_PRODUCERS)
		return -ERANGE;
	task = begin(&part, part_thread, cpumask_first(cpu_online_mask));
	return IS_ERR(task) ? PTR_ERR(task) : end(&part, task);
}
