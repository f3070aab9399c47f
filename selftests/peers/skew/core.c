// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a driver built with a d2d.h in which a field of an item is wider. The owner must refuse the
 * driver. peers.mk generates the header.
 */
#include <linux/init.h>
#include <linux/module.h>

/* Has the include guard of d2d.h, so d2d_table.h does not include the real d2d.h. */
#include "other_d2d.h"

#include "d2d_table.h"

static int dispatch(void *this, const struct d2d_request *request)
{
	return -EINVAL;
}

static const struct d2d_driver driver = D2D_DRIVER_INIT("skew_core", .dispatch = dispatch);

static int __init skew_core_init(void)
{
	d2d_handle handle;
	int err = d2d_register(&driver, &handle);

	if (err)
		return err;
	d2d_unregister(handle);
	return -ENOTRECOVERABLE;
}
module_init(skew_core_init);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a peer built with another version of the boundary");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(module_a);
