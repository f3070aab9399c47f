// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a driver in C with a handler for the event c-armed. The handler queues a work item, which
 * sets the event c-ran. With fails=1, the handler sets c-ran itself, and returns an errno.
 *
 * With leaves=1, the handler runs until 100 ms after the module's exit has begun. If d2d_leave()
 * does not wait for the handler, the exit prints a line, and the test fails.
 */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include "d2d_event.h"
#include "d2d_table.h"

static bool fails;
module_param(fails, bool, 0);
MODULE_PARM_DESC(fails, "Whether the handler fails");

static bool leaves;
module_param(leaves, bool, 0);
MODULE_PARM_DESC(leaves, "Whether the handler runs until the driver leaves");

static d2d_handle self;
static d2d_handle armed;
static d2d_handle ran;
static bool is_leaving;
static bool is_running;

static int dispatch(void *this, const struct d2d_request *request)
{
	return d2d_complete(request->handle, -ENOTTY, 0) ?: -ENOTTY;
}

static const struct d2d_driver driver = D2D_DRIVER_INIT(KBUILD_MODNAME, .dispatch = dispatch);

static void run(struct work_struct *work)
{
	d2d_event_set(ran);
}

static DECLARE_WORK(work, run);

static void run_into_exit(void)
{
	WRITE_ONCE(is_running, true);
	d2d_event_set(ran);
	while (!READ_ONCE(is_leaving))
		cpu_relax();
	mdelay(100);
	WRITE_ONCE(is_running, false);
}

static int on_armed(void *argument, d2d_handle event)
{
	if (leaves)
		run_into_exit();
	else if (fails)
		d2d_event_set(ran);
	else
		queue_work(system_percpu_wq, argument);
	return fails ? -EPERM : 0;
}

static int __init c_handler_init(void)
{
	int err;

	err = d2d_register(&driver, &self);
	if (err)
		return err;
	err = d2d_event_create(self, "c-armed", D2D_EVENT_SYNCHRONIZATION, 0, &armed) ?:
	      d2d_event_create(self, "c-ran", D2D_EVENT_NOTIFICATION, 0, &ran) ?:
	      d2d_event_on_set(armed, on_armed, &work);
	if (err)
		d2d_unregister(self);
	return err;
}
module_init(c_handler_init);

static void __exit c_handler_exit(void)
{
	WRITE_ONCE(is_leaving, true);
	d2d_leave(self);
	if (READ_ONCE(is_running))
		pr_err("c_handler: the handler runs after d2d_leave()\n");
	cancel_work_sync(&work);
	d2d_unregister(self);
}
module_exit(c_handler_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a driver in C with a handler for an event");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(torture_owner);
