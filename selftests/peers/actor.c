// SPDX-License-Identifier: GPL-2.0
/*
 * Drivers that do what a test tells them to. They are registered and hold no context; what
 * they do with requests, right or wrong, is written to /sys/kernel/debug/d2d-actor/do as
 * one or more commands with ";" between them, until one fails. The write fails with what
 * the owner has returned.
 *
 * A driver is called by its name, one of this module's as well as another's. A request
 * that a driver has made is called by a number, which is also its tag. Those that a driver
 * has received and keeps are its own to complete, oldest first.
 *
 *   register NAME [atomic|sleeps-nowhere...]   see actor_register() for what else there is
 *   plays NAME ROLE [TO [CODE]]		what its dispatch routine does: see roles[]
 *   regains NAME as-is|keep|anew|leave|hold|wait|remove
 *						what it does with a request that it gets back:
 *						wait for request 0, or remove the first driver,
 *						and see what that returns
 *   ends NAME keep|free|leave			what its completion routine does
 *   attach NAME, detach NAME		asks for a context, which PEND leaves pending; gives it back
 *   lookup NAME				finds it, for sending it requests
 *   steal NAME				and then does with it what only it should
 *   alloc NUMBER NAME INPUT OUTPUT		makes a request
 *   send NUMBER TO CODE [FLAG|FIELD=VALUE...]	see send_fields[]
 *   churn, wait, cancel, free, read, expect, ended NUMBER
 *   complete, again, tell, forward, write NAME	with the oldest request that it keeps
 *   in worker|softirq|hardirq|irqs-off COMMAND	does it there
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "d2d_pair.h"
#include "d2d_request.h"
#include "hold_calls.h"

#define DRIVERS		24
#define REQUESTS	8
#define KEPT		4
#define MOST_REQUESTS	10000
/* Longest line of commands. */
#define LINE		256

/* What a dispatch routine does. */
enum role {
	ANSWER, PEND, PEND_TOLD, FORWARD, FORWARD_BACK, NOTHING, BAD_STATUS, TWICE, HOLD,
	UNREGISTER, DETACH, READ_TOO_MUCH, WRITE_TOO_MUCH, WRITE_NOTHING, REFUSE, ASK,
};

static const char * const roles[] = {
	"answer", "pend", "pend-told", "forward", "forward-back", "nothing", "bad-status",
	"twice", "hold", "unregister", "detach", "read-too-much", "write-too-much",
	"write-nothing", "refuse", "ask",
};

enum regain { AS_IS, KEEP_IT, ANEW, LEAVE_THEN, HOLD_THEN, WAIT_THEN, REMOVE_THEN };

static const char * const regains[] = {
	"as-is", "keep", "anew", "leave", "hold", "wait", "remove",
};

enum end { KEEP, FREE, LEAVE };

static const char * const ends[] = { "keep", "free", "leave" };

struct actor {
	struct d2d_driver object;
	d2d_handle self;	/* 0: not registered, or another module's */
	d2d_handle target;	/* from d2d_lookup() */
	enum role role;
	enum regain regain;
	enum end end;
	struct actor *to;	/* whom it forwards to */
	u32 code;		/* and by which code, 0: the same */
	d2d_handle kept[KEPT];	/* oldest first */
	d2d_handle last;	/* the last that it had */
	int inside;		/* what a call from inside a routine has returned */
};

struct request {
	d2d_handle handle;
	struct d2d_result result;
	u64 output;
};

static struct actor actors[DRIVERS];
static struct request requests[REQUESTS];
static DEFINE_SPINLOCK(kept_lock);

/* The next word of a line; NULL if there is none. */
static char *next_word(char **line)
{
	char *word;

	do {
		word = strsep(line, " ");
	} while (word && !*word);
	return word;
}

static u64 next_number(char **line, u64 otherwise)
{
	char *word = next_word(line);
	s64 number;

	if (!word)
		return otherwise;
	return kstrtos64(word, 0, &number) ? otherwise : number;
}

/* The place of the next word in a list; the first one if it is not there. */
static int next_of(char **line, const char * const *list, size_t count)
{
	char *word = next_word(line);
	int index = word ? match_string(list, count, word) : -1;

	if (index < 0)
		pr_err("what is '%s'?\n", word ?: "");
	return max(index, 0);
}

static struct actor *next_actor(char **line)
{
	char *name = next_word(line) ?: "nobody";
	struct actor *actor;

	for (actor = actors; actor < actors + DRIVERS - 1 && actor->object.name[0]; actor++)
		if (!strcmp(actor->object.name, name))
			return actor;
	/* When there are too many, the last one stays what it is as long as it is registered. */
	if (!actor->self)
		strscpy(actor->object.name, name);
	return actor;
}

static struct request *next_request(char **line)
{
	return &requests[next_number(line, 0) % REQUESTS];
}

static void keep(struct actor *actor, d2d_handle request)
{
	unsigned long flags;
	int n = 0;

	spin_lock_irqsave(&kept_lock, flags);
	while (n < KEPT - 1 && actor->kept[n])
		n++;
	actor->kept[n] = request;
	spin_unlock_irqrestore(&kept_lock, flags);
}

/* The oldest request that is kept, which is not any more. Once none is, the last one again. */
static d2d_handle take_kept(struct actor *actor)
{
	unsigned long flags;

	spin_lock_irqsave(&kept_lock, flags);
	if (actor->kept[0]) {
		actor->last = actor->kept[0];
		memmove(actor->kept, actor->kept + 1, sizeof(actor->kept) - sizeof(*actor->kept));
		actor->kept[KEPT - 1] = 0;
	}
	spin_unlock_irqrestore(&kept_lock, flags);
	return actor->last;
}

static int pass_on(struct actor *actor, d2d_handle request, u32 code, bool back)
{
	struct d2d_send send = d2d_send_to(actor->to->target, actor->code ?: code);

	if (actor->object.flags & D2D_DISPATCH_ATOMIC)
		send.flags |= D2D_SEND_ATOMIC;
	if (back)
		send.flags |= D2D_SEND_ROUTINE;
	return d2d_request_forward(request, &send);
}

/* As much of a request's buffers as there is, and a byte more if it is too much. */
static int touch(const struct d2d_request *request, bool write, u32 more)
{
	u8 buffer[16] = {};

	if (write)
		return d2d_request_write(request->handle, buffer, request->output_len + more);
	return d2d_request_read(request->handle, buffer, request->input_len + more);
}

static int answer(const struct d2d_request *request)
{
	u64 value;
	int err;

	err = d2d_request_input(request, &value, sizeof(value));
	value++;
	return err ?: d2d_request_write(request->handle, &value, sizeof(value));
}

/* Sends a request of its own, and waits for it without a limit. */
static int ask(struct actor *actor)
{
	struct d2d_send send = d2d_send_to(actor->to->target, actor->code);
	struct d2d_result result;
	d2d_handle request;
	int err;

	err = d2d_request_alloc(actor->self, 0, 0, &request);
	if (err)
		return err;
	err = d2d_request_send(request, &send);
	if (!err || err == -EINPROGRESS)
		err = d2d_request_wait(request, D2D_FOREVER, &result) ?: result.status;
	d2d_request_free(request);
	return err;
}

static int actor_dispatch(void *self, const struct d2d_request *request)
{
	d2d_handle handle = request->handle;
	struct actor *actor = self;
	int err = 0;

	switch (READ_ONCE(actor->role)) {
	case ANSWER:
		err = answer(request);
		break;
	case HOLD:
		d2d_hold_operation();
		err = answer(request);
		break;
	case PEND_TOLD:
		/* Taken back before it could be asked for: nobody completes it. */
		if (d2d_request_set_cancel(handle))
			return -D2D_STATUS_PENDING;
		fallthrough;
	case PEND:
		keep(actor, handle);
		return -D2D_STATUS_PENDING;
	case FORWARD:
	case FORWARD_BACK:
		err = pass_on(actor, handle, request->code, actor->role == FORWARD_BACK);
		if (!err || err == -EINPROGRESS)
			return -D2D_STATUS_PENDING;
		break;
	case NOTHING:
		return 0;
	case BAD_STATUS:
		err = 1;
		break;
	case TWICE:
		err = d2d_complete(handle, 0, 0);
		actor->inside = d2d_complete(handle, 0, 0);
		return err;
	case UNREGISTER:
		err = d2d_unregister(actor->self);
		break;
	case DETACH:
		err = d2d_detach(actor->self);
		break;
	case READ_TOO_MUCH:
		err = touch(request, false, 1);
		break;
	case WRITE_TOO_MUCH:
		err = touch(request, true, 1);
		break;
	case WRITE_NOTHING:
		err = d2d_request_write(handle, (void *)PAGE_SIZE, request->output_len);
		break;
	case REFUSE:
		err = -EPERM;
		break;
	case ASK:
		err = ask(actor);
		break;
	}
	d2d_complete(handle, err, err ? 0 : request->output_len);
	return err;
}

static int actor_returned(void *self, const struct d2d_request *request,
			  const struct d2d_result *result)
{
	struct actor *actor = self;
	struct d2d_result ignored;
	char detail[32];
	int err;

	snprintf(detail, sizeof(detail), "via=returned status=%d", result->status);
	d2d_trace(actor->object.name, D2D_STEP_COMPLETION, detail);
	switch (actor->regain) {
	case KEEP_IT:
		keep(actor, request->handle);
		return -D2D_STATUS_PENDING;
	case ANEW:
		actor->regain = AS_IS;
		err = pass_on(actor, request->handle, request->code, true);
		return !err || err == -EINPROGRESS ? -D2D_STATUS_PENDING : err;
	case LEAVE_THEN:
		actor->inside = d2d_unregister(actor->self);
		break;
	case HOLD_THEN:
		d2d_hold_operation();
		break;
	case WAIT_THEN:
		actor->inside = d2d_request_wait(requests[0].handle, 1, &ignored);
		break;
	case REMOVE_THEN:
		actor->inside = d2d_unregister(actors[0].self);
		break;
	case AS_IS:
		break;
	}
	return result->status;
}

static void store(struct request *request, const struct d2d_result *result)
{
	request->result = *result;
	request->output = 0;
	if (result->output_len == sizeof(request->output))
		d2d_request_read(request->handle, &request->output, sizeof(request->output));
}

static int actor_completed(void *self, d2d_handle handle, const struct d2d_result *result)
{
	struct actor *actor = self;

	store(&requests[result->tag % REQUESTS], result);
	if (actor->end == LEAVE)
		actor->inside = d2d_unregister(actor->self);
	return actor->end == FREE ? 0 : D2D_MORE_PROCESSING_REQUIRED;
}

static void actor_cancelled(void *self, d2d_handle request)
{
	struct actor *actor = self;

	d2d_trace(actor->object.name, D2D_STEP_CANCEL,
		  request == actor->kept[0] ? "told=this" : "told=another");
}

/* register NAME [WORD...]; one that is refused changes nothing. */
static int actor_register(char **line)
{
	struct actor *actor = next_actor(line);
	struct actor fresh = {
		.object = {
			.hdr = D2D_HEADER_INIT(D2D_DRIVER_MAGIC, struct d2d_driver),
			.owner = THIS_MODULE,
			.self = actor,
			.dispatch = actor_dispatch,
			.returned = actor_returned,
			.completed = actor_completed,
			.cancelled = actor_cancelled,
		},
	};
	struct d2d_driver *object = &fresh.object;
	char *word;
	int err;

	strscpy(object->name, actor->object.name);
	while ((word = next_word(line))) {
		if (!strcmp(word, "atomic"))
			object->flags = D2D_DISPATCH_ATOMIC;
		if (!strcmp(word, "unknown-flag"))
			object->flags = D2D_DISPATCH_ATOMIC << 1;
		if (!strcmp(word, "no-routines")) {
			object->returned = NULL;
			object->completed = NULL;
			object->cancelled = NULL;
		}
		if (!strcmp(word, "returned-outside"))
			object->returned = (void *)_printk;
		if (!strcmp(word, "completed-outside"))
			object->completed = (void *)_printk;
		if (!strcmp(word, "cancelled-outside"))
			object->cancelled = (void *)_printk;
	}
	err = d2d_register(object, &fresh.self);
	if (err)
		return err;
	*actor = fresh;
	return d2d_lookup(object->name, &actor->target);
}

static int actor_unregister(char **line)
{
	struct actor *actor = next_actor(line);
	int err;

	err = d2d_unregister(actor->self);
	if (!err)
		actor->self = 0;
	return err;
}

static int actor_lookup(char **line)
{
	struct actor *actor = next_actor(line);
	char *word = next_word(line);

	if (word && !strcmp(word, "without-name"))
		return d2d_lookup(NULL, &actor->target);
	if (word && !strcmp(word, "without-handle"))
		return d2d_lookup(actor->object.name, NULL);
	return d2d_lookup(actor->object.name, &actor->target);
}

/* The handle that another module's driver has: that for sending to it tells. */
static int actor_steal(char **line)
{
	struct actor *actor = next_actor(line);
	u64 kinds = D2D_HANDLE_TARGET ^ D2D_HANDLE_DRIVER;

	actor->self = actor->target ^ (kinds << D2D_HANDLE_KIND_SHIFT);
	return 0;
}

static int actor_plays(char **line)
{
	struct actor *actor = next_actor(line);

	WRITE_ONCE(actor->role, next_of(line, roles, ARRAY_SIZE(roles)));
	if (*line) {
		actor->to = next_actor(line);
		actor->code = next_number(line, 0);
	}
	return 0;
}

static int actor_regains(char **line)
{
	struct actor *actor = next_actor(line);

	actor->regain = next_of(line, regains, ARRAY_SIZE(regains));
	return 0;
}

static int actor_ends(char **line)
{
	struct actor *actor = next_actor(line);

	actor->end = next_of(line, ends, ARRAY_SIZE(ends));
	return 0;
}

/* What the last call from inside one of its routines has returned. */
static int actor_inside(char **line)
{
	return next_actor(line)->inside;
}

static int actor_alloc(char **line)
{
	struct request *request = next_request(line);
	struct actor *actor = next_actor(line);
	u32 input = next_number(line, sizeof(u64));
	u32 output = next_number(line, sizeof(u64));
	bool nowhere = next_word(line);

	return d2d_request_alloc(actor->self, input, output, nowhere ? NULL : &request->handle);
}

/* As many as there can be, and what the next one is refused with. */
static int actor_fill(char **line)
{
	struct actor *actor = next_actor(line);
	d2d_handle *handles = kvcalloc(MOST_REQUESTS, sizeof(*handles), GFP_KERNEL);
	int err = 0;
	int n = 0;

	if (!handles)
		return -ENOMEM;
	while (n < MOST_REQUESTS && !err) {
		err = d2d_request_alloc(actor->self, 0, 0, &handles[n++]);
		cond_resched();
	}
	if (err)
		n--;
	while (n)
		d2d_request_free(handles[--n]);
	kvfree(handles);
	return err;
}

/* Words and fields of a send command. */
enum send_field {
	ROUTINE, ATOMIC, TRACE, UNKNOWN_FLAG, MAGIC, SIZE, MAJOR, LAYOUT, FUNCTION, STALE_REQUEST,
	IN, OUT, VALUE, DATA, AT, RESERVED,
};

static const char * const send_fields[] = {
	"routine", "atomic", "trace", "unknown-flag", "bad-magic", "bad-size", "bad-major",
	"bad-layout", "unknown-function", "stale", "in", "out", "value", "data", "at",
	"reserved",
};

static int actor_send(char **line)
{
	struct request *request = next_request(line);
	struct actor *to = next_actor(line);
	struct d2d_send send = d2d_send_to(to->target, next_number(line, D2D_PAIR_IOCTL_ADD));
	const struct d2d_send *at = &send;
	d2d_handle handle = request->handle;
	/* As long as the longest input. */
	u64 value[2] = { 41, 0 };
	char *word;

	send.input = value;
	send.input_len = sizeof(u64);
	send.output_len = sizeof(u64);
	send.tag = request - requests;
	while ((word = next_word(line))) {
		char *field = strsep(&word, "=");
		u64 number = word ? next_number(&word, 0) : 0;

		switch (next_of(&field, send_fields, ARRAY_SIZE(send_fields))) {
		case ROUTINE:
			send.flags |= D2D_SEND_ROUTINE;
			break;
		case ATOMIC:
			send.flags |= D2D_SEND_ATOMIC;
			break;
		case TRACE:
			send.flags |= D2D_SEND_TRACE;
			break;
		case UNKNOWN_FLAG:
			send.flags |= D2D_SEND_TRACE << 1;
			break;
		case MAGIC:
			send.hdr.magic = D2D_REQUEST_MAGIC;
			break;
		case SIZE:
			send.hdr.size--;
			break;
		case MAJOR:
			send.hdr.major++;
			break;
		case LAYOUT:
			send.hdr.layout ^= 1;
			break;
		case FUNCTION:
			send.major_function++;
			break;
		case STALE_REQUEST:
			handle ^= 1ull << 40;
			break;
		case IN:
			send.input_len = number;
			break;
		case OUT:
			send.output_len = number;
			break;
		case VALUE:
			value[0] = number;
			break;
		case DATA:
			send.input = (void *)(uintptr_t)number;
			break;
		case AT:
			at = (void *)(uintptr_t)number;
			break;
		case RESERVED:
			send.reserved = 1;
			break;
		}
	}
	return d2d_request_send(handle, at);
}

/* churn NUMBER TO CODE TIMES: sends and cancels it, whose receiver leaves it pending */
static int actor_churn(char **line)
{
	struct request *request = next_request(line);
	struct actor *to = next_actor(line);
	struct d2d_send send = d2d_send_to(to->target, next_number(line, D2D_PAIR_IOCTL_HOLD));
	u64 times = next_number(line, 1);
	u64 value = 5;
	int err = 0;

	send.input = &value;
	send.input_len = sizeof(value);
	send.output_len = sizeof(value);
	while (times-- && !err) {
		err = d2d_request_send(request->handle, &send);
		err = err == -EINPROGRESS ? d2d_request_cancel(request->handle) : err ?: -EBADMSG;
	}
	return err;
}

static int actor_wait(char **line)
{
	struct request *request = next_request(line);
	struct d2d_result result;
	u32 ms = next_number(line, D2D_FOREVER);
	int err;

	if (next_word(line))
		return d2d_request_wait(request->handle, ms, NULL);
	err = d2d_request_wait(request->handle, ms, &result);
	if (!err)
		store(request, &result);
	return err;
}

/* expect NUMBER STATUS INFORMATION OUTPUT */
static int actor_expect(char **line)
{
	struct request *request = next_request(line);
	const struct d2d_result *result = &request->result;
	s32 status = next_number(line, 0);
	u64 information = next_number(line, 0);
	u64 output = next_number(line, 0);

	if (result->status == status && result->information == information &&
	    request->output == output && result->tag == request - requests)
		return 0;
	pr_err("status=%d information=%llu output=%llu tag=%llu\n", result->status,
	       result->information, request->output, result->tag);
	return -EBADMSG;
}

/* ended NUMBER HOW */
static int actor_ended(char **line)
{
	static const char * const endings[] = {
		[D2D_ENDED_COMPLETED] = "completed",
		[D2D_ENDED_CANCELLED] = "cancelled",
		[D2D_ENDED_TIMED_OUT] = "timed-out",
		[D2D_ENDED_LEFT] = "left",
		[D2D_ENDED_NOT_COMPLETED] = "not-completed",
	};
	struct request *request = next_request(line);
	u32 ended = request->result.ended;

	if (ended == next_of(line, endings, ARRAY_SIZE(endings)))
		return 0;
	pr_err("ended=%u\n", ended);
	return -EBADMSG;
}

static int actor_cancel(char **line)
{
	return d2d_request_cancel(next_request(line)->handle);
}

static int actor_free(char **line)
{
	return d2d_request_free(next_request(line)->handle);
}

/* The output of a request: read NUMBER LENGTH [nowhere] */
static int actor_read(char **line)
{
	struct request *request = next_request(line);
	u32 len = next_number(line, sizeof(u64));
	u8 buffer[16];

	return d2d_request_read(request->handle, next_word(line) ? NULL : buffer,
				min(len, sizeof(buffer)));
}

/* complete NAME [STATUS [VALUE]] */
static int actor_complete(char **line)
{
	struct actor *actor = next_actor(line);
	d2d_handle request = take_kept(actor);
	int status = next_number(line, 0);
	u64 value = next_number(line, 0);
	int err;

	err = status ? 0 : d2d_request_write(request, &value, sizeof(value));
	return err ?: d2d_complete(request, status, status ? 0 : sizeof(value));
}

/* Once more with the last that it had. */
static int actor_again(char **line)
{
	return d2d_complete(next_actor(line)->last, 0, 0);
}

static int actor_tell(char **line)
{
	struct actor *actor = next_actor(line);

	return d2d_request_set_cancel(actor->kept[0] ?: actor->last);
}

/* forward NAME TO [CODE [back]] */
static int actor_forward(char **line)
{
	struct actor *actor = next_actor(line);

	actor->to = next_actor(line);
	actor->code = next_number(line, D2D_PAIR_IOCTL_ADD);
	return pass_on(actor, take_kept(actor), 0, next_word(line));
}

static int actor_attach(char **line)
{
	return d2d_attach(next_actor(line)->self);
}

static int actor_detach(char **line)
{
	return d2d_detach(next_actor(line)->self);
}

static const struct verb {
	const char *name;
	int (*run)(char **line);
} verbs[] = {
	{ "register", actor_register },
	{ "unregister", actor_unregister },
	{ "attach", actor_attach },
	{ "detach", actor_detach },
	{ "lookup", actor_lookup },
	{ "steal", actor_steal },
	{ "plays", actor_plays },
	{ "regains", actor_regains },
	{ "ends", actor_ends },
	{ "inside", actor_inside },
	{ "alloc", actor_alloc },
	{ "fill", actor_fill },
	{ "send", actor_send },
	{ "churn", actor_churn },
	{ "wait", actor_wait },
	{ "expect", actor_expect },
	{ "ended", actor_ended },
	{ "cancel", actor_cancel },
	{ "free", actor_free },
	{ "read", actor_read },
	{ "complete", actor_complete },
	{ "again", actor_again },
	{ "tell", actor_tell },
	{ "forward", actor_forward },
};

/* Any context, if the command does not sleep. */
static int run_command(char *line)
{
	char *name = next_word(&line) ?: "";

	for (const struct verb *verb = verbs; verb < verbs + ARRAY_SIZE(verbs); verb++)
		if (!strcmp(verb->name, name))
			return verb->run(&line);
	pr_err("what is '%s'?\n", name);
	return -EOPNOTSUPP;
}

/* A command on its way to where it runs; lives until it has run. */
struct job {
	struct work_struct work;
	struct hrtimer timer;
	struct completion done;
	char *line;
	int err;
};

static void work_job(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	job->err = run_command(job->line);
}

static enum hrtimer_restart timer_job(struct hrtimer *timer)
{
	struct job *job = container_of(timer, struct job, timer);

	job->err = run_command(job->line);
	complete(&job->done);
	return HRTIMER_NORESTART;
}

static int run_in_timer(char *line, enum hrtimer_mode mode)
{
	struct job job = { .line = line };

	init_completion(&job.done);
	hrtimer_setup_on_stack(&job.timer, timer_job, CLOCK_MONOTONIC, mode);
	hrtimer_start(&job.timer, ns_to_ktime(NSEC_PER_USEC), mode);
	wait_for_completion(&job.done);
	hrtimer_cancel(&job.timer);
	destroy_hrtimer_on_stack(&job.timer);
	return job.err;
}

static int run_in_worker(char *line)
{
	struct job job = { .line = line };

	INIT_WORK_ONSTACK(&job.work, work_job);
	queue_work(system_dfl_wq, &job.work);
	flush_work(&job.work);
	destroy_work_on_stack(&job.work);
	return job.err;
}

static int run_somewhere(char *line)
{
	static const char * const places[] = { "worker", "softirq", "hardirq", "irqs-off" };
	unsigned long flags;
	int err;

	line = skip_spaces(line);
	if (strncmp(line, "in ", 3))
		return run_command(line);
	line += 3;
	switch (next_of(&line, places, ARRAY_SIZE(places))) {
	case 0:
		return run_in_worker(line);
	case 1:
		return run_in_timer(line, HRTIMER_MODE_REL_SOFT);
	case 2:
		return run_in_timer(line, HRTIMER_MODE_REL);
	default:
		local_irq_save(flags);
		err = run_command(line);
		local_irq_restore(flags);
		return err;
	}
}

/* Nothing is allocated here, so that all that fails for want of memory is the owner's. */
static ssize_t do_write(struct file *file, const char __user *buffer, size_t count, loff_t *offset)
{
	char text[LINE] = {};
	char *rest = text;
	char *line;
	int err = 0;

	if (count >= sizeof(text))
		return -E2BIG;
	if (copy_from_user(text, buffer, count))
		return -EFAULT;
	while (!err && (line = strsep(&rest, ";")))
		err = run_somewhere(line);
	return err ?: count;
}

static const struct file_operations do_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = do_write,
};

static struct dentry *dir;

static int __init actor_init(void)
{
	dir = debugfs_create_dir("d2d-" KBUILD_MODNAME, NULL);
	debugfs_create_file("do", 0200, dir, NULL, &do_fops);
	return 0;
}
module_init(actor_init);

static void __exit actor_exit(void)
{
	debugfs_remove(dir);
	for (struct actor *actor = actors; actor < actors + DRIVERS; actor++)
		if (actor->self && d2d_unregister(actor->self) == -EBUSY) {
			d2d_detach(actor->self);
			d2d_unregister(actor->self);
		}
}
module_exit(actor_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: drivers that send and receive requests as they are told");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
