// SPDX-License-Identifier: GPL-2.0
/*
 * The listener in C: the peer. In hard interrupt, the metronome calls the listener's operation
 * beats, which queues a work item. The work item takes the beats in a kernel worker.
 *
 * A process that writes a number N to /dev/c_listener waits until N more beats were heard, at most
 * 30 seconds.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "d2d_device.h"
#include "d2d_ops.h"
#include "d2d_queue.h"
#include "d2d_table.h"
#include "metronome_pair.h"

/* The period to which this driver sets the metronome at first, in microseconds */
#define PERIOD		1000
/* Beats that one run of the work item takes from the queue */
#define BATCH		64
/* Longest wait for beats, in milliseconds */
#define PATIENCE	30000

#define trace(step, ...)	d2d_trace(D2D_RECORD(KBUILD_MODNAME, step, 0, ##__VA_ARGS__))

/* This driver's handle, from d2d_register() */
static d2d_handle self;
/* Set before the handshake is completed, and never NULL after that. */
static struct d2d_context *context;
/* Beats so far */
static atomic64_t heard;
/* Woken when more beats were heard */
static DECLARE_WAIT_QUEUE_HEAD(more);

static const u64 owner_chain[] = METRONOME_PAIR_OWNER_CHAIN;

/*
 * A checked copy of the metronome's operations, made during the handshake. Calls need no
 * protection: the kernel does not unload the metronome while this module imports its table.
 */
static struct metronome_pair_owner_ops owner = {
	.hdr = D2D_OPS_INIT(struct metronome_pair_owner_ops, METRONOME_PAIR_MAJOR,
			    METRONOME_PAIR_MINOR, owner_chain),
};

/* Copies the payload of an item, if it is a beat: the metronome may put anything. */
static bool read_beat(const struct d2d_item *item, struct metronome_pair_beat *beat)
{
	if (d2d_queue_expect(item, KBUILD_MODNAME, METRONOME_PAIR_KIND_BEAT, sizeof(*beat)))
		return false;
	memcpy(beat, item->payload, sizeof(*beat));
	return true;
}

/* Takes a batch of beats from the queue. Called in a kernel worker. */
static void listen(struct work_struct *work)
{
	struct d2d_queue *queue = &context->to_peer;
	struct metronome_pair_beat beat;
	struct d2d_item *item;
	d2d_handle handle;
	u32 taken = 0;

	while (taken < BATCH && (handle = d2d_queue_take(queue))) {
		item = d2d_queue_redeem(queue, handle);
		if (item && read_beat(item, &beat)) {
			pr_debug("beat %llu\n", beat.number);
			atomic64_inc(&heard);
		}
		d2d_queue_release(queue, handle);
		taken++;
	}
	wake_up_all(&more);
	/*
	 * There may be more. Do not loop here: a fast metronome would keep the loop running, and so
	 * this driver loaded.
	 */
	if (taken == BATCH)
		queue_work(system_dfl_wq, work);
}

static DECLARE_WORK(work, listen);

/* Called in hard interrupt. */
static int peer_beats(void *this, u32 *result)
{
	queue_work(system_dfl_wq, &work);
	*result = 0;
	return 0;
}

static const u64 chain[] = METRONOME_PAIR_PEER_CHAIN;

/* The owner may call these functions until d2d_detach() has returned. */
static const struct metronome_pair_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct metronome_pair_peer_ops, METRONOME_PAIR_MAJOR,
			    METRONOME_PAIR_MINOR, chain),
	.beats = peer_beats,
};

/*
 * The peer's half of the handshake: checks the context and the owner's operations, saves the
 * address of the context, and fills in this driver's operations.
 */
static int adopt(struct d2d_context *offered)
{
	int err;

	err = d2d_context_check(offered) ?:
	      d2d_ops_copy(&owner.hdr, &offered->owner, offered->module) ?:
	      (owner.set_period ? 0 : -EOPNOTSUPP);
	if (err)
		return err;
	context = offered;
	trace(ADOPT, D2D_NUMBER(CTX, context->id));
	context->peer.ops = &ops.hdr;
	context->peer.self = context;
	trace(FILL, D2D_NUMBER(CTX, context->id));
	return 0;
}

/* Receives requests. Process context, may sleep. */
static int dispatch(void *this, const struct d2d_request *request)
{
	int err = -ENOTTY;

	/* Before d2d_complete(): from then on, the owner may call the operations. */
	if (request->code == D2D_IOCTL_SHARE_CONTEXT)
		err = adopt(request->user_buffer);
	return d2d_complete(request->handle, err, 0) ?: err;
}

static const struct d2d_driver driver = D2D_DRIVER_INIT(KBUILD_MODNAME, .dispatch = dispatch);

static ssize_t hear_write(struct file *file, const char __user *buffer, size_t count,
			  loff_t *offset)
{
	u32 beats;
	u64 enough;
	long left;
	int err;

	err = kstrtou32_from_user(buffer, count, 10, &beats);
	if (err)
		return err;
	enough = atomic64_read(&heard) + beats;
	left = wait_event_interruptible_timeout(more, atomic64_read(&heard) >= enough,
						msecs_to_jiffies(PATIENCE));
	if (left < 0)
		return left;
	return left ? count : -ETIMEDOUT;
}

/* .owner keeps the module loaded while the device is open. */
static const struct file_operations hear_fops = {
	.owner = THIS_MODULE,
	.write = hear_write,
};

/* The file in /dev, which only root can open. */
static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &hear_fops,
	.mode = 0600,
};

/*
 * Stops everything that uses the context, and unregisters. d2d_leave() ends waits for events and
 * requests: this work item does not wait, but yours may. After disable_work_sync(), the operation
 * beats cannot queue the work item any more.
 */
static void leave(void)
{
	d2d_leave(self);
	disable_work_sync(&work);
	d2d_detach(self);
	d2d_unregister(self);
}

/* Registers, attaches, starts the metronome, and makes the device for user space. */
static int __init peer_init(void)
{
	u32 period;
	int err;

	trace(LOAD);
	err = d2d_register(&driver, &self);
	if (err)
		return err;
	err = d2d_attach(self);
	if (err) {
		d2d_unregister(self);
		return err;
	}
	d2d_hot_call("owner", "set_period");
	err = owner.set_period(context->owner.self, PERIOD, &period);
	d2d_hot_return("owner", "set_period", err);
	if (err) {
		leave();
		return err;
	}
	/* Last: nothing may fail after this (d2d_device.h). */
	err = d2d_device_register(KBUILD_MODNAME, &device);
	if (err)
		leave();
	return err;
}
module_init(peer_init);

/*
 * The reverse order of peer_init(). An open file keeps the module loaded, so no process has the
 * device open.
 */
static void __exit peer_exit(void)
{
	misc_deregister(&device);
	leave();
	pr_info("heard beats=%lld\n", atomic64_read(&heard));
	trace(UNLOAD);
}
module_exit(peer_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Example: a peer in C with a work item");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(metronome);
