// SPDX-License-Identifier: GPL-2.0
/*
 * The stages of a handshake between the owner and the driver "peer". A driver leaves by
 * d2d_detach() and then d2d_unregister(). VALUE of "leave" is the result of d2d_unregister(),
 * followed by "/" and that of d2d_detach(). After that the driver "next" attaches, which shows
 * whether the context is free. HOW only names the value of the owner's parameter completion,
 * with which the test has loaded the owner.
 */
#include <linux/err.h>
#include <linux/string.h>

#include "d2d_pair.h"
#include "stage.h"

enum { PEER, NEXT };

static struct stage_driver * const peer = &drivers[PEER];
static struct stage_driver * const next = &drivers[NEXT];

static bool timed_out;

static const u64 chain[] = D2D_PAIR_PEER_CHAIN;

static int bounce(void *self, u32 hops, u32 *result)
{
	*result = 0;
	return stage_operation(self, hops);
}

/* Without ping and drain, so that the owner makes no call when it has attached the driver. */
static const struct d2d_pair_peer_ops ops = {
	.hdr = {
		.size = sizeof(ops),
		.major = D2D_PAIR_MAJOR,
		.minor = D2D_PAIR_MINOR,
		.chain = chain,
	},
	.bounce = bounce,
};

int stage_adopt(struct stage_driver *driver)
{
	driver->context->peer = (struct d2d_endpoint){ .ops = &ops.hdr, .self = driver };
	return d2d_complete(driver->kept, 0, 0);
}

/* What the threads do */

static void do_attach(struct stage_thread *thread)
{
	thread->err = d2d_attach(thread->driver->self);
}

static void do_detach(struct stage_thread *thread)
{
	thread->err = d2d_detach(thread->driver->self);
}

static void do_adopt(struct stage_thread *thread)
{
	thread->err = stage_adopt(thread->driver);
}

/* Completes the request without touching the context, which the driver has lost. */
static void do_complete(struct stage_thread *thread)
{
	thread->err = d2d_complete(thread->driver->kept, 0, 0);
}

static void leave(struct stage_thread *thread)
{
	thread->status = d2d_detach(thread->driver->self);
	thread->has_result = true;
	stage_leave(thread);
}

static struct stage_thread *start(const char *name, void (*run)(struct stage_thread *thread),
				  struct stage_driver *driver)
{
	return stage_start(name, run, (struct stage_thread){ .driver = driver }, -1);
}

/* Begins the handshake in a thread, and returns when that thread has ended or sleeps. */
static int attach(void)
{
	timed_out = false;
	return stage_settle(start("attach", do_attach, peer));
}

/* The same; the thread sleeps in this checkpoint. */
static int attach_into(struct checkpoint *checkpoint)
{
	timed_out = false;
	stage_close(checkpoint);
	start("attach", do_attach, peer);
	return stage_held(checkpoint);
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
	peer->in_dispatch = PENDS;
	return attach();
}

static int open_offered_completed(const char *how)
{
	return attach_into(&peer->after);
}

static int open_offered_refused(const char *how)
{
	peer->in_dispatch = REFUSES;
	return attach_into(&peer->after);
}

/* The test has loaded the owner with a short timeout, which expires here. */
static int open_timed_out(const char *how)
{
	struct stage_thread *thread;

	timed_out = true;
	peer->in_dispatch = PENDS;
	thread = start("attach", do_attach, peer);
	if (!thread || !wait_for_completion_timeout(&thread->done, stage_time_left()))
		return -ETIMEDOUT;
	return 0;
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
	if (peer->in_dispatch == PENDS && !stage_has_thread("complete"))
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
		if (!drivers[n].left)
			d2d_detach(drivers[n].self);
}

const struct subject handshakes = {
	.name = "handshake",
	.roles = { "peer", "next", "another", "bystander" },
	.stages = stages,
	.leave = leave,
	.end = end,
	.clean = clean,
};
