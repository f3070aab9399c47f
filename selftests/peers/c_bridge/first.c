// SPDX-License-Identifier: GPL-2.0
/* Test: c_bridge as a peer of module_a, and the init and the exit of the module */
#define ROLE(name)	first_##name
#define OTHER(name)	second_##name
#include "c_bridge.h"

static bool forgets;
module_param(forgets, bool, 0);
MODULE_PARM_DESC(forgets, "Whether the exit leaves both drivers registered");

static bool waits;
module_param(waits, bool, 0);
MODULE_PARM_DESC(waits, "Whether an operation of each role waits for an event of the other role");

bool c_bridge_joined;
DEFINE_SRCU(c_bridge_srcu);

/*
 * After this, no operation of one role uses the other. If operations may wait, the caller must have
 * called d2d_leave() for both drivers. May sleep.
 */
static void separate(void)
{
	WRITE_ONCE(c_bridge_joined, false);
	synchronize_srcu(&c_bridge_srcu);
}

static int __init c_bridge_init(void)
{
	int err;

	err = first_start();
	if (err)
		return err;
	err = second_start();
	if (err)
		goto stop_first;
	err = waits ? first_prepare() ?: second_prepare() : 0;
	if (err)
		goto stop_second;
	/* Pairs with are_joined(). */
	smp_store_release(&c_bridge_joined, true);
	return 0;

stop_second:
	second_stop();
stop_first:
	first_stop();
	return err;
}
module_init(c_bridge_init);

static void __exit c_bridge_exit(void)
{
	if (forgets) {
		/* The owner ends a wait only after the exit, so separate() would never return. */
		if (!waits)
			separate();
		return;
	}
	second_leave();
	first_leave();
	separate();
	second_stop();
	first_stop();
}
module_exit(c_bridge_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a peer of two owners, module_a and other_a, in C");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(module_a);
