// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a driver that sends module_b a request when module_b is loaded. It learns of this by a
 * module notifier. docs/porting-tables.md quotes this file.
 */
#define pr_fmt(fmt)	KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "d2d_pair.h"
#include "d2d_request.h"
#include "d2d_table.h"

/* Time limit of the request, in ms */
#define PATIENCE	30000

static d2d_handle self;

static int greet(d2d_handle request, d2d_handle to)
{
	struct d2d_send send = d2d_send_to(to, D2D_PAIR_IOCTL_ADD);
	struct d2d_result result;
	u64 value = 41;
	int err;

	send.input = &value;
	send.input_len = sizeof(value);
	send.output_len = sizeof(value);
	err = d2d_request_call(request, &send, PATIENCE, &result, &value, sizeof(value)) ?:
	      result.status;
	if (!err)
		pr_info("greeted module_b: answer=%llu\n", value);
	return err;
}

static void greet_module_b(struct work_struct *work)
{
	d2d_handle to, request;

	if (d2d_lookup("module_b", &to) || d2d_request_alloc(self, 8, 8, &request))
		return;
	greet(request, to);
	d2d_request_free(request);
}

static DECLARE_WORK(greeting, greet_module_b);

/*
 * At MODULE_STATE_LIVE, the module's init has registered the module's drivers. The kernel holds the
 * lock of the notifier chain during this call, so a worker does the rest.
 */
static int module_changed(struct notifier_block *block, unsigned long state, void *data)
{
	const struct module *module = data;

	if (state == MODULE_STATE_LIVE && !strcmp(module->name, "module_b"))
		schedule_work(&greeting);
	return NOTIFY_OK;
}

static struct notifier_block modules = { .notifier_call = module_changed };

static int dispatch(void *this, const struct d2d_request *request)
{
	d2d_complete(request->handle, -ENOTTY, 0);
	return -ENOTTY;
}

static const struct d2d_driver driver = D2D_DRIVER_INIT(KBUILD_MODNAME, .dispatch = dispatch);

static int __init arrivals_init(void)
{
	int err;

	err = d2d_register(&driver, &self);
	if (err)
		return err;
	err = register_module_notifier(&modules);
	if (err) {
		d2d_unregister(self);
		return err;
	}
	/* module_b may be loaded already. If it is just being loaded, it may be greeted twice. */
	greet_module_b(&greeting);
	return 0;
}
module_init(arrivals_init);

static void __exit arrivals_exit(void)
{
	unregister_module_notifier(&modules);
	/* Cancels the request for which the work item may be waiting. */
	d2d_leave(self);
	cancel_work_sync(&greeting);
	d2d_unregister(self);
}
module_exit(arrivals_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a driver that learns when another driver is loaded");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(module_a);
