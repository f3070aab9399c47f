/* SPDX-License-Identifier: GPL-2.0 */
/*
 * c_bridge: a module in C that is a peer of two owners. It passes calls and items from each owner
 * to the other one. first.c is the peer of module_a, second.c the peer of other_a. Each of these
 * two files includes this header, and defines
 *
 *   ROLE(name)		the name of a function of the file itself (c_role.h)
 *   OTHER(name)	the name of a function of the other file
 *
 * The build puts a prefix before the names of the library's functions. Each of the two files has a
 * prefix of its own (d2d-ROLE-role-flags in shared/library.mk).
 */
#ifndef C_BRIDGE_H
#define C_BRIDGE_H

#include <linux/srcu.h>

#include "../c_role.h"
#include "../move_notes.h"
#include "../never.h"

/*
 * Whether the roles are joined. Only then may an operation of one role use the other role. The
 * roles are joined from the time when both have a context until the exit begins to separate them.
 */
extern bool c_bridge_joined;
/*
 * An operation of one role is a reader of this SRCU while it uses the other role. So the exit can
 * wait until no operation uses the other role. RCU would not do, because the operation may sleep.
 */
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

/*
 * Call the owner of the other role, or put an item for this owner. Any context, once the roles are
 * joined.
 */
int other_ping(u32 value, u32 *result);
int other_bounce(u32 hops, u32 *result);
int other_put(u64 note);
/*
 * Make the owner of a role take the items that the role has put. Then take the items that the owner
 * has put, and pass each note to put(). Any context, once the roles are joined.
 */
int role_drain(int (*put)(u64 note));
int other_drain(int (*put)(u64 note));
/*
 * Create the event of a role (never.h). An operation of the other role waits for this event. May
 * sleep.
 */
int role_prepare(void);
int other_prepare(void);
/* Wait for the event of a role, if it was created and the caller may sleep. Any context. */
void role_wait(void);
void other_wait(void);
/* As role_start(), role_leave() and role_stop() */
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
	/* Pairs with first.c: a thread that reads true here also sees both contexts. */
	return smp_load_acquire(&c_bridge_joined);
}

/*
 * The operations of this role. Until the roles are joined, they answer the owner themselves,
 * without the other role.
 */
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
