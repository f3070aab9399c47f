// SPDX-License-Identifier: GPL-2.0
/* loop_twin_NAME uses the twin as loop_NAME (bench_peer.rs, crowd.c) uses the library. */
#include <linux/errno.h>
#include <linux/processor.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../measure.h"
#include "event.h"
#include "peer.h"
#include "queue.h"
#include "request.h"

static noinline int loop_twin_ops_call_b_to_a(void *arg, u64 n)
{
	struct twin_peer_link *link = arg;
	u32 value = 0;
	u64 i;
	int err;

	for (i = 0; i < n; i++) {
		err = twin_owner_ping(link, value, &value);
		if (err)
			return err;
	}
	return value == (u32)n ? 0 : -EBADMSG;
}

/* The owner runs the measured loop, because the loop calls the peer. */
static int run_ops_call_a_to_b(void *arg, u64 n)
{
	struct twin_peer_link *link = arg;
	u32 value;
	int err;

	err = twin_owner_call_peer(link, n, &value);
	return err ?: value == (u32)n ? 0 : -EBADMSG;
}

static __always_inline int take_number(struct twin_queue *queue, u64 *number)
{
	struct twin_item *item = twin_queue_take(queue);
	int err = -EBADMSG;

	if (!item)
		return -EAGAIN;
	if (item->len == sizeof(*number)) {
		memcpy(number, item->payload, sizeof(*number));
		err = 0;
	}
	twin_queue_release(queue, item);
	return err;
}

/* As Numbers in bench_peer.rs */
struct numbered {
	struct twin_queue *queue;
	u64 next;	/* the number of the item that is taken next */
	u64 queued;	/* other items in the queue */
	u32 len;
};

/* Each caller passes a constant as @len, as a driver does. */
static __always_inline int put_and_take(struct numbered *numbered, u64 *payload, u32 len, u64 n)
{
	struct twin_queue *queue = numbered->queue;
	u64 number = numbered->next, end = number + n;
	struct twin_item *item;
	int err;

	for (; number < end; number++) {
		*payload = number + numbered->queued;
		err = twin_queue_put(queue, 0, payload, len);
		if (err)
			return err;
		item = twin_queue_take(queue);
		if (!item)
			return -EBADMSG;
		if (item->len != len || *(u64 *)item->payload != number)
			err = -EBADMSG;
		twin_queue_release(queue, item);
		if (err)
			return err;
	}
	numbered->next = number;
	return 0;
}

static noinline int loop_twin_queue_put_take(void *arg, u64 n)
{
	struct numbered *numbered = arg;
	u64 *payload = kzalloc(numbered->len, GFP_KERNEL);
	int err = -EINVAL;

	if (!payload)
		return -ENOMEM;
	switch (numbered->len) {
	case 8:
		err = put_and_take(numbered, payload, 8, n);
		break;
	case 64:
		err = put_and_take(numbered, payload, 64, n);
		break;
	case 512:
		err = put_and_take(numbered, payload, 512, n);
		break;
	case 4096:
		err = put_and_take(numbered, payload, 4096, n);
		break;
	}
	kfree(payload);
	return err;
}

static noinline int loop_twin_queue_put_take_irq(void *arg, u64 n)
{
	struct twin_queue *queue = arg;
	u64 i, number;
	int err;

	for (i = 0; i < n; i++) {
		err = twin_queue_put(queue, 0, &i, sizeof(i)) ?: take_number(queue, &number);
		if (err)
			return err;
		if (number != i)
			return -EBADMSG;
	}
	return 0;
}

struct batch {
	struct twin_queue *queue;
	u32 size;
};

static noinline int loop_twin_queue_batch(void *arg, u64 n)
{
	const struct batch *batch = arg;
	u64 payloads[TWIN_MAX_BATCH], done, number;
	struct twin_item *item;
	LIST_HEAD(items);
	int err = 0;
	u32 i;

	for (done = 0; n - done >= batch->size && !err; done += batch->size) {
		for (i = 0; i < batch->size; i++)
			payloads[i] = done + i;
		if (twin_queue_put_batch(batch->queue, 0, payloads, sizeof(*payloads),
					 batch->size) != batch->size)
			return -ENOSPC;
		if (twin_queue_take_batch(batch->queue, &items, batch->size) != batch->size)
			err = -EBADMSG;
		i = 0;
		list_for_each_entry(item, &items, node) {
			if (item->len != sizeof(number))
				err = -EBADMSG;
			memcpy(&number, item->payload, sizeof(number));
			if (number != done + i++)
				err = -EBADMSG;
		}
		twin_queue_release_batch(batch->queue, &items);
	}
	return err;
}

static noinline int loop_twin_queue_two_cpus(void *arg, u64 n)
{
	struct twin_queue *queue = arg;
	u64 i, number;
	int err;

	for (i = 0; i < n; i++) {
		while ((err = take_number(queue, &number)) == -EAGAIN)
			cpu_relax();
		if (err)
			return err;
		if (number != i)
			return -EBADMSG;
	}
	return 0;
}

static int put_two_cpus(void *arg, u64 n)
{
	struct twin_queue *queue = arg;
	int err = 0;
	u64 i;

	for (i = 0; i < n && !err; i++) {
		while ((err = twin_queue_put(queue, 0, &i, sizeof(i))) == -ENOSPC)
			cpu_relax();
	}
	return err;
}

static noinline int loop_twin_queue_producers(void *arg, u64 n)
{
	struct twin_queue *queue = arg;
	u64 number;
	int err;

	while (n) {
		err = take_number(queue, &number);
		if (!err)
			n--;
		else if (err == -EAGAIN)
			cpu_relax();
		else
			return err;
	}
	return 0;
}

static int put_some(void *arg, u64 n)
{
	struct twin_queue *queue = arg;
	int err;
	u64 i;

	for (i = 0; i < n; i++) {
		err = twin_queue_put(queue, 0, &i, sizeof(i));
		if (err == -ENOSPC)
			break;
		if (err)
			return err;
	}
	return i;
}

/* The callee of each loop that takes a queue's lock */
static const char callee[] = "_raw_spin_lock_irqsave";

static int run_put_take(struct numbered *numbered, const char *axis, u64 value)
{
	const struct d2d_bench_contender contender = {
		"twin-queue-put-take", "indirect-call", callee, loop_twin_queue_put_take,
		.arg = numbered, .axis = axis, .value = value,
	};

	return d2d_bench_run(&contender);
}

/* Measures the queue with more and more items in it, up to its capacity. */
static int run_depths(void)
{
	struct twin_queue *queue = &twin_link.context->to_owner;
	struct numbered numbered = { .queue = queue, .len = sizeof(u64) };
	u64 depth, number;
	int err = 0;

	for (depth = 1; depth <= 1000000 && !err; depth *= 10) {
		while (numbered.queued < depth - 1 && !err) {
			number = numbered.next + numbered.queued;
			err = twin_queue_put(queue, 0, &number, sizeof(number));
			if (!err)
				numbered.queued++;
		}
		err = err ?: run_put_take(&numbered, "depth", depth);
	}
	while (!take_number(queue, &number))
		;
	return err == -ENOSPC ? 0 : err;
}

static int run_payloads(void)
{
	struct numbered numbered = { .queue = &twin_link.context->to_owner };
	int err = 0;

	for (numbered.len = 8; numbered.len <= 4096 && !err; numbered.len *= 8)
		err = run_put_take(&numbered, "payload", numbered.len);
	return err;
}

static int run_queues(void)
{
	static const u32 sizes[] = { 1, 8, 32, 128 };
	struct twin_queue *queue = &twin_link.context->to_owner;
	struct numbered numbered = { .queue = queue, .len = sizeof(u64) };
	struct d2d_bench_contender contenders[] = {
		{ "twin-queue-put-take-unchecked", "indirect-call", callee,
		  loop_twin_queue_put_take_unchecked, .arg = queue },
		{ "twin-queue-put-take-irq", "twin-queue-put-take", callee,
		  loop_twin_queue_put_take_irq, .arg = queue, .flags = D2D_BENCH_HARDIRQ },
		{ "twin-queue-two-cpus", "twin-queue-put-take", callee, loop_twin_queue_two_cpus,
		  put_two_cpus, queue, .flags = D2D_BENCH_SPINS },
	};
	struct d2d_bench_contender batches = {
		"twin-queue-batch", "twin-queue-put-take", callee, loop_twin_queue_batch,
		.axis = "batch",
	};
	struct d2d_bench_contender producers = {
		"twin-queue-producers", "twin-queue-two-cpus", callee, loop_twin_queue_producers,
		put_some, queue, .axis = "producers", .flags = D2D_BENCH_PRODUCERS,
	};
	struct batch batch = { .queue = queue };
	size_t i;
	u64 left;
	int err;

	err = run_put_take(&numbered, NULL, 0);
	for (i = 0; i < ARRAY_SIZE(contenders) && !err; i++)
		err = d2d_bench_run(&contenders[i]);
	batches.arg = &batch;
	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		batch.size = sizes[i];
		batches.value = batch.size;
		err = d2d_bench_run(&batches);
	}
	for (producers.value = 1; producers.value <= 4 && !err; producers.value++) {
		err = d2d_bench_run(&producers);
		/* The producers have put more items than the loop has taken. */
		while (!take_number(queue, &left))
			;
	}
	return err;
}

static int run_calls(void)
{
	const struct d2d_bench_contender b_to_a = {
		"twin-ops-call-b-to-a", "indirect-call", "*", loop_twin_ops_call_b_to_a,
		.arg = &twin_link,
	};
	const struct d2d_bench_contender a_to_b = {
		"twin-ops-call-a-to-b", "indirect-call", "*", run_ops_call_a_to_b,
		.arg = &twin_link,
	};

	return d2d_bench_run(&b_to_a) ?: d2d_bench_run(&a_to_b);
}

/* The dispatch routine of twin_crowd; copies the measuring driver's endpoint */
static int dispatch_offer(void *this, const struct twin_request *request)
{
	static const struct twin_header expected =
		TWIN_HEADER(struct twin_context, TWIN_CONTEXT_MAGIC);
	struct twin_context *offered = request->user_buffer;
	int err = -ENOTTY;

	if (request->code == TWIN_IOCTL_SHARE_CONTEXT)
		err = twin_check_header(TWIN_PEER, "context", &offered->hdr, &expected);
	if (!err)
		offered->peer = twin_link.context->peer;
	return twin_complete(request->handle, err, 0) ?: err;
}

/* The measured time includes printing the lines of the trace. */
static noinline int loop_twin_attach_detach(void *arg, u64 n)
{
	const twin_handle *handle = arg;
	int err = 0;

	while (n-- && !err)
		err = twin_attach(*handle) ?: twin_detach(*handle);
	return err;
}

static int run_attach_detach(void)
{
	static const struct twin_driver driver = {
		.hdr = TWIN_HEADER(driver, TWIN_DRIVER_MAGIC),
		.name = "twin_crowd",
		.owner = THIS_MODULE,
		.dispatch = dispatch_offer,
	};
	twin_handle handle;
	const struct d2d_bench_contender contender = {
		"twin-attach-detach", "work-item-unbound", "twin_attach", loop_twin_attach_detach,
		.arg = &handle,
	};
	int err;

	err = twin_register(&driver, &handle);
	if (err)
		return err;
	err = d2d_bench_run(&contender);
	return twin_unregister(handle) ?: err;
}

struct message {
	twin_handle request;
	twin_handle to;
};

static noinline int loop_twin_request(void *arg, u64 n)
{
	const struct message *message = arg;
	struct twin_send send = twin_send_to(message->to, TWIN_IOCTL_PING);
	u32 value = 0;
	u64 i;
	int err;

	send.input = &value;
	send.input_len = sizeof(value);
	send.output_len = sizeof(value);
	for (i = 0; i < n; i++) {
		err = twin_request_call(message->request, &send, &value, TWIN_FOREVER);
		if (err)
			return err;
	}
	return value == (u32)n ? 0 : -EBADMSG;
}

static int run_requests(void)
{
	struct message message;
	const struct d2d_bench_contender contender = {
		"twin-request", "twin-ops-call-b-to-a", "twin_request_send", loop_twin_request,
		.arg = &message,
	};
	int err;

	err = twin_lookup("twin_owner", &message.to) ?:
	      twin_request_alloc(twin_self, sizeof(u32), sizeof(u32), &message.request);
	if (err)
		return err;
	err = d2d_bench_run(&contender);
	return twin_request_free(message.request) ?: err;
}

struct ping_pong {
	struct twin_peer_link *link;
	twin_handle ping;
	twin_handle pong;
};

static int wait_one(twin_handle event)
{
	return twin_event_wait(&event, 1, 0, TWIN_FOREVER, NULL);
}

static noinline int loop_twin_event_set_take(void *arg, u64 n)
{
	const struct ping_pong *events = arg;
	int err = 0;

	while (n-- && err >= 0)
		err = twin_event_set(events->ping) ?: wait_one(events->ping);
	return err;
}

static noinline int loop_twin_event(void *arg, u64 n)
{
	const struct ping_pong *events = arg;
	int err = 0;

	for (n /= 2; n && err >= 0; n--)
		err = twin_event_set(events->ping) ?: wait_one(events->pong);
	return err;
}

static int answer_event(void *arg, u64 n)
{
	const struct ping_pong *events = arg;
	int err = 0;

	for (n /= 2; n && err >= 0; n--)
		err = wait_one(events->ping) ?: twin_event_set(events->pong);
	return err;
}

static noinline int loop_twin_doorbell(void *arg, u64 n)
{
	const struct ping_pong *bells = arg;
	struct twin_context *context = bells->link->context;
	u64 i, number;
	int err;

	for (i = 0; i < n / 2; i++) {
		err = twin_queue_put(&context->to_owner, 0, &i, sizeof(i)) ?:
		      wait_one(bells->pong) ?: take_number(&context->to_peer, &number);
		if (err)
			return err;
		if (number != i)
			return -EBADMSG;
	}
	return 0;
}

static int answer_doorbell(void *arg, u64 n)
{
	const struct ping_pong *bells = arg;
	struct twin_context *context = bells->link->context;
	u64 i, number;
	int err;

	for (i = 0; i < n / 2; i++) {
		err = wait_one(bells->ping) ?: take_number(&context->to_owner, &number) ?:
		      twin_queue_put(&context->to_peer, 0, &number, sizeof(number));
		if (err)
			return err;
		if (number != i)
			return -EBADMSG;
	}
	return 0;
}

static int run_events(void)
{
	struct twin_context *context = twin_link.context;
	struct ping_pong events = { .link = &twin_link };
	const struct d2d_bench_contender contenders[] = {
		{ "twin-event-set-take", "twin-ops-call-b-to-a", "twin_event_set",
		  loop_twin_event_set_take, .arg = &events },
		{ "twin-event", "completion", "twin_event_set", loop_twin_event, answer_event,
		  &events },
	};
	const struct d2d_bench_contender doorbell = {
		"twin-doorbell", "completion", "twin_event_wait", loop_twin_doorbell,
		answer_doorbell, &events,
	};
	int err;

	err = twin_event_create(twin_self, "twin-ping", TWIN_EVENT_SYNCHRONIZATION, false,
				&events.ping);
	if (err)
		return err;
	err = twin_event_create(twin_self, "twin-pong", TWIN_EVENT_SYNCHRONIZATION, false,
				&events.pong);
	if (err)
		goto close_ping;
	err = d2d_bench_run(&contenders[0]) ?: d2d_bench_run(&contenders[1]);
	twin_queue_set_doorbell(&context->to_owner, events.ping);
	twin_queue_set_doorbell(&context->to_peer, events.pong);
	err = err ?: d2d_bench_run(&doorbell);
	twin_queue_set_doorbell(&context->to_owner, 0);
	twin_queue_set_doorbell(&context->to_peer, 0);
	twin_event_close(events.pong);
close_ping:
	twin_event_close(events.ping);
	return err;
}

/* How many events or requests one command allocates */
#define KEPT	1024

static twin_handle kept_events[2 * KEPT];
static twin_handle kept_requests[2 * KEPT];
static u32 event_count;
static u32 request_count;

static int keep_events(void)
{
	char name[TWIN_EVENT_NAME_SIZE];
	int err = 0;
	u32 i;

	for (i = 0; i < KEPT && !err; i++) {
		if (event_count == ARRAY_SIZE(kept_events))
			return -ENOSPC;
		snprintf(name, sizeof(name), "twin-%u", event_count);
		err = twin_event_create(twin_self, name, TWIN_EVENT_NOTIFICATION, false,
					&kept_events[event_count]);
		if (!err)
			event_count++;
	}
	return err;
}

static int keep_requests(void)
{
	int err = 0;
	u32 i;

	for (i = 0; i < KEPT && !err; i++) {
		if (request_count == ARRAY_SIZE(kept_requests))
			return -ENOSPC;
		err = twin_request_alloc(twin_self, sizeof(u32), sizeof(u32),
					 &kept_requests[request_count]);
		if (!err)
			request_count++;
	}
	return err;
}

static int keep_nothing(void)
{
	while (event_count)
		twin_event_close(kept_events[--event_count]);
	while (request_count)
		twin_request_free(kept_requests[--request_count]);
	return 0;
}

int twin_run_command(const char *what)
{
	if (sysfs_streq(what, "operations"))
		return run_calls() ?: run_queues() ?: run_requests() ?: run_events() ?:
		       run_attach_detach();
	if (sysfs_streq(what, "depth"))
		return run_depths();
	if (sysfs_streq(what, "payload"))
		return run_payloads();
	if (sysfs_streq(what, "keep-events"))
		return keep_events();
	if (sysfs_streq(what, "keep-requests"))
		return keep_requests();
	if (sysfs_streq(what, "keep-nothing"))
		return keep_nothing();
	return -EINVAL;
}
