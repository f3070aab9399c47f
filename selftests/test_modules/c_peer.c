// SPDX-License-Identifier: GPL-2.0
/*
 * A peer of module_a in plain C, made from shared/include/ alone and written to be
 * read by whoever writes another. It does what module_b does: adopts a context,
 * offers its operations there, and exchanges calls and items with module_a in every
 * context.
 *
 * Writing a number to /sys/kernel/debug/d2d-c_peer/exercise makes it call module_a that
 * many times in each of them: in the system call of the process that writes, in a
 * kernel worker, in softirq and in hard interrupt.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "d2d_pair.h"
#include "d2d_queue.h"

#define MAX_HOPS	16

/* Names this driver to the owner. */
static d2d_handle self;
/* The context it holds, set before the handshake is completed. */
static struct d2d_context *context;

static __printf(2, 3) void trace(enum d2d_step step, const char *format, ...)
{
	char detail[D2D_DETAIL_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	d2d_trace(KBUILD_MODNAME, step, detail);
}

/*
 * What module_a offers. Calling it needs no protection: this module imports its
 * symbols, so the kernel does not let it go.
 */
static const struct d2d_pair_owner_ops *owner(void)
{
	return container_of_const(context->owner.ops, struct d2d_pair_owner_ops, hdr);
}

/* Takes all items, any context. They are named by handles: see d2d_queue.h. */
static u32 take_all(void)
{
	struct d2d_queue *queue = &context->to_peer;
	struct d2d_item *item;
	d2d_handle handle;
	u64 note, sum = 0;
	u32 taken = 0;

	while ((handle = d2d_queue_take(queue))) {
		item = d2d_queue_redeem(queue, handle);
		/* What an item means is up to both drivers: look before believing it. */
		if (item && item->kind == D2D_PAIR_KIND_NOTE && item->len == sizeof(note)) {
			memcpy(&note, item->payload, sizeof(note));
			sum += note;
		}
		d2d_queue_release(queue, handle);
		taken++;
	}
	if (taken)
		trace(D2D_STEP_DEQUEUE, "queue=to_peer n=%u how=handle sum=%llu", taken, sum);
	return taken;
}

static int put_note(u64 note, const char *from)
{
	int err;

	err = d2d_queue_put(&context->to_owner, D2D_PAIR_KIND_NOTE, &note, sizeof(note));
	if (!err)
		trace(D2D_STEP_ENQUEUE, "queue=to_owner n=1 how=single%s", from);
	return err;
}

/*
 * The operations that module_a calls, in any context, so that none of them sleeps. The
 * first argument is what the endpoint says: a driver with several contexts would have
 * its own data of each there.
 */
static int c_peer_ping(void *this, u32 value, u32 *result)
{
	*result = value + 1;
	return 0;
}

static int c_peer_bounce(void *this, u32 hops, u32 *result)
{
	u32 calls = 0;
	int err;

	if (hops > MAX_HOPS)
		return -E2BIG;
	if (hops) {
		trace(D2D_STEP_OP_CALL, "to=owner op=bounce hops=%u", hops - 1);
		err = owner()->bounce(context->owner.self, hops - 1, &calls);
		if (err)
			return err;
		trace(D2D_STEP_OP_RETURN, "from=owner op=bounce calls=%u", calls);
		calls++;
	}
	*result = calls;
	return 0;
}

static int c_peer_drain(void *this, u32 *result)
{
	*result = take_all();
	return put_note(10, "");
}

static const u64 chain[] = D2D_PAIR_PEER_CHAIN;

/* The kernel keeps this, and all code it points to, until d2d_detach() has returned. */
static const struct d2d_pair_peer_ops ops = {
	.hdr = {
		.size = sizeof(ops),
		.major = D2D_PAIR_MAJOR,
		.minor = D2D_PAIR_MINOR,
		.chain = chain,
	},
	.ping = c_peer_ping,
	.bounce = c_peer_bounce,
	.drain = c_peer_drain,
};

/* Whether the owner means by its context, and by its operations, what we do. */
static int check(const struct d2d_context *offered)
{
	static const u64 expected[] = D2D_PAIR_OWNER_CHAIN;
	const struct d2d_pair_owner_ops *table;

	if (!offered)
		return -EFAULT;
	if (offered->hdr.magic != D2D_CONTEXT_MAGIC)
		return -EBADMSG;
	if (offered->hdr.major != D2D_ABI_MAJOR)
		return -EPROTO;
	if (offered->hdr.size != sizeof(*offered))
		return -EMSGSIZE;
	if (offered->hdr.layout != D2D_LAYOUT)
		return -EBADE;

	if (!offered->owner.ops)
		return -EFAULT;
	table = container_of_const(offered->owner.ops, struct d2d_pair_owner_ops, hdr);
	if (table->hdr.major != D2D_PAIR_MAJOR)
		return -EPROTO;
	if (table->hdr.size < sizeof(*table))
		return -EMSGSIZE;
	if (table->hdr.build)
		return -EXDEV;
	if (memcmp(table->hdr.chain, expected, sizeof(expected)))
		return -EBADR;
	return table->bounce && table->drain ? 0 : -EOPNOTSUPP;
}

/*
 * The peer's half of the handshake: saves the context, fills in functions and data. The
 * lock of the data is taken by hand, as any data of the context wants it.
 */
static int adopt(struct d2d_context *offered)
{
	static const struct d2d_pair_peer_data data = { .cookie = 0xc };
	unsigned long flags;
	int err;

	err = check(offered);
	if (err)
		return err;
	context = offered;
	trace(D2D_STEP_ADOPT, "ctx=c%u", context->id);

	spin_lock_irqsave(&context->data.lock, flags);
	memcpy(context->data.peer, &data, sizeof(data));
	spin_unlock_irqrestore(&context->data.lock, flags);
	context->peer.ops = &ops.hdr;
	context->peer.self = context;
	trace(D2D_STEP_FILL, "ctx=c%u", context->id);
	return 0;
}

/* Receives requests. Each is completed once, and with what is returned. */
static int dispatch(void *this, const struct d2d_request *request)
{
	d2d_handle handle = request->handle;
	int err;

	trace(D2D_STEP_DISPATCH, "major=0x%02x code=0x%08x", request->major_function,
	      request->code);
	err = request->code == D2D_IOCTL_SHARE_CONTEXT ? adopt(request->user_buffer) : -ENOTTY;
	/* From here on module_a may call, so nothing is left to be made ready. */
	return d2d_complete(handle, err, 0) ?: err;
}

static const struct d2d_driver driver = {
	.hdr = {
		.magic = D2D_DRIVER_MAGIC,
		.size = sizeof(driver),
		.major = D2D_ABI_MAJOR,
		.minor = D2D_ABI_MINOR,
		.layout = D2D_LAYOUT,
	},
	.name = KBUILD_MODNAME,
	.owner = THIS_MODULE,
	.dispatch = dispatch,
};

/* The same in any context: an item, a call, the answers, and a call that comes back. */
static int exercise(const char *from)
{
	u32 result;
	int err;

	err = put_note(7, from);
	if (err)
		return err;
	trace(D2D_STEP_OP_CALL, "to=owner op=drain%s", from);
	err = owner()->drain(context->owner.self, &result);
	if (err)
		return err;
	trace(D2D_STEP_OP_RETURN, "from=owner op=drain taken=%u", result);
	take_all();
	trace(D2D_STEP_OP_CALL, "to=owner op=bounce hops=2%s", from);
	err = owner()->bounce(context->owner.self, 2, &result);
	if (!err)
		trace(D2D_STEP_OP_RETURN, "from=owner op=bounce calls=%u", result);
	return err;
}

/* A round of the exercise on its way to where it runs; lives until it has run. */
struct job {
	struct work_struct work;
	struct hrtimer timer;
	struct completion done;
	const char *from;
	int err;
};

static void work_job(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	job->err = exercise(job->from);
}

static int run_in_worker(void)
{
	struct job job = { .from = " from=worker" };

	INIT_WORK_ONSTACK(&job.work, work_job);
	queue_work(system_dfl_wq, &job.work);
	flush_work(&job.work);
	destroy_work_on_stack(&job.work);
	return job.err;
}

static enum hrtimer_restart timer_job(struct hrtimer *timer)
{
	struct job *job = container_of(timer, struct job, timer);

	job->err = exercise(job->from);
	complete(&job->done);
	return HRTIMER_NORESTART;
}

static int run_in_timer(const char *from, enum hrtimer_mode mode)
{
	struct job job = { .from = from };

	init_completion(&job.done);
	hrtimer_setup_on_stack(&job.timer, timer_job, CLOCK_MONOTONIC, mode);
	hrtimer_start(&job.timer, ns_to_ktime(NSEC_PER_USEC), mode);
	wait_for_completion(&job.done);
	/* The callback may not have returned yet. */
	hrtimer_cancel(&job.timer);
	destroy_hrtimer_on_stack(&job.timer);
	return job.err;
}

static ssize_t exercise_write(struct file *file, const char __user *buffer, size_t count,
			      loff_t *offset)
{
	u32 rounds;
	int err;

	err = kstrtou32_from_user(buffer, count, 10, &rounds);
	if (err)
		return err;
	if (rounds < 1 || rounds > 1000)
		return -ERANGE;
	while (rounds-- && !err)
		err = exercise(" from=syscall") ?: run_in_worker() ?:
		      run_in_timer(" from=softirq", HRTIMER_MODE_REL_SOFT) ?:
		      run_in_timer(" from=hardirq", HRTIMER_MODE_REL);
	return err ?: count;
}

/* An open file pins its owner: without one, the module could go while it is open. */
static const struct file_operations exercise_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = exercise_write,
};

static struct dentry *dir;

/* Registers and asks for a context; user space gets its file when there is one. */
static int __init c_peer_init(void)
{
	int err;

	trace(D2D_STEP_LOAD, "%s", "");
	err = d2d_register(&driver, &self);
	if (err)
		return err;
	err = d2d_attach(self);
	if (err) {
		d2d_unregister(self);
		return err;
	}
	dir = debugfs_create_dir("d2d-" KBUILD_MODNAME, NULL);
	debugfs_create_file("exercise", 0200, dir, NULL, &exercise_fops);
	return 0;
}
module_init(c_peer_init);

/*
 * The same in reverse: nobody of ours is in module_a any more when the file is gone, and
 * module_a is not in here, and will not be, when d2d_detach() has returned.
 */
static void __exit c_peer_exit(void)
{
	debugfs_remove(dir);
	d2d_detach(self);
	d2d_unregister(self);
	trace(D2D_STEP_UNLOAD, "%s", "");
}
module_exit(c_peer_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a peer in C that does all things right");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
