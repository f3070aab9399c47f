// SPDX-License-Identifier: GPL-2.0
/*
 * The peer's role of c_middle: a peer of module_a. This file and owner_role.c call different
 * functions of the library by the same names. So the build puts a prefix before the names in this
 * file (d2d-peer-role-flags in shared/library.mk).
 */
#include "c_middle.h"

#define ROLE(name)	above_##name
#include "../c_role.h"

int above_drain(u32 *result)
{
	return owner.drain(context->owner.self, result) ?:
	       move_notes(&context->to_peer, below_put, result);
}

static int op_ping(void *this, u32 value, u32 *result)
{
	int err = below_ping(value, result);

	if (err == -ESHUTDOWN) {
		*result = value + 1;
		err = 0;
	}
	return err;
}

/* If no peer is attached below, calls module_a back. */
static int op_bounce(void *this, u32 hops, u32 *result)
{
	int err = below_bounce(hops, result);

	if (err != -ESHUTDOWN)
		return err;
	*result = 0;
	if (!hops)
		return 0;
	err = above_bounce(hops - 1, result);
	++*result;
	return err;
}

static int op_drain(void *this, u32 *result)
{
	u32 taken;
	int err;

	below_wait();
	err = move_notes(&context->to_peer, below_put, result);
	if (err)
		return err;
	err = below_drain(&taken);
	return err == -ESHUTDOWN ? 0 : err;
}

MODULE_IMPORT_NS("D2D");
D2D_OWNER(module_a);
