// SPDX-License-Identifier: GPL-2.0
/* The commands that make drivers send, wait for, complete, cancel and forward requests */
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "d2d_pair.h"
#include "actor.h"

#define MOST_REQUESTS	10000

int actor_alloc(char **line)
{
	static const char * const options[] = { "in", "out", "handle" };
	struct request *request = line_request(line);
	struct actor *actor = line_actor(line);
	s64 input = sizeof(u64), output = sizeof(u64), value;
	d2d_handle *handle = &request->handle;

	for (;;) {
		switch (line_option(line, options, ARRAY_SIZE(options), &value)) {
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

int actor_alloc_until_refused(char **line)
{
	struct actor *actor = line_actor(line);
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

int actor_send(char **line)
{
	struct request *request = line_request(line);
	struct actor *to = line_actor(line);
	struct d2d_send send = d2d_send_to(to->target, line_next_number(line, D2D_PAIR_IOCTL_ADD));
	const struct d2d_send *descriptor = &send;
	d2d_handle handle = request->handle;
	u64 value[2] = { 41, 0 };
	s64 number;

	send.input = value;
	send.input_len = sizeof(u64);
	send.output_len = sizeof(u64);
	send.tag = request - requests;
	for (;;) {
		switch (line_option(line, send_options, ARRAY_SIZE(send_options), &number)) {
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

/* The receiver must pend the request. */
int actor_send_and_cancel(char **line)
{
	struct request *request = line_request(line);
	struct actor *to = line_actor(line);
	struct d2d_send send = d2d_send_to(to->target, line_next_number(line, D2D_PAIR_IOCTL_PEND));
	u64 times = line_next_number(line, 1);
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

int actor_wait(char **line)
{
	static const char * const options[] = { "timeout", "result" };
	struct request *request = line_request(line);
	u32 ms = D2D_FOREVER;
	struct d2d_result result;
	s64 value;
	int err;

	switch (line_option(line, options, ARRAY_SIZE(options), &value)) {
	case 0:
		ms = value;
		break;
	case 1:
		return d2d_request_wait(request->handle, ms, NULL);
	}
	err = d2d_request_wait(request->handle, ms, &result);
	if (!err)
		store_result(request, &result);
	return err;
}

int actor_expect(char **line)
{
	static const char * const options[] = { "status", "output", "ended" };
	static const char * const endings[] = {
		[D2D_ENDED_COMPLETED] = "completed",
		[D2D_ENDED_CANCELLED] = "cancelled",
		[D2D_ENDED_TIMED_OUT] = "timed-out",
		[D2D_ENDED_LEFT] = "left",
		[D2D_ENDED_NOT_COMPLETED] = "not-completed",
	};
	struct request *request = line_request(line);
	const struct d2d_result *result = &request->result;
	u64 information = 0, output = 0;
	u32 ended = result->ended;
	s32 status = 0;
	char *word;

	while ((word = line_word(line))) {
		char *key = strsep(&word, "=");

		switch (word_index(key, options, ARRAY_SIZE(options))) {
		case 0:
			status = line_next_number(&word, 0);
			break;
		case 1:
			information = sizeof(output);
			output = line_next_number(&word, 0);
			break;
		case 2:
			ended = line_index(&word, endings, ARRAY_SIZE(endings));
			break;
		}
	}
	if (result->status == status && result->information == information &&
	    request->output == output && result->ended == ended &&
	    result->tag == request - requests)
		return 0;
	pr_err("actor: unexpected: status=%d information=%llu output=%llu ended=%u tag=%llu\n",
	       result->status, result->information, request->output, result->ended, result->tag);
	return -EBADMSG;
}

int actor_cancel(char **line)
{
	return d2d_request_cancel(line_request(line)->handle);
}

int actor_free(char **line)
{
	return d2d_request_free(line_request(line)->handle);
}

int actor_read(char **line)
{
	static const char * const options[] = { "buffer" };
	struct request *request = line_request(line);
	u32 len = line_next_number(line, sizeof(u64));
	u8 buffer[16], *to = buffer;
	s64 value;

	if (line_option(line, options, ARRAY_SIZE(options), &value) == 0)
		to = NULL;
	return d2d_request_read(request->handle, to, min(len, sizeof(buffer)));
}

int actor_complete(char **line)
{
	static const char * const options[] = { "status", "output" };
	struct actor *actor = line_actor(line);
	d2d_handle request = actor_take_pended(actor);
	s64 value, status = 0;
	u64 output = 0;
	int err;

	switch (line_option(line, options, ARRAY_SIZE(options), &value)) {
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

int actor_complete_again(char **line)
{
	return d2d_complete(line_actor(line)->last, 0, 0);
}

int actor_set_cancel(char **line)
{
	struct actor *actor = line_actor(line);

	return d2d_request_set_cancel(actor->pended[0] ?: actor->last);
}

int actor_forward(char **line)
{
	struct actor *actor = line_actor(line);

	actor->to = line_actor(line);
	actor->code = line_next_number(line, D2D_PAIR_IOCTL_ADD);
	return forward_request(actor, actor_take_pended(actor), 0, line_word(line));
}
