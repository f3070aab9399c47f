// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a module whose driver the module forgetful registers. It imports no symbol of the owner, so
 * the kernel can unload the owner while the driver is registered. It imports the namespace D2D only
 * because the symbols of pause_calls are in it.
 */
#include <linux/module.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "d2d.h"
#include "pause_calls.h"
#include "stranger.h"

static int (*attach_by)(d2d_handle driver);
static d2d_handle attaching;

/* This module cannot complete requests, because it must not import d2d_complete(). */
static int dispatch(void *this, const struct d2d_request *request)
{
	d2d_pause_call();
	return -D2D_STATUS_PENDING;
}

void d2d_stranger_fill_driver(struct d2d_driver *driver)
{
	strscpy(driver->name, KBUILD_MODNAME);
	driver->owner = THIS_MODULE;
	/* A driver's static keys must be in its module, and this module has none. */
	driver->hot_keys = NULL;
	driver->dispatch = dispatch;
	driver->completed = NULL;
	driver->cancelled = NULL;
}
EXPORT_SYMBOL_GPL(d2d_stranger_fill_driver);

static void attach_driver(struct work_struct *work)
{
	attach_by(attaching);
}

static DECLARE_WORK(work, attach_driver);

void d2d_stranger_attach_driver(d2d_handle driver, int (*attach)(d2d_handle driver))
{
	attaching = driver;
	attach_by = attach;
	schedule_work(&work);
}
EXPORT_SYMBOL_GPL(d2d_stranger_attach_driver);

static void __exit stranger_exit(void)
{
	flush_work(&work);
}
module_exit(stranger_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a driver that another module registers");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
