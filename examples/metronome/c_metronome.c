// SPDX-License-Identifier: GPL-2.0
/*
 * The metronome in C: the owner of the context. Its timer puts beats on the queue to the listener,
 * in hard interrupt.
 *
 * The listener starts the timer by an operation. Processes use the device /dev/metronome, also
 * without a listener. A write sets the timer's period in microseconds; 0 stops the timer. A read
 * waits until the timer has expired, and returns how often it has expired since the last read, or
 * since the file was opened, as 8 bytes.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "d2d_device.h"
#include "d2d_ops.h"
#include "d2d_owner.h"
#include "d2d_hot_step.h"
#include "d2d_queue.h"
#include "metronome_pair.h"

/* Beats that the queue can hold */
#define CAPACITY	1024
/* Shortest and longest period, in microseconds */
#define SHORTEST	20
#define LONGEST		1000000

/* The handle of this driver, from d2d_owner_start() */
static d2d_handle self;
/* Set before drivers can register. */
static struct d2d_context *context;

/*
 * Beats while a listener was attached, and those that the queue had no room for. Only expire()
 * changes them.
 */
static u64 beats, lost;

/* How often the timer has expired, and the processes that wait for the next expiry */
static atomic_long_t expiries;
static DECLARE_WAIT_QUEUE_HEAD(expired);

/*
 * The timer expires in hard interrupt, but its mode is not one of HRTIMER_MODE_..._HARD: the
 * callback of such a timer must not take a spinlock_t, and the library takes some.
 */
static struct hrtimer timer;
/* 0 while the timer is stopped */
static ktime_t period;
/* Held to change the period, and to start or stop the timer. Taken in hard interrupt, too. */
static DEFINE_SPINLOCK(lock);

/* Puts a beat on the queue and calls the listener. Does nothing without a listener. */
static void beat(void)
{
	const struct metronome_pair_peer_ops *ops;
	struct metronome_pair_beat beat;
	struct d2d_peer peer;
	u32 result;
	int err;

	if (d2d_peer_enter(context, &peer))
		return;
	beat.number = beats++;
	if (d2d_queue_put(&context->to_peer, METRONOME_PAIR_KIND_BEAT, &beat, sizeof(beat)))
		lost++;
	ops = container_of_const(peer.ops, struct metronome_pair_peer_ops, hdr);
	if (ops->beats) {
		d2d_hot_call("peer", "beats");
		err = ops->beats(peer.self, &result);
		d2d_hot_return("peer", "beats", err);
	}
	d2d_peer_exit(context, &peer);
}

/* Called in hard interrupt, by one CPU at a time. */
static enum hrtimer_restart expire(struct hrtimer *this)
{
	scoped_guard(spinlock_irqsave, &lock) {
		if (!period)
			return HRTIMER_NORESTART;
		/* set() may have started the timer again. */
		if (!hrtimer_is_queued(this))
			hrtimer_forward_now(this, period);
	}
	atomic_long_inc(&expiries);
	wake_up_interruptible(&expired);
	beat();
	/* If set() has started the timer, this value changes nothing. */
	return HRTIMER_RESTART;
}

/* Starts the timer with a period in microseconds, or stops it. Any context. */
static int set(u32 micros)
{
	if (micros && (micros < SHORTEST || micros > LONGEST))
		return -EINVAL;
	guard(spinlock_irqsave)(&lock);
	period = us_to_ktime(micros);
	if (micros)
		hrtimer_start(&timer, period, HRTIMER_MODE_REL);
	else
		/* If expire() is running now, the next call of expire() stops the timer. */
		hrtimer_try_to_cancel(&timer);
	return 0;
}

/* The listener calls this in any context. */
static int owner_set_period(void *this, u32 micros, u32 *result)
{
	*result = micros;
	return set(micros);
}

static const u64 chain[] = METRONOME_PAIR_OWNER_CHAIN;

static const struct metronome_pair_owner_ops ops = {
	.hdr = D2D_OPS_INIT(struct metronome_pair_owner_ops, METRONOME_PAIR_MAJOR,
			    METRONOME_PAIR_MINOR, chain),
	.set_period = owner_set_period,
};

static const u64 peer_chain[] = METRONOME_PAIR_PEER_CHAIN;

/* What this driver expects of a listener's operations */
static const struct metronome_pair_peer_ops peer_ops = {
	.hdr = D2D_OPS_INIT(struct metronome_pair_peer_ops, METRONOME_PAIR_MAJOR,
			    METRONOME_PAIR_MINOR, peer_chain),
};

/* Receives requests, of which this pair declares none. Process context, may sleep. */
static int dispatch(void *this, const struct d2d_request *request)
{
	int err = -ENOTTY;

	return d2d_complete(request->handle, err, 0) ?: err;
}

/* The library calls this once for each context: this driver has only one. */
static void prepare(void *this, struct d2d_context *prepared)
{
	context = prepared;
}

static const struct d2d_owner owner = {
	.ops = &ops.hdr,
	.peer_ops = &peer_ops.hdr,
	.dispatch = dispatch,
	.prepare = prepare,
	.contexts = 1,
	.capacity = CAPACITY,
	.item_size = sizeof(struct metronome_pair_beat),
	.completion = D2D_LEARN_RETURN,
	.timeout = 5000,
	METRONOME_PAIR_DATA_SIZES,
};

/* The private data of an open file is the number of expiries that the file has seen. */
static int expiries_open(struct inode *inode, struct file *file)
{
	file->private_data = (void *)atomic_long_read(&expiries);
	return 0;
}

/*
 * Returns how many expiries the file has not seen, and marks them as seen. Returns 0 if there are
 * none, or if another thread has just read them.
 */
static u64 see(struct file *file)
{
	void *seen = READ_ONCE(file->private_data);
	void *now = (void *)atomic_long_read(&expiries);

	if (seen == now || cmpxchg(&file->private_data, seen, now) != seen)
		return 0;
	return now - seen;
}

static ssize_t expiries_read(struct file *file, char __user *buffer, size_t count, loff_t *offset)
{
	u64 unseen;
	int err;

	if (count < sizeof(unseen))
		return -EINVAL;
	if (file->f_flags & O_NONBLOCK) {
		unseen = see(file);
		err = unseen ? 0 : -EAGAIN;
	} else {
		err = wait_event_interruptible(expired, (unseen = see(file)));
	}
	if (err)
		return err;
	return copy_to_user(buffer, &unseen, sizeof(unseen)) ? -EFAULT : sizeof(unseen);
}

static __poll_t device_poll(struct file *file, poll_table *wait)
{
	__poll_t ready = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &expired, wait);
	if (READ_ONCE(file->private_data) != (void *)atomic_long_read(&expiries))
		ready |= EPOLLIN | EPOLLRDNORM;
	return ready;
}

static ssize_t period_write(struct file *file, const char __user *buffer, size_t count,
			    loff_t *offset)
{
	u32 micros;
	int err;

	err = kstrtou32_from_user(buffer, count, 10, &micros) ?: set(micros);
	return err ?: count;
}

/* .owner keeps the module loaded while the file is open. */
static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = expiries_open,
	.read = expiries_read,
	.poll = device_poll,
	.write = period_write,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "metronome",
	.fops = &device_fops,
	.mode = 0600,
};

/* Makes the device last: a process may open it at once, and start the timer. */
static int __init owner_init(void)
{
	int err;

	hrtimer_setup(&timer, expire, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	err = d2d_owner_start(&owner, &self);
	if (err)
		return err;
	err = d2d_device_register(KBUILD_MODNAME, &device);
	if (err)
		d2d_owner_stop();
	return err;
}
module_init(owner_init);

/* The reverse order of owner_init(). No listener is attached any more. */
static void __exit owner_exit(void)
{
	misc_deregister(&device);
	hrtimer_cancel(&timer);
	d2d_owner_stop();
	pr_info("beats=%llu lost=%llu\n", beats, lost);
}
module_exit(owner_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Example: an owner in C with a timer");
MODULE_LICENSE("GPL");
