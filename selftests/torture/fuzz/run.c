// SPDX-License-Identifier: GPL-2.0
/*
 * A module of the fuzzer (fuzz.h). Its folder /sys/kernel/debug/d2d-NAME has these files:
 *
 *   run		write "SEED MILLISECONDS [limits=N] [forget]" to let the module play
 *   report	the violations; if there is one, writing to "run" fails with EBADMSG
 *   coverage	for each function, how often it was called with which handles and results
 *
 * With limits=N, the module also makes the play N of limits.c. With forget, it leaves a driver
 * registered.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "d2d_table.h"
#include "fuzz.h"

#define THREADS	6
#define WORKERS	1
#define TIMERS	2
#define IRQ_WORKS	1
#define PLAYERS	(THREADS + WORKERS + TIMERS + IRQ_WORKS)
#define REPORT_SIZE	16384

u64 fuzz_seed;
bool fuzz_is_over;

static struct player {
	u32 number;
	u64 turn;	/* the number of its last turn */
	struct hrtimer timer;
} players[PLAYERS];

static struct task_struct *threads[THREADS];

static atomic_t playing;
static struct completion all_ended;
static struct work_struct work;
static struct irq_work irq_work;
static struct workqueue_struct *workqueue;
static DEFINE_MUTEX(run_lock);

static struct fuzz_caller next_turn(struct player *player, bool may_sleep)
{
	return (struct fuzz_caller){
		.random = fuzz_random_of(player->number, ++player->turn),
		.player = player->number,
		.may_sleep = may_sleep,
	};
}

static void turn_that_may_sleep(struct player *player)
{
	struct fuzz_caller caller = next_turn(player, true);

	if (fuzz_chance(&caller, 40))
		fuzz_play_may_sleep(&caller);
	else
		fuzz_play(&caller);
}

static void player_ended(void)
{
	if (atomic_dec_and_test(&playing))
		complete(&all_ended);
}

static int play_in_thread(void *data)
{
	struct player *player = data;

	while (!READ_ONCE(fuzz_is_over)) {
		turn_that_may_sleep(player);
		cond_resched();
	}
	player_ended();
	return 0;
}

static void play_in_worker(struct work_struct *work)
{
	if (READ_ONCE(fuzz_is_over)) {
		player_ended();
		return;
	}
	turn_that_may_sleep(&players[THREADS]);
	queue_work(workqueue, work);
}

static void play_in_irq_work(struct irq_work *work)
{
	struct fuzz_caller caller = next_turn(&players[THREADS + WORKERS + TIMERS], false);

	fuzz_play(&caller);
}

/* In hard interrupt or in softirq, as the timer's mode says. */
static enum hrtimer_restart play_in_timer(struct hrtimer *timer)
{
	struct player *player = container_of(timer, struct player, timer);
	struct fuzz_caller caller = next_turn(player, false);

	if (READ_ONCE(fuzz_is_over))
		return HRTIMER_NORESTART;
	for (u32 n = fuzz_below(&caller, 4); n; n--)
		fuzz_play(&caller);
	/* Only one timer queues the irq_work, so it never runs on two CPUs at a time. */
	if (player->number == THREADS + WORKERS && !irq_work_is_busy(&irq_work))
		irq_work_queue(&irq_work);
	hrtimer_forward_now(timer, ns_to_ktime(100000 + fuzz_below(&caller, 400000)));
	return HRTIMER_RESTART;
}

static void start_timer(struct player *player, enum hrtimer_mode mode)
{
	hrtimer_setup(&player->timer, play_in_timer, CLOCK_MONOTONIC, mode);
	hrtimer_start(&player->timer, ns_to_ktime(NSEC_PER_MSEC), mode);
}

static void start(void)
{
	init_completion(&all_ended);
	atomic_set(&playing, 1);
	for (u32 n = 0; n < PLAYERS; n++)
		players[n] = (struct player){ .number = n };
	for (u32 n = 0; n < THREADS; n++) {
		struct task_struct *thread;

		thread = kthread_create(play_in_thread, &players[n], "%s-%u", THIS_MODULE->name, n);
		threads[n] = IS_ERR(thread) ? NULL : get_task_struct(thread);
		if (threads[n]) {
			atomic_inc(&playing);
			wake_up_process(thread);
		}
	}
	atomic_inc(&playing);
	INIT_WORK(&work, play_in_worker);
	queue_work(workqueue, &work);
	init_irq_work(&irq_work, play_in_irq_work);
	start_timer(&players[THREADS + WORKERS], HRTIMER_MODE_REL);
	start_timer(&players[THREADS + WORKERS + 1], HRTIMER_MODE_REL_SOFT);
}

/*
 * Stops the players, so no driver completes pended requests any more. The waits that have a time
 * limit time out. Unregistering the drivers ends the other waits. If a thread is stuck, the
 * module stays loaded.
 */
static void stop(void)
{
	struct player last = { .number = PLAYERS };
	struct fuzz_caller caller = next_turn(&last, true);
	u32 before = fuzz_violations();

	WRITE_ONCE(fuzz_is_over, true);
	hrtimer_cancel(&players[THREADS + WORKERS].timer);
	hrtimer_cancel(&players[THREADS + WORKERS + 1].timer);
	irq_work_sync(&irq_work);
	while (fuzz_watchdog() && fuzz_violations() == before)
		msleep(20);
	fuzz_unregister_all(&caller);
	player_ended();
	if (!wait_for_completion_timeout(&all_ended, msecs_to_jiffies(FUZZ_MARGIN_MS))) {
		fuzz_violation("thread-stuck", "count=%d", atomic_read(&playing));
		__module_get(THIS_MODULE);
		return;
	}
	/* Wait until no thread executes code of this module. */
	for (u32 n = 0; n < THREADS; n++) {
		if (threads[n])
			kthread_stop_put(threads[n]);
	}
	flush_workqueue(workqueue);
	/* Threads may have registered drivers after the first call. */
	fuzz_unregister_all(&caller);
	fuzz_things_check();
	fuzz_things_reset();
}

/* @limits: the number of a play in limits.c, or negative: none. */
static int run(u64 seed, u32 ms, int limits)
{
	unsigned long end = jiffies + msecs_to_jiffies(ms);
	struct player main = { .number = PLAYERS + 1 };
	struct fuzz_caller caller;

	fuzz_seed = seed;
	fuzz_is_over = false;
	fuzz_oracle_reset();
	fuzz_coverage_reset();
	start();
	if (limits >= 0) {
		caller = next_turn(&main, true);
		fuzz_play_limits(&caller, limits);
	}
	while (time_before(jiffies, end) && !fuzz_violations()) {
		msleep(20);
		fuzz_watchdog();
	}
	stop();
	return fuzz_violations() ? -EBADMSG : 0;
}

static ssize_t run_write(struct file *file, const char __user *buffer, size_t count, loff_t *offset)
{
	char text[64] = {};
	const char *word;
	int limits = -1;
	u64 seed;
	u32 ms;
	int err;

	if (count >= sizeof(text))
		return -E2BIG;
	if (copy_from_user(text, buffer, count))
		return -EFAULT;
	if (sscanf(text, "%llu %u", &seed, &ms) != 2)
		return -EINVAL;
	word = strstr(text, "limits=");
	if (word && sscanf(word, "limits=%d", &limits) != 1)
		return -EINVAL;
	mutex_lock(&run_lock);
	err = run(seed, ms, limits);
	if (!err && strstr(text, "forget")) {
		fuzz_forget();
		err = fuzz_violations() ? -EBADMSG : 0;
	}
	mutex_unlock(&run_lock);
	return err ?: count;
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = run_write,
};

static ssize_t show(char __user *buffer, size_t count, loff_t *offset,
		    ssize_t (*fill)(char *text, size_t size))
{
	char *text = kvmalloc(REPORT_SIZE, GFP_KERNEL);
	ssize_t used;

	if (!text)
		return -ENOMEM;
	used = fill(text, REPORT_SIZE);
	used = simple_read_from_buffer(buffer, count, offset, text, used);
	kvfree(text);
	return used;
}

static ssize_t report_read(struct file *file, char __user *buffer, size_t count, loff_t *offset)
{
	return show(buffer, count, offset, fuzz_report);
}

static const struct file_operations report_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = report_read,
};

static ssize_t coverage_read(struct file *file, char __user *buffer, size_t count, loff_t *offset)
{
	return show(buffer, count, offset, fuzz_report_coverage);
}

static const struct file_operations coverage_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = coverage_read,
};

static struct dentry *dir;

static int __init fuzz_init(void)
{
	char name[32];
	int err;

	err = fuzz_drivers_init();
	if (err)
		return err;
	workqueue = alloc_workqueue("fuzz", WQ_UNBOUND, 0);
	if (!workqueue) {
		fuzz_drivers_free();
		return -ENOMEM;
	}
	snprintf(name, sizeof(name), "d2d-%s", THIS_MODULE->name);
	dir = debugfs_create_dir(name, NULL);
	debugfs_create_file("run", 0200, dir, NULL, &run_fops);
	debugfs_create_file("report", 0400, dir, NULL, &report_fops);
	debugfs_create_file("coverage", 0400, dir, NULL, &coverage_fops);
	/*
	 * The first d2d_register() of a module patches the module's static calls. An emulated CPU
	 * that makes such a call meanwhile may keep the breakpoint of the patching, and execute it
	 * later (Oops: int3). So patch before the players begin; d2d_register() refuses NULL.
	 */
	if (IS_ENABLED(CONFIG_HAVE_STATIC_CALL))
		d2d_register(NULL, NULL);
	return 0;
}
module_init(fuzz_init);

static void __exit fuzz_exit(void)
{
	debugfs_remove(dir);
	destroy_workqueue(workqueue);
	fuzz_drivers_free();
}
module_exit(fuzz_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a fuzzer of the C API");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(module_a);
