// SPDX-License-Identifier: GPL-2.0
/*
 * A module that becomes a driver without importing a symbol of the owner: another
 * module registers it. So the kernel lets the owner go while the driver is registered.
 */
#include <linux/module.h>
#include <linux/string.h>

#include "d2d.h"
#include "stranger.h"

/* Leaves everything pending: it cannot complete a request itself. */
static int dispatch(void *this, const struct d2d_request *request)
{
	return -D2D_STATUS_PENDING;
}

/* Makes a driver object this module's. */
void d2d_stranger_becomes(struct d2d_driver *driver)
{
	strscpy(driver->name, KBUILD_MODNAME);
	driver->owner = THIS_MODULE;
	driver->dispatch = dispatch;
	driver->completed = NULL;
	driver->cancelled = NULL;
}
EXPORT_SYMBOL_GPL(d2d_stranger_becomes);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a driver that another module registers");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
