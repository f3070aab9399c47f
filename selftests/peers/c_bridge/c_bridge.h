/* SPDX-License-Identifier: GPL-2.0 */
/*
 * c_bridge: a module in C that is a peer of two owners, and passes calls and items from each owner
 * to the other. first.c is the peer of module_a, second.c the peer of other_a. Both include this
 * header, and define
 *
 *   ROLE(name)		the name of a function of the file itself (c_role.h)
 *   OTHER(name)	the name of a function of the other file
 *
 * The build gives the library's functions a different prefix in each file (d2d-ROLE-role-flags in
 * shared/library.mk).
 */
#ifndef C_BRIDGE_H
#define C_BRIDGE_H

#include <linux/srcu.h>

#include "../c_role.h"
#include "../move_notes.h"
#include "../never.h"

/*
 * Set from the time when both roles have a context until the exit. Only while it is set may an
 * operation of one role use the other role.
 */
extern bool c_bridge_joined;
/* The readers are operations that use the other role. SRCU, because they may sleep. */
extern struct srcu_struct c_bridge_srcu;

#define role_drain	ROLE(drain)
#define other_ping	OTHER(ping)
#define other_bounce	OTHER(bounce)
#define other_put	OTHER(put)
#define other_drain	OTHER(drain)
#define role_wait	ROLE(wait)
#define role_prepare	ROLE(prepare)
#define other_wait	OTHER(wait)
#define other_prepare	OTHER(prepare)
#define other_start	OTHER(start)
#define other_leave	OTHER(leave)
#define other_stop	OTHER(stop)

/* Call the other role's owner, or put an item for it. Any context, once the roles are joined. */
int other_ping(u32 value, u32 *result);
int other_bounce(u32 hops, u32 *result);
int other_put(u64 note);
/*
 * Make the role's owner take the role's items. Then take the owner's items, and pass each note to
 * put(). Any context, once the roles are joined.
 */
int role_drain(int (*put)(u64 note));
int other_drain(int (*put)(u64 note));
/* Create the role's event, for which an operation of the other role waits (never.h). May sleep. */
int role_prepare(void);
int other_prepare(void);
/* Wait for the role's event, if it exists and the caller is a task. Any context. */
void role_wait(void);
void other_wait(void);
int other_start(void);
void other_leave(void);
void other_stop(void);

int role_prepare(void)
{
	return create_never(self);
}

void role_wait(void)
{
	wait_for_never();
}

int role_drain(int (*put)(u64 note))
{
	u32 taken;

	return owner.drain(context->owner.self, &taken) ?:
	       move_notes(&context->to_peer, put, &taken);
}

static bool are_joined(void)
{
	/* Pairs with first.c: a reader of true also sees both contexts. */
	return smp_load_acquire(&c_bridge_joined);
}

/* Until the roles are joined, the operations answer without the other role. */
static int op_ping(void *this, u32 value, u32 *result)
{
	guard(srcu)(&c_bridge_srcu);
	if (are_joined())
		return other_ping(value, result);
	*result = value + 1;
	return 0;
}

static int op_bounce(void *this, u32 hops, u32 *result)
{
	int err;

	guard(srcu)(&c_bridge_srcu);
	if (are_joined())
		return other_bounce(hops, result);
	*result = 0;
	if (!hops)
		return 0;
	err = role_bounce(hops - 1, result);
	++*result;
	return err;
}

static int op_drain(void *this, u32 *result)
{
	guard(srcu)(&c_bridge_srcu);
	if (!are_joined())
		return move_notes(&context->to_peer, NULL, result);
	other_wait();
	return move_notes(&context->to_peer, other_put, result) ?: other_drain(role_put);
}

#endif /* C_BRIDGE_H */
