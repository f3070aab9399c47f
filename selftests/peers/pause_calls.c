// SPDX-License-Identifier: GPL-2.0
/*
 * Test: keeps calls inside a test peer until the test resumes them by the parameter "pause". This
 * code is a module of its own, because no process can open a device of the peer while the kernel
 * unloads the peer.
 */
#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>

#include "pause_calls.h"

/*
 * How long a call is paused at most. In a task it sleeps, for less than the timeout of the hung
 * task detector. In an interrupt it spins, for more than the timeouts of the lockup and RCU stall
 * detectors, so unload.sh raises these timeouts.
 */
#define SLEEP_SECONDS	100
#define SPIN_SECONDS	50

enum place { NONE, TASK, SOFTIRQ, HARDIRQ, HANDSHAKE };

static const char * const places[] = { "none", "task", "softirq", "hardirq", "handshake" };

static enum place paused;
static atomic_t inside = ATOMIC_INIT(0);
static atomic_t timed_out = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(resumed);

static int set_pause(const char *text, const struct kernel_param *param)
{
	int place = sysfs_match_string(places, text);

	if (place < 0)
		return place;
	WRITE_ONCE(paused, place);
	wake_up_all(&resumed);
	return 0;
}

static int get_pause(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", places[READ_ONCE(paused)]);
}

static int get_count(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(param->arg));
}

static const struct kernel_param_ops pause_ops = { .set = set_pause, .get = get_pause };
static const struct kernel_param_ops count_ops = { .get = get_count };

module_param_cb(pause, &pause_ops, NULL, 0600);
MODULE_PARM_DESC(pause, "Which calls to pause: task, softirq, hardirq, handshake or none");
module_param_cb(inside, &count_ops, &inside, 0400);
MODULE_PARM_DESC(inside, "How many calls are paused");
module_param_cb(timed_out, &count_ops, &timed_out, 0400);
MODULE_PARM_DESC(timed_out, "How many calls went on because the time limit was over");

static bool is_paused(enum place place)
{
	return READ_ONCE(paused) == place;
}

static void pause_in(enum place place)
{
	u64 end = ktime_get_mono_fast_ns() + SPIN_SECONDS * NSEC_PER_SEC;

	if (!is_paused(place))
		return;
	atomic_inc(&inside);
	if (place == TASK || place == HANDSHAKE)
		wait_event_timeout(resumed, !is_paused(place), SLEEP_SECONDS * HZ);
	else
		while (is_paused(place) && ktime_get_mono_fast_ns() < end)
			cpu_relax();
	if (is_paused(place))
		atomic_inc(&timed_out);
	atomic_dec(&inside);
}

void d2d_pause_call(void)
{
	pause_in(in_hardirq() ? HARDIRQ : in_serving_softirq() ? SOFTIRQ : TASK);
}
EXPORT_SYMBOL_NS_GPL(d2d_pause_call, "D2D");

void d2d_pause_handshake(void)
{
	pause_in(HANDSHAKE);
}
EXPORT_SYMBOL_NS_GPL(d2d_pause_handshake, "D2D");

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: pauses calls inside a peer");
MODULE_LICENSE("GPL");
