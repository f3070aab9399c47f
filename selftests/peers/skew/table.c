// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a peer whose owner's table is shorter than the peer expects, or has another major version.
 *
 * The stated size of the shorter table leaves out d2d_lookup. With each table, d2d_lookup() must
 * return -EOPNOTSUPP and must not call beyond(), both before and after d2d_register(), which sets
 * the static calls. With the other major version, d2d_attach() must return -EOPNOTSUPP, too.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "d2d_table.h"

#define BEYOND	1234

static const struct d2d_table *d2d_the_owner;

D2D_PEER_FUNCTIONS
D2D_DEFINE_HOT_KEYS;

static void owner_trace(const struct d2d_record *record)
{
}

static int owner_register(const struct d2d_driver *driver, d2d_handle *handle)
{
	return -EPROTO;
}

static int owner_attach(d2d_handle driver)
{
	return -ENXIO;
}

static int beyond(const char *name, d2d_handle *driver)
{
	return BEYOND;
}

static const struct d2d_table other_major = {
	.hdr = {
		.magic = D2D_TABLE_MAGIC,
		.size = sizeof(struct d2d_table),
		.major = D2D_ABI_MAJOR + 1,
	},
	.d2d_trace = owner_trace,
	.d2d_register = owner_register,
	.d2d_attach = owner_attach,
	.d2d_lookup = beyond,
};

static const struct d2d_table shorter = {
	.hdr = {
		.magic = D2D_TABLE_MAGIC,
		.size = offsetof(struct d2d_table, d2d_lookup),
		.major = D2D_ABI_MAJOR,
	},
	.d2d_trace = owner_trace,
	.d2d_register = owner_register,
	.d2d_attach = owner_attach,
	.d2d_lookup = beyond,
};

static bool returns(const char *call, int result, int expected)
{
	if (result == expected)
		return true;
	pr_err("%s returned %d instead of %d\n", call, result, expected);
	return false;
}

/* @attach: what d2d_attach() must return */
static bool calls_return_as_expected(const struct d2d_table *table, int attach)
{
	d2d_handle found;
	bool right;

	d2d_the_owner = table;
	right = returns("d2d_lookup() before registering", d2d_lookup("name", &found),
			-EOPNOTSUPP);
	right &= returns("d2d_register()", d2d_register(NULL, NULL), -EPROTO);
	right &= returns("d2d_lookup()", d2d_lookup("name", &found), -EOPNOTSUPP);
	return right & returns("d2d_attach()", d2d_attach(0), attach);
}

static int __init skew_table_init(void)
{
	bool right = calls_return_as_expected(&other_major, -EOPNOTSUPP);

	return (right & calls_return_as_expected(&shorter, -ENXIO)) ? 0 : -EINVAL;
}
module_init(skew_table_init);

static void __exit skew_table_exit(void)
{
}
module_exit(skew_table_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a peer whose owner's table is shorter, or of another major version");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
