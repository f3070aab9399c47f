// SPDX-License-Identifier: GPL-2.0
/*
 * The subject "handshake" of unregistering.c: a driver detaches and unregisters while a handshake
 * between the owner and the driver "peer" is in one of the stages below. At the end, the driver
 * "next" attaches, which shows whether the context is free.
 */
#include <linux/err.h>
#include <linux/string.h>

#include "d2d_pair.h"
#include "unregistering.h"

enum { PEER, NEXT };

static struct unreg_driver * const peer = &drivers[PEER];
static struct unreg_driver * const next = &drivers[NEXT];

static bool timed_out;

static const u64 chain[] = D2D_PAIR_PEER_CHAIN;

static int bounce(void *self, u32 hops, u32 *result)
{
	*result = 0;
	return unreg_operation(self, hops);
}

/* Without ping and drain, so that the owner makes no call once it has attached peer. */
static const struct d2d_pair_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_peer_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, chain),
	.bounce = bounce,
};

int unreg_adopt(struct unreg_driver *driver)
{
	driver->context->peer = (struct d2d_endpoint){ .ops = &ops.hdr, .self = driver };
	return d2d_complete(driver->received, 0, 0);
}

/* What the threads do */

static void do_attach(struct unreg_thread *thread)
{
	thread->err = d2d_attach(thread->driver->self);
}

static void do_detach(struct unreg_thread *thread)
{
	thread->err = d2d_detach(thread->driver->self);
}

static void do_adopt(struct unreg_thread *thread)
{
	thread->err = unreg_adopt(thread->driver);
}

/* Completes the handshake too late: the context is no longer the driver's, so do not write it. */
static void do_complete(struct unreg_thread *thread)
{
	thread->err = d2d_complete(thread->driver->received, 0, 0);
}

static void detach_and_unregister(struct unreg_thread *thread)
{
	thread->status = d2d_detach(thread->driver->self);
	thread->has_status = true;
	unreg_unregister(thread);
}

static struct unreg_thread *start(const char *name, void (*run)(struct unreg_thread *thread),
				  struct unreg_driver *driver)
{
	return unreg_start(name, run, (struct unreg_thread){ .driver = driver }, -1);
}

static int attach(void)
{
	timed_out = false;
	return unreg_settle(start("attach", do_attach, peer));
}

static int attach_into(struct checkpoint *checkpoint)
{
	timed_out = false;
	unreg_close_checkpoint(checkpoint);
	start("attach", do_attach, peer);
	return unreg_await_thread_in(checkpoint);
}

/* The stages */

static int reach_unattached(const char *how)
{
	return 0;
}

static int reach_offered_inline(const char *how)
{
	return attach_into(&peer->before);
}

static int reach_offered_pended(const char *how)
{
	peer->in_dispatch = PENDS;
	return attach();
}

static int reach_offered_completed(const char *how)
{
	return attach_into(&peer->after);
}

static int reach_offered_refused(const char *how)
{
	peer->in_dispatch = REFUSES;
	return attach_into(&peer->after);
}

/* The owner has a short timeout, which expires while this function waits. */
static int reach_timed_out(const char *how)
{
	struct unreg_thread *thread;

	timed_out = true;
	peer->in_dispatch = PENDS;
	thread = start("attach", do_attach, peer);
	if (!thread || !wait_for_completion_timeout(&thread->done, unreg_time_left()))
		return -ETIMEDOUT;
	return 0;
}

static int reach_late(const char *how)
{
	return reach_timed_out(how) ?: unreg_settle(start("complete", do_complete, peer));
}

static int reach_attached(const char *how)
{
	return attach();
}

static int reach_detaching(const char *how)
{
	return attach_into(&peer->after) ?: unreg_settle(start("detach", do_detach, peer));
}

static const struct stage stages[] = {
	{ "unattached", reach_unattached },
	{ "offered-inline", reach_offered_inline },
	{ "offered-pended", reach_offered_pended },
	{ "offered-completed", reach_offered_completed },
	{ "offered-refused", reach_offered_refused },
	{ "timed-out", reach_timed_out },
	{ "late", reach_late },
	{ "attached", reach_attached },
	{ "detaching", reach_detaching },
	{}
};

static void end(void)
{
	if (peer->in_dispatch == PENDS && !unreg_has_thread("complete"))
		unreg_settle(start("complete",
				   peer->unregistered || timed_out ? do_complete : do_adopt, peer));
	unreg_await("unregister");
	unreg_await("detach");
	if (!next->unregistered)
		start("next", do_attach, next);
}

static void clean(void)
{
	for (int n = PEER; n <= NEXT; n++)
		if (!drivers[n].unregistered)
			d2d_detach(drivers[n].self);
}

const struct subject handshakes = {
	.name = "handshake",
	.names = { "peer", "next", "bystander", "bystander2" },
	.stages = stages,
	.unregister = detach_and_unregister,
	.end = end,
	.clean = clean,
};
