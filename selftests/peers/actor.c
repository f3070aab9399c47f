// SPDX-License-Identifier: GPL-2.0
/*
 * Drivers that a test script directs. The script writes commands to /sys/kernel/debug/d2d-actor/do,
 * which register drivers, make them send requests, and tell them what to do with those that they
 * receive. The write fails with the errno of the first command that fails. selftests/act.sh
 * documents the commands.
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
#include "pause_calls.h"

#define DRIVERS		24
#define REQUESTS	8
#define MOST_PENDED	4
#define MOST_REQUESTS	10000
/* Longest line of commands. */
#define LINE		512

/* What a dispatch routine does. */
enum role {
	ANSWER, PEND, PEND_WITH_CANCEL, FORWARD, FORWARD_BACK, FORGET, BAD_STATUS, COMPLETE_TWICE,
	PAUSE, ANSWER_AND_PAUSE, UNREGISTER, DETACH, READ_TOO_MUCH, WRITE_TOO_MUCH,
	WRITE_BAD_POINTER, REFUSE, ASK,
};

static const char * const roles[] = {
	"answer", "pend", "pend-with-cancel", "forward", "forward-back", "forget", "bad-status",
	"complete-twice", "pause", "answer-and-pause", "unregister", "detach", "read-too-much",
	"write-too-much", "write-bad-pointer", "refuse", "ask",
};

/* What the returned routine does with a request that comes back. */
enum on_returned {
	PASS_UP, THEN_PEND, FORWARD_AGAIN, THEN_UNREGISTER, THEN_PAUSE, WAIT_FOR_R0,
	UNREGISTER_FIRST,
};

static const char * const on_returned[] = {
	"pass-up", "pend", "forward-again", "unregister", "pause", "wait-for-r0",
	"unregister-first",
};

/* What the completion routine does. */
enum on_completed { KEEP, FREE, UNREGISTER_SENDER };

static const char * const on_completed[] = { "keep", "free", "unregister" };

struct actor {
	struct d2d_driver object;
	d2d_handle self;	/* 0: not registered, or another module's */
	d2d_handle target;	/* from d2d_lookup() */
	enum role role;
	enum on_returned on_returned;
	enum on_completed on_completed;
	struct actor *to;	/* where it forwards requests to */
	u32 code;		/* the code of forwarded requests; 0: unchanged */
	d2d_handle pended[MOST_PENDED];	/* oldest first */
	d2d_handle last;	/* what was taken from pended most recently */
	int errno_inside;	/* what the last call from inside a routine returned */
};

struct request {
	d2d_handle handle;
	struct d2d_result result;
	u64 output;
};

static struct actor actors[DRIVERS];
static struct request requests[REQUESTS];
static DEFINE_SPINLOCK(pended_lock);

/* Set if the line of commands has an unknown word; the write then fails. */
static bool misspelt;

static void misspelt_word(const char *word)
{
	pr_err("no such word: '%s'\n", word);
	WRITE_ONCE(misspelt, true);
}

/* Cuts the next word off a line; NULL if there is none. */
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
	if (!kstrtos64(word, 0, &number))
		return number;
	misspelt_word(word);
	return otherwise;
}

/* Returns the index of a word in a list; 0 for an unknown word, which makes the write fail. */
static int place_of(const char *word, const char * const *list, size_t count)
{
	int index = match_string(list, count, word);

	if (index < 0)
		misspelt_word(word);
	return max(index, 0);
}

static int next_of(char **line, const char * const *list, size_t count)
{
	return place_of(next_word(line) ?: "", list, count);
}

/*
 * Cuts the next word off a line, KEY or KEY=VALUE. Returns the index of KEY in a list, or -1 if
 * there is no word. VALUE is a number, or "null", which is 0.
 */
static int next_option(char **line, const char * const *list, size_t count, s64 *value)
{
	char *text = next_word(line);
	char *key;

	if (!text)
		return -1;
	key = strsep(&text, "=");
	*value = 0;
	if (text && strcmp(text, "null") && kstrtos64(text, 0, value))
		misspelt_word(text);
	return place_of(key, list, count);
}

static struct actor *next_actor(char **line)
{
	char *name = next_word(line) ?: "nobody";
	struct actor *actor;

	for (actor = actors; actor < actors + DRIVERS - 1 && actor->object.name[0]; actor++)
		if (!strcmp(actor->object.name, name))
			return actor;
	/* If the table is full, the last entry is reused, unless its driver is registered. */
	if (!actor->self)
		strscpy(actor->object.name, name);
	return actor;
}

/* rN: request number N */
static struct request *next_request(char **line)
{
	char *word = next_word(line) ?: "";
	unsigned int number;

	if (word[0] != 'r' || kstrtouint(word + 1, 10, &number) || number >= REQUESTS) {
		misspelt_word(word);
		return requests;
	}
	return requests + number;
}

static void add_pended(struct actor *actor, d2d_handle request)
{
	unsigned long flags;
	int n = 0;

	spin_lock_irqsave(&pended_lock, flags);
	while (n < MOST_PENDED - 1 && actor->pended[n])
		n++;
	actor->pended[n] = request;
	spin_unlock_irqrestore(&pended_lock, flags);
}

/* Takes the oldest pended request; if there is none, returns the one that was taken last. */
static d2d_handle take_pended(struct actor *actor)
{
	unsigned long flags;

	spin_lock_irqsave(&pended_lock, flags);
	if (actor->pended[0]) {
		actor->last = actor->pended[0];
		memmove(actor->pended, actor->pended + 1,
			sizeof(actor->pended) - sizeof(*actor->pended));
		actor->pended[MOST_PENDED - 1] = 0;
	}
	spin_unlock_irqrestore(&pended_lock, flags);
	return actor->last;
}

static int forward(struct actor *actor, d2d_handle request, u32 code, bool back)
{
	struct d2d_send send = d2d_send_to(actor->to->target, actor->code ?: code);

	if (actor->object.flags & D2D_DISPATCH_ATOMIC)
		send.flags |= D2D_SEND_ATOMIC;
	if (back)
		send.flags |= D2D_SEND_ROUTINE;
	return d2d_request_forward(request, &send);
}

/* Reads or writes the whole buffer of a request, and this many bytes more. */
static int access_buffer(const struct d2d_request *request, bool write, u32 more)
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

/* Sends another request from inside the dispatch routine, and waits for it without a time limit. */
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
	case PAUSE:
		d2d_pause_operation();
		err = answer(request);
		break;
	case ANSWER_AND_PAUSE:
		err = answer(request);
		d2d_complete(handle, err, err ? 0 : request->output_len);
		d2d_pause_operation();
		return err;
	case PEND_WITH_CANCEL:
		/* If this fails, the request is cancelled already, and the owner completes it. */
		if (d2d_request_set_cancel(handle))
			return -D2D_STATUS_PENDING;
		fallthrough;
	case PEND:
		add_pended(actor, handle);
		return -D2D_STATUS_PENDING;
	case FORWARD:
	case FORWARD_BACK:
		err = forward(actor, handle, request->code, actor->role == FORWARD_BACK);
		if (!err || err == -EINPROGRESS)
			return -D2D_STATUS_PENDING;
		break;
	case FORGET:
		return 0;
	case BAD_STATUS:
		err = 1;
		break;
	case COMPLETE_TWICE:
		err = d2d_complete(handle, 0, 0);
		actor->errno_inside = d2d_complete(handle, 0, 0);
		return err;
	case UNREGISTER:
		err = d2d_unregister(actor->self);
		break;
	case DETACH:
		err = d2d_detach(actor->self);
		break;
	case READ_TOO_MUCH:
		err = access_buffer(request, false, 1);
		break;
	case WRITE_TOO_MUCH:
		err = access_buffer(request, true, 1);
		break;
	case WRITE_BAD_POINTER:
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
	int err;

	d2d_trace(D2D_RECORD(actor->object.name, COMPLETION, 0, D2D_TEXT(VIA, "returned"),
			     D2D_NUMBER(STATUS, result->status)));
	switch (actor->on_returned) {
	case THEN_PEND:
		add_pended(actor, request->handle);
		return -D2D_STATUS_PENDING;
	case FORWARD_AGAIN:
		actor->on_returned = PASS_UP;
		err = forward(actor, request->handle, request->code, true);
		return !err || err == -EINPROGRESS ? -D2D_STATUS_PENDING : err;
	case THEN_UNREGISTER:
		actor->errno_inside = d2d_unregister(actor->self);
		break;
	case THEN_PAUSE:
		d2d_pause_operation();
		break;
	case WAIT_FOR_R0:
		actor->errno_inside = d2d_request_wait(requests[0].handle, 1, &ignored);
		break;
	case UNREGISTER_FIRST:
		actor->errno_inside = d2d_unregister(actors[0].self);
		break;
	case PASS_UP:
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
	if (actor->on_completed == UNREGISTER_SENDER)
		actor->errno_inside = d2d_unregister(actor->self);
	return actor->on_completed == FREE ? 0 : D2D_MORE_PROCESSING_REQUIRED;
}

/* Traces whether the owner has called this for the oldest pended request, as the tests expect. */
static void actor_cancelled(void *self, d2d_handle request)
{
	struct actor *actor = self;
	const char *told = request == actor->pended[0] ? "this" : "another";

	d2d_trace(D2D_RECORD(actor->object.name, CANCEL, 0, D2D_TEXT(TOLD, told)));
}

/* If the owner refuses, for example because the name is taken, the actor of this name stays. */
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
		if (!strcmp(word, "atomic")) {
			object->flags = D2D_DISPATCH_ATOMIC;
		} else if (!strcmp(word, "unknown-flag")) {
			object->flags = D2D_DISPATCH_IN_PLACE << 1;
		} else if (!strcmp(word, "no-routines")) {
			object->returned = NULL;
			object->completed = NULL;
			object->cancelled = NULL;
		} else if (!strcmp(word, "returned-outside")) {
			object->returned = (void *)_printk;
		} else if (!strcmp(word, "completed-outside")) {
			object->completed = (void *)_printk;
		} else if (!strcmp(word, "cancelled-outside")) {
			object->cancelled = (void *)_printk;
		} else {
			misspelt_word(word);
		}
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

static void unregister_all(void)
{
	for (struct actor *actor = actors; actor < actors + DRIVERS; actor++)
		if (actor->self && d2d_unregister(actor->self) == -EBUSY) {
			d2d_detach(actor->self);
			d2d_unregister(actor->self);
		}
}

static int actor_reset(char **line)
{
	unregister_all();
	memset(actors, 0, sizeof(actors));
	memset(requests, 0, sizeof(requests));
	return 0;
}

static int actor_lookup(char **line)
{
	static const char * const options[] = { "name", "handle" };
	struct actor *actor = next_actor(line);
	s64 value;

	switch (next_option(line, options, ARRAY_SIZE(options), &value)) {
	case 0:
		return d2d_lookup(NULL, &actor->target);
	case 1:
		return d2d_lookup(actor->object.name, NULL);
	default:
		return d2d_lookup(actor->object.name, &actor->target);
	}
}

/* A driver's handle and the handle for sending to it differ in the kind only. */
static int actor_forge_handle(char **line)
{
	struct actor *actor = next_actor(line);
	u64 kinds = D2D_HANDLE_TARGET ^ D2D_HANDLE_DRIVER;

	actor->self = actor->target ^ (kinds << D2D_HANDLE_KIND_SHIFT);
	return 0;
}

static int actor_on_dispatch(char **line)
{
	struct actor *actor = next_actor(line);

	WRITE_ONCE(actor->role, next_of(line, roles, ARRAY_SIZE(roles)));
	if (*line) {
		actor->to = next_actor(line);
		actor->code = next_number(line, 0);
	}
	return 0;
}

static int actor_on_returned(char **line)
{
	struct actor *actor = next_actor(line);

	actor->on_returned = next_of(line, on_returned, ARRAY_SIZE(on_returned));
	return 0;
}

static int actor_on_completed(char **line)
{
	struct actor *actor = next_actor(line);

	actor->on_completed = next_of(line, on_completed, ARRAY_SIZE(on_completed));
	return 0;
}

static int actor_errno_inside(char **line)
{
	return next_actor(line)->errno_inside;
}

static int actor_alloc(char **line)
{
	static const char * const options[] = { "in", "out", "handle" };
	struct request *request = next_request(line);
	struct actor *actor = next_actor(line);
	s64 input = sizeof(u64), output = sizeof(u64), value;
	d2d_handle *handle = &request->handle;

	for (;;) {
		switch (next_option(line, options, ARRAY_SIZE(options), &value)) {
		case 0:
			input = value;
			break;
		case 1:
			output = value;
			break;
		case 2:
			handle = NULL;
			break;
		default:
			return d2d_request_alloc(actor->self, input, output, handle);
		}
	}
}

/* Allocates requests until that fails, frees them, and returns the errno. */
static int actor_alloc_until_refused(char **line)
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

enum send_option {
	ROUTINE, ATOMIC, TRACE, UNKNOWN_FLAG, MAGIC, SIZE, MAJOR, LAYOUT, FUNCTION, STALE_HANDLE,
	IN, OUT, VALUE, INPUT, DESCRIPTOR, RESERVED,
};

static const char * const send_options[] = {
	"routine", "atomic", "trace", "unknown-flag", "bad-magic", "bad-size", "bad-major",
	"bad-layout", "unknown-function", "stale-handle", "in", "out", "value", "input",
	"descriptor", "reserved",
};

static int actor_send(char **line)
{
	struct request *request = next_request(line);
	struct actor *to = next_actor(line);
	struct d2d_send send = d2d_send_to(to->target, next_number(line, D2D_PAIR_IOCTL_ADD));
	const struct d2d_send *descriptor = &send;
	d2d_handle handle = request->handle;
	/* The option in=16 sends both elements. */
	u64 value[2] = { 41, 0 };
	s64 number;

	send.input = value;
	send.input_len = sizeof(u64);
	send.output_len = sizeof(u64);
	send.tag = request - requests;
	for (;;) {
		switch (next_option(line, send_options, ARRAY_SIZE(send_options), &number)) {
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
		case STALE_HANDLE:
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
		case INPUT:
			send.input = (void *)(uintptr_t)number;
			break;
		case DESCRIPTOR:
			descriptor = (void *)(uintptr_t)number;
			break;
		case RESERVED:
			send.reserved = 1;
			break;
		default:
			return d2d_request_send(handle, descriptor);
		}
	}
}

/* Sends a request and cancels it, repeatedly. The receiver has to pend it. */
static int actor_send_and_cancel(char **line)
{
	struct request *request = next_request(line);
	struct actor *to = next_actor(line);
	struct d2d_send send = d2d_send_to(to->target, next_number(line, D2D_PAIR_IOCTL_PEND));
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
	static const char * const options[] = { "timeout", "result" };
	struct request *request = next_request(line);
	u32 ms = D2D_FOREVER;
	struct d2d_result result;
	s64 value;
	int err;

	switch (next_option(line, options, ARRAY_SIZE(options), &value)) {
	case 0:
		ms = value;
		break;
	case 1:
		return d2d_request_wait(request->handle, ms, NULL);
	}
	err = d2d_request_wait(request->handle, ms, &result);
	if (!err)
		store(request, &result);
	return err;
}

/* Compares a stored result with the expected one. Its tag must be the N of the request rN. */
static int actor_expect(char **line)
{
	static const char * const options[] = { "status", "output", "ended" };
	static const char * const endings[] = {
		[D2D_ENDED_COMPLETED] = "completed",
		[D2D_ENDED_CANCELLED] = "cancelled",
		[D2D_ENDED_TIMED_OUT] = "timed-out",
		[D2D_ENDED_LEFT] = "left",
		[D2D_ENDED_NOT_COMPLETED] = "not-completed",
	};
	struct request *request = next_request(line);
	const struct d2d_result *result = &request->result;
	u64 information = 0, output = 0;
	/* Without ended=, any ending is right. */
	u32 ended = result->ended;
	s32 status = 0;
	char *word;

	while ((word = next_word(line))) {
		char *key = strsep(&word, "=");

		switch (place_of(key, options, ARRAY_SIZE(options))) {
		case 0:
			status = next_number(&word, 0);
			break;
		case 1:
			information = sizeof(output);
			output = next_number(&word, 0);
			break;
		case 2:
			ended = next_of(&word, endings, ARRAY_SIZE(endings));
			break;
		}
	}
	if (result->status == status && result->information == information &&
	    request->output == output && result->ended == ended &&
	    result->tag == request - requests)
		return 0;
	pr_err("status=%d information=%llu output=%llu ended=%u tag=%llu\n", result->status,
	       result->information, request->output, result->ended, result->tag);
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

static int actor_read(char **line)
{
	static const char * const options[] = { "buffer" };
	struct request *request = next_request(line);
	u32 len = next_number(line, sizeof(u64));
	u8 buffer[16], *to = buffer;
	s64 value;

	if (next_option(line, options, ARRAY_SIZE(options), &value) == 0)
		to = NULL;
	return d2d_request_read(request->handle, to, min(len, sizeof(buffer)));
}

static int actor_complete(char **line)
{
	static const char * const options[] = { "status", "output" };
	struct actor *actor = next_actor(line);
	d2d_handle request = take_pended(actor);
	s64 value, status = 0;
	u64 output = 0;
	int err;

	switch (next_option(line, options, ARRAY_SIZE(options), &value)) {
	case 0:
		status = value;
		break;
	case 1:
		output = value;
		break;
	}
	err = status ? 0 : d2d_request_write(request, &output, sizeof(output));
	return err ?: d2d_complete(request, status, status ? 0 : sizeof(output));
}

static int actor_complete_again(char **line)
{
	return d2d_complete(next_actor(line)->last, 0, 0);
}

static int actor_set_cancel(char **line)
{
	struct actor *actor = next_actor(line);

	return d2d_request_set_cancel(actor->pended[0] ?: actor->last);
}

static int actor_forward(char **line)
{
	struct actor *actor = next_actor(line);

	actor->to = next_actor(line);
	actor->code = next_number(line, D2D_PAIR_IOCTL_ADD);
	return forward(actor, take_pended(actor), 0, next_word(line));
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
	{ "reset", actor_reset },
	{ "register", actor_register },
	{ "unregister", actor_unregister },
	{ "attach", actor_attach },
	{ "detach", actor_detach },
	{ "lookup", actor_lookup },
	{ "forge-handle", actor_forge_handle },
	{ "on-dispatch", actor_on_dispatch },
	{ "on-returned", actor_on_returned },
	{ "on-completed", actor_on_completed },
	{ "errno-inside", actor_errno_inside },
	{ "alloc", actor_alloc },
	{ "alloc-until-refused", actor_alloc_until_refused },
	{ "send", actor_send },
	{ "send-and-cancel", actor_send_and_cancel },
	{ "wait", actor_wait },
	{ "expect", actor_expect },
	{ "cancel", actor_cancel },
	{ "free", actor_free },
	{ "read", actor_read },
	{ "complete", actor_complete },
	{ "complete-again", actor_complete_again },
	{ "set-cancel", actor_set_cancel },
	{ "forward", actor_forward },
};

/* Any context, if the command itself does not sleep. */
static int run_command(char *line)
{
	char *name = next_word(&line) ?: "";

	for (const struct verb *verb = verbs; verb < verbs + ARRAY_SIZE(verbs); verb++)
		if (!strcmp(verb->name, name))
			return verb->run(&line);
	misspelt_word(name);
	return -EOPNOTSUPP;
}

/* A command that runs in another execution context. It is on the stack of the waiting thread. */
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

/* Must not allocate: in fault_sweep.sh only the library's allocations may fail. */
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
	WRITE_ONCE(misspelt, false);
	while (!err && (line = strsep(&rest, ";")))
		err = run_somewhere(line);
	if (READ_ONCE(misspelt))
		err = -EOPNOTSUPP;
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
	unregister_all();
}
module_exit(actor_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: drivers that send and receive requests as they are told");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
