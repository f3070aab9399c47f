// SPDX-License-Identifier: GPL-2.0
/* The twin's owner */
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "owner.h"
#include "queue.h"
#include "request.h"

unsigned int twin_contexts = 1;
static unsigned int capacity = 256;
static unsigned int item_size = 64;
unsigned int twin_completion;
unsigned int twin_timeout = 5000;

module_param_named(contexts, twin_contexts, uint, 0444);
MODULE_PARM_DESC(contexts, "contexts, each held by one driver at a time (1-64)");
module_param(capacity, uint, 0444);
MODULE_PARM_DESC(capacity, "items that each of a context's two queues can hold (1-1048576)");
module_param(item_size, uint, 0444);
MODULE_PARM_DESC(item_size, "bytes of payload of an item (8-4096)");
module_param_named(completion, twin_completion, uint, 0444);
MODULE_PARM_DESC(completion,
		 "how the owner learns that a handshake is completed: return, routine, wait (0-2)");
module_param_named(timeout, twin_timeout, uint, 0444);
MODULE_PARM_DESC(timeout, "how long to wait for a pended handshake, in milliseconds (1-600000)");

/* Items are allocated in chunks of at most this many bytes. */
#define CHUNK_SIZE	SZ_16K

struct twin_seat twin_seats[TWIN_MAX_CONTEXTS];
static twin_handle self;

static int check_parameter(const char *name, unsigned int value, unsigned int min, unsigned int max)
{
	if (value >= min && value <= max)
		return 0;
	return twin_refuse(TWIN_OWNER, "parameter-out-of-range", -ERANGE, "%s=%u min=%u max=%u",
			   name, value, min, max);
}

static int check_parameters(void)
{
	return check_parameter("contexts", twin_contexts, 1, TWIN_MAX_CONTEXTS) ?:
	       check_parameter("capacity", capacity, 1, TWIN_MAX_CAPACITY) ?:
	       check_parameter("item_size", item_size, 8, 4096) ?:
	       check_parameter("completion", twin_completion, 0, 2) ?:
	       check_parameter("timeout", twin_timeout, 1, 600000);
}

static void free_items(struct twin_queue *queue)
{
	u32 chunk;

	for (chunk = 0; chunk < DIV_ROUND_UP(queue->capacity, queue->per_chunk); chunk++)
		kfree(queue->pool[chunk]);
	kvfree(queue->pool);
}

static int make_items(struct twin_queue *queue)
{
	u32 i, chunk, chunks = DIV_ROUND_UP(queue->capacity, queue->per_chunk);
	struct twin_item *item;

	queue->pool = kvcalloc(chunks, sizeof(*queue->pool), GFP_KERNEL);
	if (!queue->pool)
		return -ENOMEM;
	for (chunk = 0; chunk < chunks; chunk++) {
		i = min(queue->per_chunk, queue->capacity - chunk * queue->per_chunk);
		queue->pool[chunk] = kcalloc(i, queue->stride, GFP_KERNEL);
		if (!queue->pool[chunk]) {
			free_items(queue);
			return -ENOMEM;
		}
	}
	for (i = 0; i < queue->capacity; i++) {
		item = twin_queue_item(queue, i);
		item->index = i;
		list_add_tail(&item->node, &queue->free);
	}
	return 0;
}

static u32 item_bytes(void)
{
	return ALIGN(sizeof(struct twin_item) + item_size, 8);
}

static int init_queue(struct twin_queue *queue, struct twin_context *context, const char *name,
		      u32 id)
{
	int err;

	spin_lock_init(&queue->lock);
	twin_step(TWIN_OWNER, "init-lock", "ctx=c%u lock=%s", context->id, name);
	INIT_LIST_HEAD(&queue->items);
	INIT_LIST_HEAD(&queue->free);
	queue->capacity = capacity;
	queue->item_size = item_size;
	queue->id = id;
	queue->stride = item_bytes();
	queue->per_chunk = CHUNK_SIZE / queue->stride;
	err = make_items(queue);
	if (err)
		return err;
	twin_step(TWIN_OWNER, "init-queue", "ctx=c%u queue=%s capacity=%u item=%u", context->id,
		  name, capacity, item_size);
	return 0;
}

static void free_queue(struct twin_queue *queue, u32 id, const char *name)
{
	twin_step(TWIN_OWNER, "drain",
		  "ctx=c%u queue=%s left=%u put=%llu taken=%llu refused=%llu stale=%llu", id, name,
		  queue->depth, queue->put, queue->taken, queue->refused, queue->stale);
	free_items(queue);
}

static int owner_ping(void *self, u32 value, u32 *result)
{
	*result = value + 1;
	return 0;
}

/* Enters rundown protection for each call, as does a driver that may sleep between calls. */
static noinline int loop_twin_ops_call_a_to_b(struct twin_owner_link *link, u64 n, u32 *result)
{
	u32 value = 0;
	u64 i;
	int err;

	for (i = 0; i < n; i++) {
		err = twin_peer_ping_protected(link, value, &value);
		if (err)
			return err;
	}
	*result = value;
	return 0;
}

static int owner_call_peer(void *self, u64 times, u32 *result)
{
	return loop_twin_ops_call_a_to_b(self, times, result);
}

static const u64 chain[] = TWIN_OWNER_CHAIN;

static const struct twin_owner_ops ops = {
	.hdr = {
		.size = sizeof(ops),
		.major = 1,
		.chain = chain,
	},
	.ping = owner_ping,
	.call_peer = owner_call_peer,
};

static int make_context(struct twin_seat *seat, u32 id)
{
	static const struct twin_header hdr = TWIN_HEADER(struct twin_context, TWIN_CONTEXT_MAGIC);
	struct twin_context *context;
	int err;

	context = kzalloc_obj(*context);
	if (!context)
		return -ENOMEM;
	seat->context = context;
	context->hdr = hdr;
	context->id = id;
	context->module = THIS_MODULE;
	twin_step(TWIN_OWNER, "alloc", "ctx=c%u bytes=%zu", id, sizeof(*context) +
		  2 * (size_t)capacity * item_bytes());
	err = init_srcu_struct_fast(&seat->link.srcu);
	if (err)
		goto free_context;
	err = init_queue(&context->to_peer, context, "to_peer", 2 * id);
	if (err)
		goto cleanup_srcu;
	err = init_queue(&context->to_owner, context, "to_owner", 2 * id + 1);
	if (err)
		goto free_items;
	spin_lock_init(&context->data.lock);
	twin_step(TWIN_OWNER, "init-lock", "ctx=c%u lock=data", id);
	seat->link.context = context;
	context->owner.ops = &ops.hdr;
	context->owner.self = &seat->link;
	return 0;

free_items:
	free_items(&context->to_peer);
cleanup_srcu:
	cleanup_srcu_struct(&seat->link.srcu);
free_context:
	kfree(context);
	seat->context = NULL;
	return err;
}

static void free_contexts(void)
{
	struct twin_context *context;
	struct twin_seat *seat;

	for (seat = twin_seats; seat < twin_seats + twin_contexts && seat->context; seat++) {
		context = seat->context;
		free_queue(&context->to_peer, context->id, "to_peer");
		free_queue(&context->to_owner, context->id, "to_owner");
		twin_step(TWIN_OWNER, "free", "ctx=c%u", context->id);
		cleanup_srcu_struct(&seat->link.srcu);
		kfree(context);
	}
}

static int serve(const struct twin_request *request)
{
	u32 value;
	int err;

	err = twin_request_input(request, &value, sizeof(value));
	if (err)
		return err;
	if (request->output_len < sizeof(value))
		return -EMSGSIZE;
	value++;
	return twin_request_write(request->handle, &value, sizeof(value));
}

/* May sleep, so a worker calls it if the sender must not sleep. */
static int dispatch(void *this, const struct twin_request *request)
{
	static const struct twin_header expected =
		TWIN_HEADER(struct twin_request, TWIN_REQUEST_MAGIC);
	u64 information = 0;
	int err;

	err = twin_check_header(TWIN_OWNER, "request", &request->hdr, &expected);
	if (err)
		return err;
	err = -ENOTTY;
	if (request->code == TWIN_IOCTL_PING || request->code == TWIN_IOCTL_PEND) {
		err = serve(request);
		information = err ? 0 : sizeof(u32);
	}
	/* Fails only if the request was cancelled, and the bench cancels none. */
	twin_complete(request->handle, err, information);
	return request->code == TWIN_IOCTL_PEND ? -TWIN_STATUS_PENDING : err;
}

static const struct twin_driver driver = {
	.hdr = TWIN_HEADER(driver, TWIN_DRIVER_MAGIC),
	.name = TWIN_OWNER,
	.owner = THIS_MODULE,
	.dispatch = dispatch,
};

static int __init twin_owner_init(void)
{
	u32 id;
	int err;

	twin_step(TWIN_OWNER, "load", "contexts=%u", twin_contexts);
	err = check_parameters();
	if (err)
		return err;
	twin_drivers_init();
	for (id = 0; id < twin_contexts; id++) {
		err = make_context(&twin_seats[id], id);
		if (err)
			goto free;
	}
	err = twin_requests_init();
	if (err)
		goto free;
	err = twin_register(&driver, &self);
	if (err)
		goto exit;
	twin_step(TWIN_OWNER, "export", "ns=TWIN");
	return 0;

exit:
	twin_requests_exit();
free:
	free_contexts();
	return err == -ENOMEM ? twin_refuse(TWIN_OWNER, "out-of-memory", err, "contexts=%u",
					       twin_contexts) : err;
}
module_init(twin_owner_init);

/* No peer is loaded any more, because peers import the owner's symbols. */
static void __exit twin_owner_exit(void)
{
	twin_unregister(self);
	twin_requests_exit();
	free_contexts();
	twin_step(TWIN_OWNER, "unload", "contexts=%u", twin_contexts);
}
module_exit(twin_owner_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Bench: the owner of the C twin");
MODULE_LICENSE("GPL");
