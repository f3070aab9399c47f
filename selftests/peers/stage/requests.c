// SPDX-License-Identifier: GPL-2.0
/*
 * The stages of a request. sender sends it to receiver, or to upper; upper forwards it to
 * receiver, or to lower; lower forwards it to receiver. HOW is
 *
 *   wait	a thread waits for the request without a limit
 *   timed	the same, with a limit that is longer than anything here takes
 *   routine	the sender's completion routine is called
 *   none	nobody observes it
 */
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "d2d_pair.h"
#include "stage.h"

/* A limit, in ms, that no wait is to reach. */
#define LONG	600000

enum { SENDER, UPPER, LOWER, RECEIVER };

static struct party * const sender = &parties[SENDER];
static struct party * const upper = &parties[UPPER];
static struct party * const lower = &parties[LOWER];
static struct party * const receiver = &parties[RECEIVER];

static d2d_handle request;
static d2d_handle owner;
static struct party *first;	/* whom the request is sent to; NULL: the owner */
static char how[16];
static bool tells;

static bool how_is(const char *name)
{
	return !strcmp(how, name);
}

static int send(u32 flags)
{
	struct d2d_send what = d2d_send_to(first ? first->target : owner, 1);
	static const u64 key = 1;

	if (!first) {
		what.code = D2D_PAIR_IOCTL_HOLD;
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

static void do_send(struct act *act)
{
	act->err = send(0);
}

static void do_wait(struct act *act)
{
	struct d2d_result result;

	act->err = d2d_request_wait(request, act->ms, &result);
	act->has_result = !act->err;
	act->status = result.status;
}

static void do_complete(struct act *act)
{
	act->err = d2d_complete(receiver->kept, 0, 0);
}

static void do_cancel(struct act *act)
{
	act->err = d2d_request_cancel(request);
}

static void do_free(struct act *act)
{
	act->err = d2d_request_free(request);
}

/*
 * Completes the request and leaves at once: the waiter, which is bound to the same CPU, was
 * woken then, but has not run.
 */
static void do_complete_and_leave(struct act *act)
{
	sched_set_fifo(current);
	d2d_complete(receiver->kept, 0, 0);
	stage_leave(act);
}

static struct act *start(const char *name, void (*run)(struct act *act))
{
	return stage_start(name, run, (struct act){}, -1);
}

/* What they have in common */

static int make(const char *observer, struct party *to)
{
	strscpy(how, observer);
	first = to;
	tells = false;
	return d2d_lookup("module_a", &owner) ?:
	       d2d_request_alloc(sender->self, sizeof(u64), sizeof(u64), &request);
}

/* Lets a thread wait for the request. */
static int observe_on(int cpu)
{
	u32 ms = how_is("timed") ? LONG : D2D_FOREVER;

	if (!how_is("wait") && !how_is("timed"))
		return 0;
	return stage_settle(stage_start("wait", do_wait, (struct act){ .ms = ms }, cpu));
}

static int observe(void)
{
	return observe_on(-1);
}

/* Whether a request is on its way, after what sending it has returned. */
static int on_its_way(int err)
{
	return err == -EINPROGRESS ? 0 : err ?: -EBADMSG;
}

static int pend(enum plays plays)
{
	receiver->plays = plays;
	tells = plays == PENDS_TOLD;
	return on_its_way(send(0)) ?: observe();
}

static void forwards(struct party *from, struct party *to, enum plays plays)
{
	from->plays = plays;
	from->next = to;
}

/* Completes the pending request in a thread, which is held in one of the gates. */
static int complete_into(struct gate *gate)
{
	stage_close(gate);
	start("complete", do_complete);
	return stage_held(gate);
}

/* The stages */

static int open_idle(const char *observer)
{
	return make(observer, receiver);
}

static int open_idle_completed(const char *observer)
{
	return make(observer, receiver) ?: send(0);
}

/*
 * A request is dispatched by one worker at a time: as long as that is inside lower, the
 * request that lower has completed is not dispatched to receiver.
 */
static int open_sent_to_worker(const char *observer)
{
	int err = make("none", lower);

	if (err)
		return err;
	stage_close(&lower->after);
	err = stage_in_hardirq(send_atomic);
	/* The worker may have been faster. */
	if (err && err != -EINPROGRESS)
		return err;
	err = stage_held(&lower->after);
	if (err)
		return err;
	first = receiver;
	strscpy(how, observer);
	return on_its_way(stage_in_hardirq(send_atomic)) ?: observe();
}

static int open_held_inline(const char *observer)
{
	int err = make(observer, receiver);

	if (err)
		return err;
	stage_close(&receiver->before);
	start("send", do_send);
	return stage_held(&receiver->before) ?: observe();
}

static int open_held_by_worker(const char *observer)
{
	int err = make(observer, receiver);

	if (err)
		return err;
	stage_close(&receiver->before);
	return on_its_way(stage_in_hardirq(send_atomic)) ?: stage_held(&receiver->before) ?:
	       observe();
}

static int open_held_below(const char *observer)
{
	int err = make(observer, upper);

	if (err)
		return err;
	forwards(upper, receiver, FORWARDS_BACK);
	stage_close(&receiver->before);
	start("send", do_send);
	return stage_held(&receiver->before) ?: observe();
}

static int open_pended(const char *observer)
{
	return make(observer, receiver) ?: pend(PENDS);
}

static int open_pended_told(const char *observer)
{
	return make(observer, receiver) ?: pend(PENDS_TOLD);
}

static int open_pended_by_owner(const char *observer)
{
	return make(observer, NULL) ?: on_its_way(send(0)) ?: observe();
}

static int open_forwarded(const char *observer)
{
	forwards(upper, receiver, FORWARDS);
	return make(observer, upper) ?: pend(PENDS);
}

static int open_forwarded_back(const char *observer)
{
	forwards(upper, receiver, FORWARDS_BACK);
	return make(observer, upper) ?: pend(PENDS);
}

static int open_forwarded_twice(const char *observer)
{
	forwards(upper, lower, FORWARDS);
	forwards(lower, receiver, FORWARDS);
	return make(observer, upper) ?: pend(PENDS);
}

static int open_forwarded_twice_back(const char *observer)
{
	forwards(upper, lower, FORWARDS_BACK);
	forwards(lower, receiver, FORWARDS_BACK);
	return make(observer, upper) ?: pend(PENDS);
}

static int open_returned(const char *observer)
{
	return open_forwarded_back(observer) ?: complete_into(&upper->returned);
}

static int open_returned_to_lower(const char *observer)
{
	return open_forwarded_twice_back(observer) ?: complete_into(&lower->returned);
}

static int open_returned_to_upper(const char *observer)
{
	return open_forwarded_twice_back(observer) ?: complete_into(&upper->returned);
}

static int open_returned_cancelled(const char *observer)
{
	int err = open_forwarded_back(observer);

	if (err)
		return err;
	stage_close(&upper->returned);
	start("cancel", do_cancel);
	return stage_held(&upper->returned);
}

/* The request is cancelled while it is being returned: the thread that returns it hands it on. */
static int open_returned_then_cancelled(const char *observer)
{
	return open_returned(observer) ?: stage_settle(start("cancel", do_cancel));
}

static int open_completed(const char *observer)
{
	return open_pended(observer) ?: complete_into(&sender->completed);
}

static int open_completed_inline(const char *observer)
{
	int err = make(observer, receiver);

	if (err)
		return err;
	stage_close(&sender->completed);
	start("send", do_send);
	return stage_held(&sender->completed);
}

static int open_completed_forwarded(const char *observer)
{
	return open_forwarded_back(observer) ?: complete_into(&sender->completed);
}

static int open_woken(const char *observer)
{
	int cpu = raw_smp_processor_id();

	receiver->plays = PENDS;
	stage_leave_by(do_complete_and_leave, cpu);
	return make(observer, receiver) ?: on_its_way(send(0)) ?: observe_on(cpu);
}

static int open_cancelled(const char *observer)
{
	int err = open_pended_told(observer);

	if (err)
		return err;
	stage_close(&receiver->cancelled);
	start("cancel", do_cancel);
	return stage_held(&receiver->cancelled);
}

/* The limit of a wait is over, and the receiver is being told. */
static int open_timing_out(const char *observer)
{
	int err = make("none", receiver) ?: pend(PENDS_TOLD);

	if (err)
		return err;
	strscpy(how, observer);
	stage_close(&receiver->cancelled);
	stage_start("wait", do_wait, (struct act){ .ms = 1 }, -1);
	return stage_held(&receiver->cancelled);
}

static int open_freed_pended(const char *observer)
{
	int err = open_pended_told(observer);

	if (err)
		return err;
	stage_close(&receiver->cancelled);
	start("free", do_free);
	return stage_held(&receiver->cancelled);
}

static int open_freed_returned(const char *observer)
{
	return open_returned(observer) ?: stage_settle(start("free", do_free));
}

static int open_freed_completed(const char *observer)
{
	return open_completed(observer) ?: stage_settle(start("free", do_free));
}

static int open_freed_inline(const char *observer)
{
	return open_held_inline(observer) ?: stage_settle(start("free", do_free));
}

static const struct stage stages[] = {
	{ "idle", open_idle },
	{ "idle-completed", open_idle_completed },
	{ "sent-to-worker", open_sent_to_worker },
	{ "held-inline", open_held_inline },
	{ "held-by-worker", open_held_by_worker },
	{ "held-below", open_held_below },
	{ "pended", open_pended },
	{ "pended-told", open_pended_told },
	{ "pended-by-owner", open_pended_by_owner },
	{ "forwarded", open_forwarded },
	{ "forwarded-back", open_forwarded_back },
	{ "forwarded-twice", open_forwarded_twice },
	{ "forwarded-twice-back", open_forwarded_twice_back },
	{ "returned", open_returned },
	{ "returned-to-lower", open_returned_to_lower },
	{ "returned-to-upper", open_returned_to_upper },
	{ "returned-cancelled", open_returned_cancelled },
	{ "returned-then-cancelled", open_returned_then_cancelled },
	{ "completed", open_completed },
	{ "completed-inline", open_completed_inline },
	{ "completed-forwarded", open_completed_forwarded },
	{ "woken", open_woken },
	{ "cancelled", open_cancelled },
	{ "timing-out", open_timing_out },
	{ "freed-pended", open_freed_pended },
	{ "freed-returned", open_freed_returned },
	{ "freed-completed", open_freed_completed },
	{ "freed-inline", open_freed_inline },
	{}
};

/* Lets the receiver complete what it has kept, if it still can. No departure waits for this. */
static void end(void)
{
	stage_await("leave");
	if (!first && !sender->left)
		start("cancel", do_cancel);
	if ((how_is("wait") || how_is("timed")) && !stage_has_act("wait"))
		start("wait", do_wait);
	if (first && receiver->plays != ANSWERS && !stage_has_act("complete"))
		start("complete", do_complete);
	/* A worker may be about to call it. */
	if (how_is("routine") && !stage_has_act("free"))
		wait_for_completion_timeout(&sender->called, stage_time_left());
}

static void report(void)
{
	static const char * const returned[] = {
		[UPPER] = "upper.returned", [LOWER] = "lower.returned",
	};
	int err;

	for (int n = UPPER; n <= LOWER; n++)
		if (parties[n].returned_status != NO_STATUS)
			stage_note_error(returned[n], parties[n].returned_status);
	if (sender->completed_status != NO_STATUS)
		stage_note_error("routine", sender->completed_status);
	if (tells)
		stage_note("told", "%d", atomic_read(&receiver->told));
	/* Whether it can be sent, and waited for, as ever. */
	if (!how_is("none"))
		return;
	err = send(0);
	stage_note_error("send", err);
}

static void clean(void)
{
	if (!sender->left)
		d2d_request_free(request);
}

const struct subject requests = {
	.name = "request",
	.roles = { "sender", "upper", "lower", "receiver" },
	.stages = stages,
	.leave = stage_leave,
	.end = end,
	.report = report,
	.clean = clean,
};
