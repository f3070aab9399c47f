// SPDX-License-Identifier: GPL-2.0
/*
 * The stages of a handshake between the owner and the driver peer. A driver leaves by
 * d2d_detach() and then d2d_unregister(); what is seen is the result of d2d_unregister(),
 * and after a "/" that of d2d_detach(). Then another driver, called next, asks for the
 * context. HOW is the owner's parameter completion, which is chosen when the owner is loaded.
 */
#include <linux/err.h>
#include <linux/string.h>

#include "d2d_pair.h"
#include "stage.h"

enum { PEER, NEXT };

static struct party * const peer = &parties[PEER];
static struct party * const next = &parties[NEXT];

static bool timed_out;

static const u64 chain[] = D2D_PAIR_PEER_CHAIN;

static int bounce(void *self, u32 hops, u32 *result)
{
	*result = 0;
	return stage_operation(self, hops);
}

/* Without the others, the owner calls nothing when a driver is attached. */
static const struct d2d_pair_peer_ops ops = {
	.hdr = {
		.size = sizeof(ops),
		.major = D2D_PAIR_MAJOR,
		.minor = D2D_PAIR_MINOR,
		.chain = chain,
	},
	.bounce = bounce,
};

int stage_adopt(struct party *party)
{
	party->context->peer = (struct d2d_endpoint){ .ops = &ops.hdr, .self = party };
	return d2d_complete(party->kept, 0, 0);
}

/* What the threads do */

static void do_attach(struct act *act)
{
	act->err = d2d_attach(act->party->self);
}

static void do_detach(struct act *act)
{
	act->err = d2d_detach(act->party->self);
}

static void do_adopt(struct act *act)
{
	act->err = stage_adopt(act->party);
}

/* The context is not the driver's any more: it only completes the request. */
static void do_complete(struct act *act)
{
	act->err = d2d_complete(act->party->kept, 0, 0);
}

static void leave(struct act *act)
{
	act->status = d2d_detach(act->party->self);
	act->has_result = true;
	stage_leave(act);
}

static struct act *start(const char *name, void (*run)(struct act *act), struct party *party)
{
	return stage_start(name, run, (struct act){ .party = party }, -1);
}

/* Begins the handshake, and returns when it is over, or goes on without this. */
static int attach(void)
{
	timed_out = false;
	return stage_settle(start("attach", do_attach, peer));
}

/* The same, and it is held in one of the gates. */
static int attach_into(struct gate *gate)
{
	timed_out = false;
	stage_close(gate);
	start("attach", do_attach, peer);
	return stage_held(gate);
}

/* The stages */

static int open_unattached(const char *how)
{
	return 0;
}

static int open_offered_inline(const char *how)
{
	return attach_into(&peer->before);
}

static int open_offered_pended(const char *how)
{
	peer->plays = PENDS;
	return attach();
}

static int open_offered_completed(const char *how)
{
	return attach_into(&peer->after);
}

static int open_offered_refused(const char *how)
{
	peer->plays = REFUSES;
	return attach_into(&peer->after);
}

/* The owner is loaded with a short timeout. */
static int open_timed_out(const char *how)
{
	struct act *act;

	timed_out = true;
	peer->plays = PENDS;
	act = start("attach", do_attach, peer);
	return act && wait_for_completion_timeout(&act->done, stage_time_left()) ? 0 : -ETIMEDOUT;
}

static int open_late(const char *how)
{
	return open_timed_out(how) ?: stage_settle(start("complete", do_complete, peer));
}

static int open_attached(const char *how)
{
	return attach();
}

static int open_detaching(const char *how)
{
	return attach_into(&peer->after) ?: stage_settle(start("detach", do_detach, peer));
}

static const struct stage stages[] = {
	{ "unattached", open_unattached },
	{ "offered-inline", open_offered_inline },
	{ "offered-pended", open_offered_pended },
	{ "offered-completed", open_offered_completed },
	{ "offered-refused", open_offered_refused },
	{ "timed-out", open_timed_out },
	{ "late", open_late },
	{ "attached", open_attached },
	{ "detaching", open_detaching },
	{}
};

static void end(void)
{
	if (peer->plays == PENDS && !stage_has_act("complete"))
		stage_settle(start("complete",
				   peer->left || timed_out ? do_complete : do_adopt, peer));
	stage_await("leave");
	stage_await("detach");
	if (!next->left)
		start("next", do_attach, next);
}

static void clean(void)
{
	for (int n = PEER; n <= NEXT; n++)
		if (!parties[n].left)
			d2d_detach(parties[n].self);
}

const struct subject handshakes = {
	.name = "handshake",
	.roles = { "peer", "next", "another", "bystander" },
	.stages = stages,
	.leave = leave,
	.end = end,
	.clean = clean,
};
