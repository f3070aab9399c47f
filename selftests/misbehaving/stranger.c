// SPDX-License-Identifier: GPL-2.0
/*
 * A module whose driver another module registers (forgetful.c). This module imports no symbol of
 * the owner, so the kernel does not keep the owner loaded while the driver is registered.
 */
#include <linux/module.h>
#include <linux/string.h>

#include "d2d.h"
#include "stranger.h"

/* Leaves each request pending: without d2d_complete() it cannot complete one. */
static int dispatch(void *this, const struct d2d_request *request)
{
	return -D2D_STATUS_PENDING;
}

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
