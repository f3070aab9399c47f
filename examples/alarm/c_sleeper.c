// SPDX-License-Identifier: GPL-2.0
/*
 * The sleeper in C: the first phase of the port of windows/alarm/sleeper.c, as docs/porting.md
 * describes. It keeps the functions of the original and prints the same lines. The second phase is
 * examples/alarm/sleeper.rs. The pair is declared in Rust; this driver includes the header
 * alarm_pair.h, which the build makes from the declaration.
 *
 * If a process writes a number of milliseconds to /dev/sleeper, the sleeper sends the alarm a
 * request, and waits for it for at most as many milliseconds as the parameter limit says.
 */
/* The driver's name. The module has another one, because sleeper.ko is the sleeper in Rust. */
#define NAME	"sleeper"
#define pr_fmt(fmt)	NAME ": " fmt

#include <linux/miscdevice.h>
#include <linux/module.h>

#include "d2d_device.h"
#include "d2d_ops.h"
#include "d2d_request.h"
#include "d2d_table.h"
#include "alarm_pair.h"

/* The longest limit, in milliseconds */
#define LONGEST_LIMIT	60000

static unsigned int limit = 10000;
module_param(limit, uint, 0444);
MODULE_PARM_DESC(limit, "Longest wait for a request in milliseconds (1-60000)");

static const u64 owner_chain[] = ALARM_PAIR_OWNER_CHAIN;

static struct {
	d2d_handle self;
	d2d_handle alarm;
	/* Set in the handshake, which ends before the device exists */
	struct d2d_context *context;
	struct alarm_pair_owner_ops ops;
} sleeper = {
	.ops.hdr = D2D_OPS_INIT(struct alarm_pair_owner_ops, ALARM_PAIR_MAJOR, ALARM_PAIR_MINOR,
				owner_chain),
};

/* Sends the request, and cancels it if it is not completed in time. Process context, may sleep. */
static int ring(u32 after)
{
	struct d2d_send send = d2d_send_to(sleeper.alarm, ALARM_PAIR_IOCTL_RING);
	struct d2d_result result;
	d2d_handle request;
	u64 rang;
	int err;

	err = d2d_request_alloc(sleeper.self, sizeof(after), sizeof(rang), &request);
	if (err)
		return err;
	send.input = &after;
	send.input_len = sizeof(after);
	send.output_len = sizeof(rang);
	err = d2d_request_call(request, &send, limit, &result, &rang, sizeof(rang));
	d2d_request_free(request);
	return err ?: result.status;
}

static int sleep_for(u32 after)
{
	int err = ring(after);
	u32 waiting = 0;

	/* The alarm cannot be unloaded while this module imports its table. */
	sleeper.ops.waiting(sleeper.context->owner.self, &waiting);
	pr_info("slept=%u waiting=%u\n", !err, waiting);
	return err;
}

static ssize_t sleep_write(struct file *file, const char __user *buffer, size_t count,
			   loff_t *offset)
{
	u32 after;
	int err;

	err = kstrtou32_from_user(buffer, count, 10, &after) ?: sleep_for(after);
	return err ?: count;
}

static const struct file_operations sleep_fops = {
	.owner = THIS_MODULE,
	.write = sleep_write,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = NAME,
	.fops = &sleep_fops,
	.mode = 0600,
};

static const u64 chain[] = ALARM_PAIR_PEER_CHAIN;

/* The sleeper offers no operation. */
static const struct alarm_pair_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct alarm_pair_peer_ops, ALARM_PAIR_MAJOR, ALARM_PAIR_MINOR, chain),
};

/* Adopts the context with the alarm's operations. */
static int query_interface(struct d2d_context *offered)
{
	int err;

	err = d2d_context_check(offered) ?:
	      d2d_ops_copy(&sleeper.ops.hdr, &offered->owner, offered->module) ?:
	      (sleeper.ops.waiting ? 0 : -EOPNOTSUPP);
	if (err)
		return err;
	sleeper.context = offered;
	offered->peer.ops = &ops.hdr;
	offered->peer.self = offered;
	return 0;
}

static int dispatch(void *this, const struct d2d_request *request)
{
	int err = -ENOTTY;

	if (request->code == D2D_IOCTL_SHARE_CONTEXT)
		err = query_interface(request->user_buffer);
	return d2d_complete(request->handle, err, 0) ?: err;
}

static const struct d2d_driver driver = D2D_DRIVER_INIT(NAME, .dispatch = dispatch);

static int __init sleeper_init(void)
{
	int err;

	if (limit < 1 || limit > LONGEST_LIMIT)
		return -ERANGE;
	err = d2d_register(&driver, &sleeper.self);
	if (err)
		return err;
	err = d2d_lookup("alarm", &sleeper.alarm);
	if (err)
		goto unregister;
	err = d2d_attach(sleeper.self);
	if (err)
		goto unregister;
	err = d2d_device_register(NAME, &device);
	if (err)
		goto detach;
	return 0;

detach:
	d2d_detach(sleeper.self);
unregister:
	d2d_unregister(sleeper.self);
	return err;
}
module_init(sleeper_init);

static void __exit sleeper_exit(void)
{
	/* No process has the device open: an open file keeps the module loaded. */
	misc_deregister(&device);
	d2d_detach(sleeper.self);
	d2d_unregister(sleeper.self);
}
module_exit(sleeper_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Example: the sleeper in C, between the Windows original and Rust");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(alarm);
