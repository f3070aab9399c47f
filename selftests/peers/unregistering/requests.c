// SPDX-License-Identifier: GPL-2.0
/*
 * The subject "request" of unregistering.c: a driver unregisters while a request is in one of the
 * stages below. The request takes one of these ways:
 *
 * - sender -> receiver
 * - sender -> upper -> receiver
 * - sender -> upper -> lower -> receiver
 * - sender -> module_a, in the stage "pended-by-owner"
 */
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "d2d_pair.h"
#include "unregistering.h"

/* A time limit in ms that does not expire */
#define LONG	600000

enum { SENDER, UPPER, LOWER, RECEIVER };

static struct unreg_driver * const sender = &drivers[SENDER];
static struct unreg_driver * const upper = &drivers[UPPER];
static struct unreg_driver * const lower = &drivers[LOWER];
static struct unreg_driver * const receiver = &drivers[RECEIVER];

static d2d_handle request;
static d2d_handle owner;
static struct unreg_driver *first_receiver;	/* NULL: the owner */
static char chosen_how[16];
static bool reports_notified;

static bool how_is(const char *name)
{
	return !strcmp(chosen_how, name);
}

static int send(u32 flags)
{
	struct d2d_send what = d2d_send_to(first_receiver ? first_receiver->target : owner, 1);
	static const u64 key = 1;

	if (!first_receiver) {
		what.code = D2D_PAIR_IOCTL_PEND;
		what.input = &key;
		what.input_len = sizeof(key);
		what.output_len = sizeof(key);
	}
	what.flags = flags | (how_is("routine") ? D2D_SEND_ROUTINE : 0);
	return d2d_request_send(request, &what);
}

static int send_atomic(void)
{
	return send(D2D_SEND_ATOMIC);
}

/* What the threads do */

static void do_send(struct unreg_thread *thread)
{
	thread->err = send(0);
}

static void do_wait(struct unreg_thread *thread)
{
	struct d2d_result result;

	thread->err = d2d_request_wait(request, thread->ms, &result);
	thread->has_status = !thread->err;
	thread->status = result.status;
}

static void do_complete(struct unreg_thread *thread)
{
	thread->err = d2d_complete(receiver->received, 0, 0);
}

static void do_cancel(struct unreg_thread *thread)
{
	thread->err = d2d_request_cancel(request);
}

static void do_free(struct unreg_thread *thread)
{
	thread->err = d2d_request_free(request);
}

/*
 * This thread has a realtime priority, and the thread that waits for the request is bound to the
 * same CPU. So when this thread unregisters, the waiting thread is awake, but has not run yet.
 */
static void do_complete_and_unregister(struct unreg_thread *thread)
{
	sched_set_fifo(current);
	d2d_complete(receiver->received, 0, 0);
	unreg_unregister(thread);
}

static struct unreg_thread *start(const char *name, void (*run)(struct unreg_thread *thread))
{
	return unreg_start(name, run, (struct unreg_thread){}, -1);
}

/* Common to the stages */

static int make(const char *how, struct unreg_driver *to)
{
	strscpy(chosen_how, how);
	first_receiver = to;
	reports_notified = false;
	return d2d_lookup("module_a", &owner) ?:
	       d2d_request_alloc(sender->self, sizeof(u64), sizeof(u64), &request);
}

static int start_wait_on(int cpu)
{
	u32 ms = how_is("timed") ? LONG : D2D_FOREVER;

	if (!how_is("wait") && !how_is("timed"))
		return 0;
	return unreg_settle(unreg_start("wait", do_wait, (struct unreg_thread){ .ms = ms }, cpu));
}

static int start_wait(void)
{
	return start_wait_on(-1);
}

/* Returns 0 if sending has left the request pending. */
static int must_pend(int err)
{
	return err == -EINPROGRESS ? 0 : err ?: -EBADMSG;
}

static int send_to_pend(enum reaction reaction)
{
	receiver->in_dispatch = reaction;
	reports_notified = reaction == PENDS_NOTIFIED;
	return must_pend(send(0)) ?: start_wait();
}

static void forwards(struct unreg_driver *from, struct unreg_driver *to, enum reaction reaction)
{
	from->in_dispatch = reaction;
	from->next = to;
}

static int complete_into(struct checkpoint *checkpoint)
{
	unreg_close_checkpoint(checkpoint);
	start("complete", do_complete);
	return unreg_await_thread_in(checkpoint);
}

/* The stages */

static int reach_idle(const char *how)
{
	return make(how, receiver);
}

static int reach_idle_completed(const char *how)
{
	return make(how, receiver) ?: send(0);
}

/*
 * In hardirq, sends the request to lower and, when lower has completed it, to receiver. But lower's
 * dispatch routine keeps the request's only worker. So no worker calls receiver's routine yet.
 */
static int reach_sent_to_worker(const char *how)
{
	/* HOW does not apply yet, while lower has the request. */
	int err = make("none", lower);

	if (err)
		return err;
	unreg_close_checkpoint(&lower->after);
	err = unreg_in_hardirq(send_atomic);
	/* 0: lower has completed the request already. */
	if (err && err != -EINPROGRESS)
		return err;
	err = unreg_await_thread_in(&lower->after);
	if (err)
		return err;
	first_receiver = receiver;
	strscpy(chosen_how, how);
	return must_pend(unreg_in_hardirq(send_atomic)) ?: start_wait();
}

static int reach_dispatched(const char *how)
{
	int err = make(how, receiver);

	if (err)
		return err;
	unreg_close_checkpoint(&receiver->before);
	start("send", do_send);
	return unreg_await_thread_in(&receiver->before) ?: start_wait();
}

static int reach_dispatched_by_worker(const char *how)
{
	int err = make(how, receiver);

	if (err)
		return err;
	unreg_close_checkpoint(&receiver->before);
	return must_pend(unreg_in_hardirq(send_atomic)) ?:
	       unreg_await_thread_in(&receiver->before) ?: start_wait();
}

static int reach_dispatched_through(struct unreg_driver *next, const char *how)
{
	int err = make(how, upper);

	if (err)
		return err;
	forwards(upper, next, FORWARDS_BACK);
	unreg_close_checkpoint(&receiver->before);
	start("send", do_send);
	return unreg_await_thread_in(&receiver->before) ?: start_wait();
}

static int reach_dispatched_below(const char *how)
{
	return reach_dispatched_through(receiver, how);
}

static int reach_dispatched_below_twice(const char *how)
{
	forwards(lower, receiver, FORWARDS_BACK);
	return reach_dispatched_through(lower, how);
}

static int reach_pended(const char *how)
{
	return make(how, receiver) ?: send_to_pend(PENDS);
}

static int reach_pended_notified(const char *how)
{
	return make(how, receiver) ?: send_to_pend(PENDS_NOTIFIED);
}

static int reach_pended_by_owner(const char *how)
{
	return make(how, NULL) ?: must_pend(send(0)) ?: start_wait();
}

static int reach_forwarded(const char *how)
{
	forwards(upper, receiver, FORWARDS);
	return make(how, upper) ?: send_to_pend(PENDS);
}

static int reach_forwarded_back(const char *how)
{
	forwards(upper, receiver, FORWARDS_BACK);
	return make(how, upper) ?: send_to_pend(PENDS);
}

static int reach_forwarded_twice(const char *how)
{
	forwards(upper, lower, FORWARDS);
	forwards(lower, receiver, FORWARDS);
	return make(how, upper) ?: send_to_pend(PENDS);
}

static int reach_forwarded_twice_back(const char *how)
{
	forwards(upper, lower, FORWARDS_BACK);
	forwards(lower, receiver, FORWARDS_BACK);
	return make(how, upper) ?: send_to_pend(PENDS);
}

static int reach_returned(const char *how)
{
	return reach_forwarded_back(how) ?: complete_into(&upper->returned);
}

static int reach_returned_to_lower(const char *how)
{
	return reach_forwarded_twice_back(how) ?: complete_into(&lower->returned);
}

static int reach_returned_to_upper(const char *how)
{
	return reach_forwarded_twice_back(how) ?: complete_into(&upper->returned);
}

static int reach_returned_cancelled(const char *how)
{
	int err = reach_forwarded_back(how);

	if (err)
		return err;
	unreg_close_checkpoint(&upper->returned);
	start("cancel", do_cancel);
	return unreg_await_thread_in(&upper->returned);
}

static int reach_returned_then_cancelled(const char *how)
{
	return reach_returned(how) ?: unreg_settle(start("cancel", do_cancel));
}

static int reach_completed(const char *how)
{
	return reach_pended(how) ?: complete_into(&sender->completed);
}

static int reach_completed_inline(const char *how)
{
	int err = make(how, receiver);

	if (err)
		return err;
	unreg_close_checkpoint(&sender->completed);
	start("send", do_send);
	return unreg_await_thread_in(&sender->completed);
}

static int reach_completed_forwarded(const char *how)
{
	return reach_forwarded_back(how) ?: complete_into(&sender->completed);
}

static int reach_woken(const char *how)
{
	int cpu = raw_smp_processor_id();

	receiver->in_dispatch = PENDS;
	unreg_unregister_by(do_complete_and_unregister, cpu);
	return make(how, receiver) ?: must_pend(send(0)) ?: start_wait_on(cpu);
}

static int reach_cancelled(const char *how)
{
	int err = reach_pended_notified(how);

	if (err)
		return err;
	unreg_close_checkpoint(&receiver->cancelled);
	start("cancel", do_cancel);
	return unreg_await_thread_in(&receiver->cancelled);
}

static int reach_timing_out(const char *how)
{
	/* With "none", send_to_pend() does not wait: the wait below has a limit that expires. */
	int err = make("none", receiver) ?: send_to_pend(PENDS_NOTIFIED);

	if (err)
		return err;
	strscpy(chosen_how, how);
	unreg_close_checkpoint(&receiver->cancelled);
	unreg_start("wait", do_wait, (struct unreg_thread){ .ms = 1 }, -1);
	return unreg_await_thread_in(&receiver->cancelled);
}

static int reach_freed_pended(const char *how)
{
	int err = reach_pended_notified(how);

	if (err)
		return err;
	unreg_close_checkpoint(&receiver->cancelled);
	start("free", do_free);
	return unreg_await_thread_in(&receiver->cancelled);
}

static int reach_freed_returned(const char *how)
{
	return reach_returned(how) ?: unreg_settle(start("free", do_free));
}

static int reach_freed_completed(const char *how)
{
	return reach_completed(how) ?: unreg_settle(start("free", do_free));
}

static int reach_freed_inline(const char *how)
{
	return reach_dispatched(how) ?: unreg_settle(start("free", do_free));
}

static const struct stage stages[] = {
	{ "idle", reach_idle },
	{ "idle-completed", reach_idle_completed },
	{ "sent-to-worker", reach_sent_to_worker },
	{ "dispatched", reach_dispatched },
	{ "dispatched-by-worker", reach_dispatched_by_worker },
	{ "dispatched-below", reach_dispatched_below },
	{ "dispatched-below-twice", reach_dispatched_below_twice },
	{ "pended", reach_pended },
	{ "pended-notified", reach_pended_notified },
	{ "pended-by-owner", reach_pended_by_owner },
	{ "forwarded", reach_forwarded },
	{ "forwarded-back", reach_forwarded_back },
	{ "forwarded-twice", reach_forwarded_twice },
	{ "forwarded-twice-back", reach_forwarded_twice_back },
	{ "returned", reach_returned },
	{ "returned-to-lower", reach_returned_to_lower },
	{ "returned-to-upper", reach_returned_to_upper },
	{ "returned-cancelled", reach_returned_cancelled },
	{ "returned-then-cancelled", reach_returned_then_cancelled },
	{ "completed", reach_completed },
	{ "completed-inline", reach_completed_inline },
	{ "completed-forwarded", reach_completed_forwarded },
	{ "woken", reach_woken },
	{ "cancelled", reach_cancelled },
	{ "timing-out", reach_timing_out },
	{ "freed-pended", reach_freed_pended },
	{ "freed-returned", reach_freed_returned },
	{ "freed-completed", reach_freed_completed },
	{ "freed-inline", reach_freed_inline },
	{}
};

/*
 * Unregistering must end without help, so this function awaits it first. Then it ends the request,
 * and so the wait for the request.
 */
static void end(void)
{
	unreg_await("unregister");
	if (!first_receiver && !sender->unregistered)
		start("cancel", do_cancel);
	if ((how_is("wait") || how_is("timed")) && !unreg_has_thread("wait"))
		start("wait", do_wait);
	if (first_receiver && receiver->in_dispatch != ANSWERS && !unreg_has_thread("complete"))
		start("complete", do_complete);
	/* A worker may not have called the completion routine yet. */
	if (how_is("routine") && !unreg_has_thread("free"))
		wait_for_completion_timeout(&sender->completed_called, unreg_time_left());
}

static void report(void)
{
	static const char * const returned[] = {
		[UPPER] = "upper.returned", [LOWER] = "lower.returned",
	};
	int err;

	for (int n = UPPER; n <= LOWER; n++)
		if (drivers[n].returned_status != NO_STATUS)
			unreg_note_error(returned[n], drivers[n].returned_status);
	if (sender->completed_status != NO_STATUS)
		unreg_note_error("sender.completed", sender->completed_status);
	if (reports_notified)
		unreg_note("notified", "%d", atomic_read(&receiver->notified));
	/* No other result shows that the request has ended, so send it again. */
	if (!how_is("none"))
		return;
	err = send(0);
	unreg_note_error("last-send", err);
}

static void clean(void)
{
	if (!sender->unregistered)
		d2d_request_free(request);
}

const struct subject requests = {
	.name = "request",
	.names = { "sender", "upper", "lower", "receiver" },
	.stages = stages,
	.unregister = unreg_unregister,
	.end = end,
	.report = report,
	.clean = clean,
};
