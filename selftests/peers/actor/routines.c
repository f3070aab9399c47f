// SPDX-License-Identifier: GPL-2.0
/* The routines of the drivers. The commands on-* set what the routines do. */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "../pause_calls.h"
#include "actor.h"

static DEFINE_SPINLOCK(pended_lock);

static void actor_pend(struct actor *actor, d2d_handle request)
{
	unsigned long flags;
	int n = 0;

	spin_lock_irqsave(&pended_lock, flags);
	while (n < MOST_PENDED - 1 && actor->pended[n])
		n++;
	actor->pended[n] = request;
	spin_unlock_irqrestore(&pended_lock, flags);
}

/* Takes the oldest pended request. If none is left, returns the one that was taken last. */
d2d_handle actor_take_pended(struct actor *actor)
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

int forward_request(struct actor *actor, d2d_handle request, u32 code, bool back)
{
	struct d2d_send send = d2d_send_to(actor->to->target, actor->code ?: code);

	if (actor->object.flags & D2D_DISPATCH_ATOMIC)
		send.flags |= D2D_SEND_ATOMIC;
	if (back)
		send.flags |= D2D_SEND_ROUTINE;
	return d2d_request_forward(request, &send);
}

/* Accesses the whole input or output, and @more bytes beyond its end. */
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

int actor_dispatch(void *self, const struct d2d_request *request)
{
	d2d_handle handle = request->handle;
	struct actor *actor = self;
	int err = 0;

	switch (READ_ONCE(actor->on_dispatch)) {
	case ANSWER:
		err = answer(request);
		break;
	case PAUSE:
		d2d_pause_call();
		err = answer(request);
		break;
	case ANSWER_AND_PAUSE:
		err = answer(request);
		d2d_complete(handle, err, err ? 0 : request->output_len);
		d2d_pause_call();
		return err;
	case PEND_WITH_CANCEL:
		/* If this call fails, the request is cancelled already: do not store its handle. */
		if (d2d_request_set_cancel(handle))
			return -D2D_STATUS_PENDING;
		fallthrough;
	case PEND:
		actor_pend(actor, handle);
		return -D2D_STATUS_PENDING;
	case FORWARD:
	case FORWARD_BACK:
		err = forward_request(actor, handle, request->code,
				      actor->on_dispatch == FORWARD_BACK);
		if (!err || err == -EINPROGRESS)
			return -D2D_STATUS_PENDING;
		break;
	case OMIT_COMPLETION:
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

int actor_returned(void *self, const struct d2d_request *request,
		   const struct d2d_result *result)
{
	struct actor *actor = self;
	struct d2d_result ignored;
	int err;

	d2d_trace(D2D_RECORD(actor->object.name, COMPLETION, 0, D2D_TEXT(VIA, "returned"),
			     D2D_NUMBER(STATUS, result->status)));
	switch (actor->on_returned) {
	case THEN_PEND:
		actor_pend(actor, request->handle);
		return -D2D_STATUS_PENDING;
	case FORWARD_AGAIN:
		actor->on_returned = PASS_UP;
		err = forward_request(actor, request->handle, request->code, true);
		return !err || err == -EINPROGRESS ? -D2D_STATUS_PENDING : err;
	case THEN_UNREGISTER:
		actor->errno_inside = d2d_unregister(actor->self);
		break;
	case THEN_PAUSE:
		d2d_pause_call();
		break;
	case WAIT_FOR_R0:
		actor->errno_inside = d2d_request_wait(requests[0].handle, 1, &ignored);
		break;
	case UNREGISTER_OLDEST:
		actor->errno_inside = d2d_unregister(actors[0].self);
		break;
	case PASS_UP:
		break;
	}
	return result->status;
}

void store_result(struct request *request, const struct d2d_result *result)
{
	request->result = *result;
	request->output = 0;
	if (result->output_len == sizeof(request->output))
		d2d_request_read(request->handle, &request->output, sizeof(request->output));
}

int actor_completed(void *self, d2d_handle handle, const struct d2d_result *result)
{
	struct actor *actor = self;

	store_result(&requests[result->tag % REQUESTS], result);
	if (actor->on_completed == UNREGISTER_SENDER)
		actor->errno_inside = d2d_unregister(actor->self);
	return actor->on_completed == FREE ? 0 : D2D_MORE_PROCESSING_REQUIRED;
}

void actor_cancelled(void *self, d2d_handle request)
{
	struct actor *actor = self;
	const char *what = request == actor->pended[0] ? "pended" : "another";

	d2d_trace(D2D_RECORD(actor->object.name, CANCEL, 0, D2D_TEXT(WHAT, what)));
}
