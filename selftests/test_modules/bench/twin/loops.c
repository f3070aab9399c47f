// SPDX-License-Identifier: GPL-2.0
/* The loops of the twin: each does what that of the same name in bench_peer.rs does. */
#include <linux/errno.h>
#include <linux/processor.h>
#include <linux/string.h>

#include "../harness.h"
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

/* The owner has the loop. */
static int run_ops_call_a_to_b(void *arg, u64 n)
{
	struct twin_peer_link *link = arg;
	u32 value;
	int err;

	err = twin_owner_call_peer(link, n, &value);
	return err ?: value == (u32)n ? 0 : -EBADMSG;
}

/* Takes an item, reads a number, and gives the item back. */
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

static __always_inline int put_and_take(struct twin_queue *queue, u64 n)
{
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

static noinline int loop_twin_queue_put_take(void *arg, u64 n)
{
	return put_and_take(arg, n);
}

static noinline int loop_twin_queue_put_take_irq(void *arg, u64 n)
{
	return put_and_take(arg, n);
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
		twin_queue_give_back(batch->queue, &items);
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

static int run_queues(void)
{
	static const u32 sizes[] = { 1, 8, 32, 128 };
	struct twin_queue *queue = &twin_link.context->to_owner;
	const char *spin_lock = "_raw_spin_lock_irqsave";
	struct d2d_bench_contender contenders[] = {
		{ "twin-queue-put-take", "indirect-call", spin_lock, loop_twin_queue_put_take,
		  .arg = queue },
		{ "twin-queue-put-take-irq", "twin-queue-put-take", spin_lock,
		  loop_twin_queue_put_take_irq, .arg = queue, .flags = D2D_BENCH_HARDIRQ },
		{ "twin-queue-two-cpus", "twin-queue-put-take", spin_lock, loop_twin_queue_two_cpus,
		  put_two_cpus, queue, .flags = D2D_BENCH_SPINS },
	};
	struct d2d_bench_contender batches = {
		"twin-queue-batch", "twin-queue-put-take", spin_lock, loop_twin_queue_batch,
		.axis = "batch",
	};
	struct d2d_bench_contender producers = {
		"twin-queue-producers", "twin-queue-two-cpus", spin_lock, loop_twin_queue_producers,
		put_some, queue, .axis = "producers", .flags = D2D_BENCH_PRODUCERS,
	};
	struct batch batch = { .queue = queue };
	int err = 0;
	size_t i;
	u64 left;

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
		/* What they have put in since it returned */
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

/* With its lines in the log. */
static noinline int loop_twin_attach_detach(void *arg, u64 n)
{
	int err = 0;

	while (n-- && !err)
		err = twin_detach(twin_self) ?: twin_attach(twin_self);
	return err;
}

static int run_attach_detach(void)
{
	const struct d2d_bench_contender contender = {
		"twin-attach-detach", "twin-attach-detach", "twin_detach", loop_twin_attach_detach,
	};

	return d2d_bench_run(&contender);
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

struct doorbells {
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
	const struct doorbells *events = arg;
	int err = 0;

	while (n-- && err >= 0)
		err = twin_event_set(events->ping) ?: wait_one(events->ping);
	return err;
}

static noinline int loop_twin_event(void *arg, u64 n)
{
	const struct doorbells *events = arg;
	int err = 0;

	for (n /= 2; n && err >= 0; n--)
		err = twin_event_set(events->ping) ?: wait_one(events->pong);
	return err;
}

static int answer_event(void *arg, u64 n)
{
	const struct doorbells *events = arg;
	int err = 0;

	for (n /= 2; n && err >= 0; n--)
		err = wait_one(events->ping) ?: twin_event_set(events->pong);
	return err;
}

/* An item wakes the other thread, which answers by one. */
static noinline int loop_twin_doorbell(void *arg, u64 n)
{
	const struct doorbells *bells = arg;
	struct twin_context *context = bells->link->context;
	u64 number;
	int err = 0;

	for (n /= 2; n && !err; n--)
		err = twin_queue_put(&context->to_owner, 0, &n, sizeof(n)) ?:
		      wait_one(bells->pong) ?: take_number(&context->to_peer, &number);
	return err;
}

static int answer_doorbell(void *arg, u64 n)
{
	const struct doorbells *bells = arg;
	struct twin_context *context = bells->link->context;
	u64 number;
	int err = 0;

	for (n /= 2; n && !err; n--)
		err = wait_one(bells->ping) ?: take_number(&context->to_owner, &number) ?:
		      twin_queue_put(&context->to_peer, 0, &number, sizeof(number));
	return err;
}

static int run_events(void)
{
	struct twin_context *context = twin_link.context;
	struct doorbells events = { .link = &twin_link };
	const struct d2d_bench_contender contenders[] = {
		{ "twin-event-set-take", "twin-ops-call-b-to-a", "twin_event_set",
		  loop_twin_event_set_take, .arg = &events },
		{ "twin-event", "completion", "twin_event_set", loop_twin_event, answer_event,
		  &events },
	};
	const struct d2d_bench_contender doorbell = {
		"twin-doorbell", "twin-event", "twin_event_wait", loop_twin_doorbell,
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

int twin_run_loops(const char *what)
{
	if (sysfs_streq(what, "all"))
		return run_calls() ?: run_queues() ?: run_requests() ?: run_events() ?:
		       run_attach_detach();
	return -EINVAL;
}
