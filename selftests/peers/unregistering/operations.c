// SPDX-License-Identifier: GPL-2.0
/*
 * The subject "operation" of unregistering.c: a driver unregisters while a thread is inside an
 * operation or a routine of the driver "peer". In most stages, this thread waits without a limit
 * for an event or a request of peer. So peer can unregister only if the library ends the wait.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/string.h>

#include "d2d_ops.h"
#include "d2d_pair.h"
#include "unregistering.h"

enum { PEER, RECEIVER, SENDER };

static struct unreg_driver * const peer = &drivers[PEER];
static struct unreg_driver * const receiver = &drivers[RECEIVER];
static struct unreg_driver * const sender = &drivers[SENDER];

static const u64 chain[] = D2D_PAIR_OWNER_CHAIN;

static struct d2d_pair_owner_ops owner = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_owner_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, chain),
};

static char chosen_how[8];
static bool has_called_leave;	/* peer has called d2d_leave() */
static d2d_handle request;	/* sent by sender to peer, or by peer to receiver */
static struct completion called;	/* peer's operation has begun */
static struct completion ending;	/* completed by end() */
static int (*in_operation)(void);	/* what peer's operation does; may be NULL */

/*
 * Calls the owner's bounce, which calls peer's bounce with one hop less. Fails with -ESHUTDOWN once
 * peer has begun to detach.
 */
static int call(u32 hops)
{
	u32 calls;

	return owner.bounce(peer->context->owner.self, hops, &calls);
}

/*
 * Arguments of call(). With CALL, peer's operation runs in_operation(). With TRY, it returns at
 * once. TRY is not 0, because with 0 hops the owner would not call peer.
 */
#define CALL	3
#define TRY	1

int unreg_operation(struct unreg_driver *driver, u32 hops)
{
	if (driver != peer || hops != CALL - 1 || !in_operation)
		return 0;
	complete(&called);
	return in_operation();
}

static void await_detaching(void)
{
	while (call(TRY) != -ESHUTDOWN)
		usleep_range(1000, 2000);
}

/* Values of in_operation. Those with _late begin to wait only when peer has begun to detach. */

static int wait_for_event(void)
{
	return d2d_event_wait(&peer->event, 1, 0, D2D_EVENT_FOREVER, NULL);
}

static int wait_for_request(void)
{
	struct d2d_send send = d2d_send_to(receiver->target, 1);
	struct d2d_result result;
	d2d_handle own;
	int err;

	err = d2d_request_alloc(peer->self, 0, 0, &own);
	if (err)
		return err;
	err = d2d_request_send(own, &send);
	if (err == -EINPROGRESS)
		err = d2d_request_wait(own, D2D_FOREVER, &result) ?: result.status;
	d2d_request_free(own);
	return err;
}

static int wait_for_event_late(void)
{
	await_detaching();
	return wait_for_event();
}

static int wait_for_request_late(void)
{
	await_detaching();
	return wait_for_request();
}

static int wait_for_end(void)
{
	wait_for_completion(&ending);
	return 0;
}

/* What the threads do */

static void do_call(struct unreg_thread *thread)
{
	thread->err = call(CALL);
}

static void do_attach(struct unreg_thread *thread)
{
	thread->err = d2d_attach(peer->self);
}

static void do_detach(struct unreg_thread *thread)
{
	thread->err = d2d_detach(peer->self);
}

static void do_complete(struct unreg_thread *thread)
{
	thread->err = d2d_complete(receiver->received, 0, 0);
}

static void unregister(struct unreg_thread *thread)
{
	if (!strcmp(chosen_how, "leave")) {
		has_called_leave = thread->driver == peer;
		thread->err = d2d_leave(thread->driver->self);
		if (thread->err)
			return;
	}
	thread->status = d2d_detach(thread->driver->self);
	thread->has_status = true;
	if (strcmp(chosen_how, "stays"))
		unreg_unregister(thread);
}

static struct unreg_thread *start(const char *name, void (*run)(struct unreg_thread *thread))
{
	return unreg_start(name, run, (struct unreg_thread){}, -1);
}

/* Common to the stages */

static int make(const char *how)
{
	strscpy(chosen_how, how);
	has_called_leave = false;
	request = 0;
	in_operation = NULL;
	init_completion(&called);
	init_completion(&ending);
	receiver->in_dispatch = PENDS;
	return d2d_event_create(peer->self, "unregistering.own", D2D_EVENT_NOTIFICATION, 0,
				&peer->event);
}

static int make_attached(const char *how)
{
	return make(how) ?: d2d_attach(peer->self) ?:
	       d2d_ops_copy(&owner.hdr, &peer->context->owner, peer->context->module);
}

static int reach_operation(const char *how, int (*does)(void))
{
	struct unreg_thread *thread;
	int err = make_attached(how);

	if (err)
		return err;
	in_operation = does;
	thread = start("call", do_call);
	if (!wait_for_completion_timeout(&called, unreg_time_left()))
		return -ETIMEDOUT;
	return unreg_settle(thread);
}

/* The stages */

static int reach_event(const char *how)
{
	return reach_operation(how, wait_for_event);
}

static int reach_event_late(const char *how)
{
	return reach_operation(how, wait_for_event_late);
}

static int reach_request(const char *how)
{
	return reach_operation(how, wait_for_request);
}

static int reach_request_late(const char *how)
{
	return reach_operation(how, wait_for_request_late);
}

static int reach_detaching(const char *how)
{
	int err = reach_operation(how, wait_for_end);

	if (err)
		return err;
	start("detach", do_detach);
	await_detaching();
	return 0;
}

static int reach_offered(const char *how)
{
	int err = make(how);

	if (err)
		return err;
	peer->in_dispatch = WAITS;
	return unreg_settle(start("attach", do_attach));
}

static int reach_returned(const char *how)
{
	struct d2d_send send = d2d_send_to(peer->target, 1);
	int err = make_attached(how) ?: d2d_request_alloc(sender->self, 0, 0, &request);

	if (err)
		return err;
	peer->in_dispatch = FORWARDS_BACK;
	peer->next = receiver;
	peer->in_returned = WAITS;
	err = d2d_request_send(request, &send);
	if (err != -EINPROGRESS)
		return err ?: -EBADMSG;
	return unreg_settle(start("complete", do_complete));
}

static int reach_completed_by(const char *how, enum reaction does)
{
	struct d2d_send send = d2d_send_to(receiver->target, 1);
	int err = make(how) ?: d2d_request_alloc(peer->self, 0, 0, &request);

	if (err)
		return err;
	peer->in_completed = does;
	send.flags = D2D_SEND_ROUTINE;
	err = d2d_request_send(request, &send);
	return err == -EINPROGRESS ? 0 : err ?: -EBADMSG;
}

static int reach_completed(const char *how)
{
	return reach_completed_by(how, SETS);
}

static int reach_completed_waits(const char *how)
{
	return reach_completed_by(how, WAITS);
}

static const struct stage stages[] = {
	{ "event", reach_event },
	{ "event-late", reach_event_late },
	{ "request", reach_request },
	{ "request-late", reach_request_late },
	{ "detaching", reach_detaching },
	{ "offered", reach_offered },
	{ "returned", reach_returned },
	{ "completed", reach_completed },
	{ "completed-waits", reach_completed_waits },
	{}
};

/*
 * Unregistering must end without help, so this function awaits it first. Then it ends the waits
 * that still go on.
 */
static void end(void)
{
	unreg_await("unregister");
	complete_all(&ending);
	unreg_await("detach");
	/*
	 * If HOW is "stays", detaching alone must end the waits. So await them before the event is
	 * set.
	 */
	if (!strcmp(chosen_how, "stays")) {
		unreg_await("call");
		unreg_await("attach");
		unreg_await("complete");
	}
	d2d_event_ring(peer->event);
	if (in_operation == wait_for_request && !receiver->unregistered)
		d2d_complete(receiver->received, 0, 0);
}

static void report(void)
{
	if (peer->in_completed != ANSWERS)
		unreg_note_error("in-completed", peer->completed_err);
	if (peer->unregistered)
		return;
	d2d_event_reset(peer->event);
	unreg_note_error("event", d2d_event_query(peer->event));
}

static void clean(void)
{
	if (request)
		d2d_request_free(request);
	if (peer->unregistered)
		return;
	d2d_event_ring(peer->event);
	d2d_detach(peer->self);
	if (!has_called_leave)
		d2d_event_close(peer->event);
	else if (!d2d_unregister(peer->self))
		peer->unregistered = true;
}

const struct subject operations = {
	.name = "operation",
	.names = { "peer", "receiver", "sender", "bystander" },
	.stages = stages,
	.unregister = unregister,
	.end = end,
	.report = report,
	.clean = clean,
};
