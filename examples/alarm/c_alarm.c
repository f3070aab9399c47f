// SPDX-License-Identifier: GPL-2.0
/*
 * The alarm in C: the first phase of the port of windows/alarm/alarm.c, as docs/porting.md
 * describes. It prints the lines of the original. Only this port has a work item, which prints the
 * lines with "log". The second phase is examples/alarm/alarm.rs.
 *
 * The alarm leaves requests of the sleeper pending, and completes each at its time, in the softirq
 * of a timer that is armed for what is due first. It does the same with the calls of processes,
 * ioctls of /dev/alarm.
 */
/* The driver's name. The module has another one, because alarm.ko is the alarm in Rust. */
#define NAME	"alarm"
#define pr_fmt(fmt)	NAME ": " fmt

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/ioctl.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "d2d_device.h"
#include "d2d_ops.h"
#include "d2d_owner.h"
#include "d2d_request.h"
#include "alarm_pair.h"

/* The longest time of a request or a call, in milliseconds: an hour */
#define LONGEST	3600000
/* The most requests and calls that are pending at a time */
#define MOST	32

/*
 * The command of ioctl. Its argument points to a u64, the number of milliseconds for which the
 * call stays pending. The alarm replaces this number by how many requests and calls it has
 * completed before.
 */
#define WAIT	_IOWR('a', 1, u64)

/* The call of a process, on the stack of the process */
struct call {
	struct completion done;
	u64 rang;
};

/* A request or a call that is pending, and its time; all 0 in a free place */
struct ring {
	ktime_t due;
	d2d_handle request;
	struct call *call;
};

/*
 * Protects rings, rang and cancelled. Only expired() changes rang, so expired() may read rang
 * without the lock. The lock is taken with interrupts disabled, as the sleeper may call the alarm
 * in any context. The alarm does not hold the lock while it completes a request: that may call the
 * sleeper, which may call the alarm again.
 */
static DEFINE_SPINLOCK(lock);
static struct ring rings[MOST];
/* How many requests and calls were completed, and how many were cancelled */
static u64 rang, cancelled;

static struct hrtimer timer;

static bool is_free(const struct ring *ring)
{
	return !ring->request && !ring->call;
}

/* Starts the timer for what is due first. The caller holds the lock. */
static void arm(void)
{
	ktime_t due = KTIME_MAX;

	lockdep_assert_held(&lock);
	for (int n = 0; n < MOST; n++)
		if (!is_free(&rings[n]) && ktime_before(rings[n].due, due))
			due = rings[n].due;
	if (due != KTIME_MAX)
		hrtimer_start(&timer, due, HRTIMER_MODE_ABS_SOFT);
}

/* Removes a request or a call that is due at this time or before. Any context. */
static bool take_due(ktime_t time, struct ring *taken)
{
	guard(spinlock_irqsave)(&lock);
	for (int n = 0; n < MOST; n++) {
		if (is_free(&rings[n]) || ktime_after(rings[n].due, time))
			continue;
		*taken = rings[n];
		rings[n] = (struct ring){};
		return true;
	}
	return false;
}

/*
 * Removes a request (then the call is NULL) or a call (then the request is 0) that was cancelled.
 * Returns false if expired() has removed it before. Any context.
 */
static bool take_cancelled(d2d_handle request, const struct call *call)
{
	guard(spinlock_irqsave)(&lock);
	for (int n = 0; n < MOST; n++) {
		if (rings[n].request != request || rings[n].call != call)
			continue;
		rings[n] = (struct ring){};
		cancelled++;
		return true;
	}
	return false;
}

/* Returns whether the request was completed: not if it was cancelled meanwhile. Any context. */
static bool complete_request(d2d_handle request)
{
	int err = d2d_request_write(request, &rang, sizeof(rang));

	return !d2d_complete(request, err, err ? 0 : sizeof(rang)) && !err;
}

/* The process may return, and its call be gone, as soon as complete() has begun. Any context. */
static bool complete_call(struct call *call)
{
	call->rang = rang;
	complete(&call->done);
	return true;
}

/* Prints what the timer has done so far. Called in a kernel worker. */
static void print_rang(struct work_struct *work)
{
	u64 so_far;

	scoped_guard(spinlock_irqsave, &lock)
		so_far = rang;
	pr_info("log rang=%llu\n", so_far);
}

static DECLARE_WORK(print_work, print_rang);

/* Completes what is due. Called in softirq, by one CPU at a time. */
static enum hrtimer_restart expired(struct hrtimer *this)
{
	ktime_t now = ktime_get();
	struct ring due;

	while (take_due(now, &due)) {
		if (!(due.call ? complete_call(due.call) : complete_request(due.request)))
			continue;
		scoped_guard(spinlock_irqsave, &lock)
			rang++;
	}
	scoped_guard(spinlock_irqsave, &lock)
		arm();
	schedule_work(&print_work);
	/* If arm() has started the timer, this value does not stop it. */
	return HRTIMER_NORESTART;
}

/* Leaves a request (then the call is NULL) or a call (then the request is 0) pending. */
static int pend(u64 after, d2d_handle request, struct call *call)
{
	int err;

	if (after < 1 || after > LONGEST)
		return -EINVAL;
	guard(spinlock_irqsave)(&lock);
	for (int n = 0; n < MOST; n++) {
		if (!is_free(&rings[n]))
			continue;
		/*
		 * If the request is cancelled after d2d_request_set_cancel(),
		 * alarm_cancelled() waits for the lock and then finds the request. If it was
		 * cancelled before, the call fails.
		 */
		err = request ? d2d_request_set_cancel(request) : 0;
		if (err)
			return err;
		rings[n].due = ktime_add_ms(ktime_get(), after);
		rings[n].request = request;
		rings[n].call = call;
		arm();
		return 0;
	}
	return -EBUSY;
}

/* Once pend() has stored the request, expired() may complete it before dispatch() returns. */
static int pend_request(const struct d2d_request *request)
{
	u32 after;
	int err;

	if (request->output_len < sizeof(rang))
		return -EMSGSIZE;
	err = d2d_request_input(request, &after, sizeof(after));
	return err ?: pend(after, request->handle, NULL) ?: -D2D_STATUS_PENDING;
}

/* Receives requests of the sleeper in any context. */
static int dispatch(void *this, const struct d2d_request *request)
{
	int err = -ENOTTY;

	if (request->code == ALARM_PAIR_IOCTL_RING)
		err = pend_request(request);
	if (err != -D2D_STATUS_PENDING)
		d2d_complete(request->handle, err, 0);
	return err;
}

/* The library calls this if a request is cancelled while it is pending. Any context. */
static void alarm_cancelled(void *this, d2d_handle request)
{
	take_cancelled(request, NULL);
}

/* The sleeper calls this in any context. */
static int alarm_waiting(void *context, u32 *result)
{
	u32 count = 0;

	guard(spinlock_irqsave)(&lock);
	for (int n = 0; n < MOST; n++)
		count += !is_free(&rings[n]);
	*result = count;
	return 0;
}

/* Leaves the call of a process pending, and waits until it is completed, or a signal comes. */
static int wait_for_call(u64 after, bool is_nonblocking, u64 *result)
{
	struct call call;
	int err;

	init_completion(&call.done);
	err = pend(after, 0, &call);
	if (err)
		return err;
	err = is_nonblocking ? -EAGAIN : wait_for_completion_interruptible(&call.done);
	if (err && take_cancelled(0, &call))
		return err;
	/* expired() has taken the call from rings, and uses the call until it calls complete(). */
	if (err)
		wait_for_completion(&call.done);
	*result = call.rang;
	return 0;
}

static long alarm_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	u64 __user *number = (u64 __user *)argument;
	u64 after, before;
	int err;

	if (command != WAIT)
		return -ENOTTY;
	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (get_user(after, number))
		return -EFAULT;
	err = wait_for_call(after, file->f_flags & O_NONBLOCK, &before);
	return err ?: put_user(before, number);
}

/* .owner keeps the module loaded while the file is open. */
static const struct file_operations alarm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = alarm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = NAME,
	.fops = &alarm_fops,
	.mode = 0600,
};

static const u64 chain[] = ALARM_PAIR_OWNER_CHAIN;

static const struct alarm_pair_owner_ops ops = {
	.hdr = D2D_OPS_INIT(struct alarm_pair_owner_ops, ALARM_PAIR_MAJOR, ALARM_PAIR_MINOR, chain),
	.waiting = alarm_waiting,
};

static const u64 peer_chain[] = ALARM_PAIR_PEER_CHAIN;

/* The alarm expects no operation of a sleeper. */
static const struct alarm_pair_peer_ops peer_ops = {
	.hdr = D2D_OPS_INIT(struct alarm_pair_peer_ops, ALARM_PAIR_MAJOR, ALARM_PAIR_MINOR,
			    peer_chain),
};

static const struct d2d_owner owner = {
	.ops = &ops.hdr,
	.peer_ops = &peer_ops.hdr,
	.dispatch = dispatch,
	.cancelled = alarm_cancelled,
	.flags = D2D_DISPATCH_ATOMIC,
	.contexts = 1,
	.capacity = 8,
	.item_size = sizeof(u64),
	.completion = D2D_LEARN_RETURN,
	.timeout = 5000,
	ALARM_PAIR_DATA_SIZES,
};

/* Makes the device last: a process may open it at once, and start the timer. */
static int __init owner_init(void)
{
	/* Not used: the alarm sends no request, and creates no event. */
	d2d_handle self;
	int err;

	hrtimer_setup(&timer, expired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	err = d2d_owner_start(&owner, &self);
	if (err)
		return err;
	err = d2d_device_register(NAME, &device);
	if (err)
		d2d_owner_stop();
	return err;
}
module_init(owner_init);

/*
 * No sleeper is loaded and no process has the device open, so nothing is pending. But the timer may
 * be armed, for what was cancelled.
 */
static void __exit owner_exit(void)
{
	misc_deregister(&device);
	hrtimer_cancel(&timer);
	/* After the timer, whose routine starts the work item */
	cancel_work_sync(&print_work);
	d2d_owner_stop();
	pr_info("unload rang=%llu cancelled=%llu\n", rang, cancelled);
}
module_exit(owner_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Example: the alarm in C, between the Windows original and Rust");
MODULE_LICENSE("GPL");
