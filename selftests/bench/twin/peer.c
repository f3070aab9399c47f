// SPDX-License-Identifier: GPL-2.0
/* The twin's peer: measures when a process writes to its parameter `run`. */
#include <linux/moduleparam.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "peer.h"
#include "queue.h"
#include "request.h"

struct twin_peer_link twin_link;
twin_handle twin_self;

static unsigned int deferred;
module_param(deferred, uint, 0444);
MODULE_PARM_DESC(deferred, "complete the handshake at once, or later from a work item (0-1)");

static int peer_ping(void *self, u32 value, u32 *result)
{
	*result = value + 1;
	return 0;
}

static const u64 peer_chain[] = TWIN_PEER_CHAIN;
static const u64 owner_chain[] = TWIN_OWNER_CHAIN;

static const struct twin_peer_ops ops = {
	.hdr = {
		.size = sizeof(ops),
		.major = 1,
		.chain = peer_chain,
	},
	.ping = peer_ping,
};

static int adopt(struct twin_context *offered)
{
	static const struct twin_header expected =
		TWIN_HEADER(struct twin_context, TWIN_CONTEXT_MAGIC);
	static const struct twin_ops ours = {
		.size = sizeof(struct twin_owner_ops), .major = 1, .chain = owner_chain,
	};
	struct twin_header hdr;
	unsigned long flags;
	int err;

	if (!offered || copy_from_kernel_nofault(&hdr, offered, sizeof(hdr)))
		return twin_refuse(TWIN_PEER, "bad-context-pointer", -EFAULT, "at=%p", offered);
	err = twin_check_header(TWIN_PEER, "context", &hdr, &expected) ?:
	      twin_copy_ops(TWIN_PEER, "twin-owner", &offered->owner, offered->module, &ours,
			    &twin_link.owner);
	if (err)
		return err;
	twin_link.self = offered->owner.self;
	twin_link.context = offered;
	twin_step(TWIN_PEER, "adopt", "ctx=c%u", offered->id);

	spin_lock_irqsave(&offered->data.lock, flags);
	offered->data.peer[0] = 0xc;
	spin_unlock_irqrestore(&offered->data.lock, flags);
	offered->peer.ops = &ops.hdr;
	offered->peer.self = &twin_link;
	twin_step(TWIN_PEER, "fill", "ctx=c%u", offered->id);
	return 0;
}

/* The pended handshake, which the work item completes */
static struct twin_request pended;

static int accept_offer(const struct twin_request *request)
{
	int err = adopt(request->user_buffer);

	return twin_complete(request->handle, err, 0) ?: err;
}

static void accept_pended(struct work_struct *work)
{
	accept_offer(&pended);
}

static DECLARE_WORK(work, accept_pended);

static int dispatch(void *this, const struct twin_request *request)
{
	static const struct twin_header expected =
		TWIN_HEADER(struct twin_request, TWIN_REQUEST_MAGIC);
	int err;

	err = twin_check_header(TWIN_PEER, "request", &request->hdr, &expected);
	if (err)
		return err;
	if (request->code != TWIN_IOCTL_SHARE_CONTEXT) {
		twin_complete(request->handle, -ENOTTY, 0);
		return -ENOTTY;
	}
	twin_step(TWIN_PEER, "dispatch", "major=0x%02x code=0x%08x",
		  request->major_function, request->code);
	if (!deferred)
		return accept_offer(request);
	pended = *request;
	queue_work(system_dfl_wq, &work);
	return -TWIN_STATUS_PENDING;
}

static const struct twin_driver driver = {
	.hdr = TWIN_HEADER(driver, TWIN_DRIVER_MAGIC),
	.name = TWIN_PEER,
	.owner = THIS_MODULE,
	.dispatch = dispatch,
};

static int run(const char *what, const struct kernel_param *param)
{
	return twin_link.context ? twin_run_command(what) : -ENOTCONN;
}

static const struct kernel_param_ops run_ops = { .set = run };
module_param_cb(run, &run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "a command: see twin_run_command()");

static int __init twin_peer_init(void)
{
	int err;

	twin_step(TWIN_PEER, "load", "deferred=%u", deferred);
	if (deferred > 1)
		return twin_refuse(TWIN_PEER, "parameter-out-of-range", -ERANGE,
				   "deferred=%u min=0 max=1", deferred);
	err = twin_register(&driver, &twin_self);
	if (err)
		return err;
	err = twin_attach(twin_self);
	if (err && err != -EINPROGRESS) {
		flush_work(&work);
		twin_unregister(twin_self);
		return err;
	}
	return 0;
}
module_init(twin_peer_init);

/* After this function, the owner calls nothing in this module. */
static void __exit twin_peer_exit(void)
{
	flush_work(&work);
	twin_detach(twin_self);
	twin_unregister(twin_self);
	twin_step(TWIN_PEER, "unload", "deferred=%u", deferred);
}
module_exit(twin_peer_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Bench: the peer of the C twin");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("TWIN");
