// SPDX-License-Identifier: GPL-2.0
/*
 * Blocks calls inside a test peer until the test releases them, so that the test knows that
 * they are inside. It is a module of its own, because the peer's files are already removed
 * while the peer is being unloaded.
 *
 *   /sys/module/hold_calls/parameters/hold    which calls to block: task, softirq or hardirq for
 *                                             those that run in this execution context, handshake,
 *                                             or none
 *   /sys/module/hold_calls/parameters/inside  how many calls are blocked now
 *   /sys/module/hold_calls/parameters/late    how many calls continued because of the time limit
 */
#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>

#include "hold_calls.h"

/*
 * A failing test must not hang the machine: both limits are shorter than the kernel's watchdogs.
 * unload.sh holds calls in interrupts, and makes the watchdogs wait longer.
 */
#define SLEEP_SECONDS	100
#define SPIN_SECONDS	50

enum place { NONE, TASK, SOFTIRQ, HARDIRQ, HANDSHAKE };

static const char * const places[] = { "none", "task", "softirq", "hardirq", "handshake" };

static enum place hold;
static atomic_t inside = ATOMIC_INIT(0);
static atomic_t late = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(released);

static int set_hold(const char *text, const struct kernel_param *param)
{
	int place = sysfs_match_string(places, text);

	if (place < 0)
		return place;
	WRITE_ONCE(hold, place);
	wake_up_all(&released);
	return 0;
}

static int get_hold(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", places[READ_ONCE(hold)]);
}

static int get_count(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(param->arg));
}

static const struct kernel_param_ops hold_ops = { .set = set_hold, .get = get_hold };
static const struct kernel_param_ops count_ops = { .get = get_count };

module_param_cb(hold, &hold_ops, NULL, 0600);
MODULE_PARM_DESC(hold, "Which calls to hold: task, softirq, hardirq, handshake or none");
module_param_cb(inside, &count_ops, &inside, 0400);
MODULE_PARM_DESC(inside, "How many calls are being held");
module_param_cb(late, &count_ops, &late, 0400);
MODULE_PARM_DESC(late, "How many calls went on after a timeout");

static bool held(enum place place)
{
	return READ_ONCE(hold) == place;
}

static void stay(enum place place)
{
	u64 end = ktime_get_mono_fast_ns() + SPIN_SECONDS * NSEC_PER_SEC;

	if (!held(place))
		return;
	atomic_inc(&inside);
	if (place == TASK || place == HANDSHAKE)
		wait_event_timeout(released, !held(place), SLEEP_SECONDS * HZ);
	else
		while (held(place) && ktime_get_mono_fast_ns() < end)
			cpu_relax();
	if (held(place))
		atomic_inc(&late);
	atomic_dec(&inside);
}

void d2d_hold_operation(void)
{
	stay(in_hardirq() ? HARDIRQ : in_serving_softirq() ? SOFTIRQ : TASK);
}
EXPORT_SYMBOL_NS_GPL(d2d_hold_operation, "D2D");

void d2d_hold_handshake(void)
{
	stay(HANDSHAKE);
}
EXPORT_SYMBOL_NS_GPL(d2d_hold_handshake, "D2D");

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: holds calls into a peer that is being removed");
MODULE_LICENSE("GPL");
