/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The C twin: the pair of the bench (bench_owner, bench_peer) in idiomatic kernel C. To be
 * comparable, it has the same checks, protection and limits as the project. If d2d.h or d2d_event.h
 * documents a d2d_NAME, twin_NAME has the same meaning, errnos and execution contexts. The twin has
 * one check more: with CONFIG_DEBUG_LIST, the kernel checks the pointers of the twin's lists. The
 * project has lists of its own, without such checks.
 *
 * The twin lacks:
 * - forwarding requests;
 * - requests whose buffers a dispatch routine uses in place;
 * - leaving (d2d_leave());
 * - handlers of events;
 * - lent memory;
 * - a shared block of data;
 * - several owners at a time;
 * - files for user space: the owner's state, events, a control device of each driver;
 * - a tracepoint with typed fields for each step: all printed lines share one;
 * - counters of refusals by reason, and of calls.
 *
 * This header has the boundary between the owner (twin_owner) and its peers (twin_peer).
 */
#ifndef TWIN_H
#define TWIN_H

#include <linux/list.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/stddef.h>
#include <linux/types.h>

#ifdef CONFIG_PREEMPT_RT
#error "twin: spinlocks sleep with PREEMPT_RT, so shared queues cannot be used from interrupts"
#endif
#ifndef CONFIG_SMP
#error "twin: without SMP, spinlocks do not lock"
#endif

#define TWIN_MAJOR		1
#define TWIN_MINOR		0

#define TWIN_DRIVER_MAGIC	0x57495654u
#define TWIN_REQUEST_MAGIC	0x57515254u
#define TWIN_CONTEXT_MAGIC	0x57585443u
#define TWIN_SEND_MAGIC		0x57444e53u

/* Names in the trace; KBUILD_MODNAME would also have the folder of the modules. */
#define TWIN_OWNER		"twin_owner"
#define TWIN_PEER		"twin_peer"

#define TWIN_NAME_SIZE		32
#define TWIN_DATA_SIZE		64
#define TWIN_BUFFER_SIZE	4096
#define TWIN_EVENT_NAME_SIZE	64
#define TWIN_FOREVER		0xffffffffu

#define TWIN_MJ_INTERNAL_DEVICE_CONTROL	0x0f
#define TWIN_CTL_CODE(function, method)	((0x22u << 16) | ((function) << 2) | (method))
#define TWIN_IOCTL_SHARE_CONTEXT	TWIN_CTL_CODE(0x800, 3)
#define TWIN_STATUS_PENDING		529	/* -EIOCBQUEUED */
#define TWIN_MORE_PROCESSING_REQUIRED	1

/* The most items that a thread moves before it releases a queue's lock */
#define TWIN_MAX_BATCH		128

typedef u64 twin_handle;

struct twin_header {
	u32 magic;
	u32 size;
	u16 major;
	u16 minor;
	u32 layout;
};

struct twin_ops {
	u32 size;
	u16 major;
	u16 minor;
	u64 build;
	const u64 *chain;
};

struct twin_endpoint {
	const struct twin_ops *ops;
	void *self;
};

/* handle_state of an item. 0: no handle; ON_THE_WAY: not redeemed yet; HELD: redeemed. */
enum { TWIN_ITEM_ON_THE_WAY = 1, TWIN_ITEM_HELD };

struct twin_item {
	struct list_head node;
	u64 seq;
	u32 kind;
	u32 len;
	u32 generation;	/* counts the item's handles, skips 0 */
	u32 index:24;
	u32 handle_state:8;
	u8 payload[];
};

/* One direction of a context. All items are preallocated. If none is free, the queue is full. */
struct twin_queue {
	spinlock_t lock;	/* protects all below; taken with interrupts disabled */
	struct list_head items;	/* oldest first */
	struct list_head free;
	u32 capacity;
	u32 item_size;
	u32 depth;
	u32 high_water;
	u64 put;		/* items put so far; seq of the next item */
	u64 taken;
	u64 refused;
	u64 stale;		/* calls with a stale item handle */
	void **pool;		/* the items, in chunks, so that no allocation is of high order */
	u32 per_chunk;
	u32 stride;
	u32 id;			/* unique among the queues of an owner; part of item handles */
	u32 handle_count;
	twin_handle doorbell;	/* event to set when an item arrives in the empty queue, or 0 */
};

struct twin_data {
	spinlock_t lock;	/* taken with interrupts disabled */
	u64 owner[TWIN_DATA_SIZE / sizeof(u64)];
	u64 peer[TWIN_DATA_SIZE / sizeof(u64)];
};

struct twin_context {
	struct twin_header hdr;
	u32 id;
	u32 reserved;
	struct module *module;
	struct twin_endpoint owner;
	struct twin_endpoint peer;
	struct twin_queue to_peer;
	struct twin_queue to_owner;
	struct twin_data data;
};

struct twin_request {
	struct twin_header hdr;
	twin_handle handle;
	u32 major_function;
	u32 code;
	void *user_buffer;
	twin_handle driver;
	u32 input_len;
	u32 output_len;
};

struct twin_result {
	u64 information;
	u64 tag;
	s32 status;
	u32 output_len;
};

#define TWIN_SEND_ROUTINE	1
#define TWIN_SEND_ATOMIC	2
#define TWIN_SEND_TRACE		4

struct twin_send {
	struct twin_header hdr;
	twin_handle to;
	u32 major_function;
	u32 code;
	const void *input;
	void *user_buffer;
	u64 tag;
	u32 input_len;
	u32 output_len;
	u32 flags;
	u32 reserved;
};

#define TWIN_DISPATCH_ATOMIC	1

struct twin_driver {
	struct twin_header hdr;
	char name[TWIN_NAME_SIZE];
	struct module *owner;
	void *self;
	int (*dispatch)(void *self, const struct twin_request *request);
	int (*completed)(void *self, twin_handle request, const struct twin_result *result);
	void (*cancelled)(void *self, twin_handle request);
	u32 flags;
	u32 reserved;
};

/* A hash of the layout (FNV-1a over words) */
#define TWIN_MIX(hash, value)	(((hash) ^ (u32)(value)) * 0x01000193u)
#define TWIN_LAYOUT_ITEMS	TWIN_MIX(TWIN_MIX(TWIN_MIX(TWIN_MIX(TWIN_MIX(0x811c9dc5u, \
	sizeof(struct twin_header)), sizeof(struct twin_ops)), \
	offsetof(struct twin_item, seq)), offsetof(struct twin_item, generation)), \
	offsetof(struct twin_item, payload))
#define TWIN_LAYOUT_QUEUE	TWIN_MIX(TWIN_MIX(TWIN_MIX(TWIN_MIX(TWIN_MIX(TWIN_LAYOUT_ITEMS, \
	offsetof(struct twin_queue, items)), offsetof(struct twin_queue, capacity)), \
	offsetof(struct twin_queue, put)), offsetof(struct twin_queue, pool)), \
	sizeof(struct twin_queue))
#define TWIN_LAYOUT_CONTEXT	TWIN_MIX(TWIN_MIX(TWIN_MIX(TWIN_MIX(TWIN_LAYOUT_QUEUE, \
	offsetof(struct twin_context, owner)), offsetof(struct twin_context, to_peer)), \
	offsetof(struct twin_context, data)), sizeof(struct twin_context))
#define TWIN_LAYOUT		TWIN_MIX(TWIN_MIX(TWIN_MIX(TWIN_MIX(TWIN_LAYOUT_CONTEXT, \
	sizeof(struct twin_request)), sizeof(struct twin_result)), \
	sizeof(struct twin_send)), sizeof(struct twin_driver))

/* @object is the type of the object, or the object itself. */
#define TWIN_HEADER(object, number) {		\
	.magic = (number),			\
	.size = sizeof(object),			\
	.major = TWIN_MAJOR,			\
	.minor = TWIN_MINOR,			\
	.layout = TWIN_LAYOUT,			\
}

/*
 * The interfaces of the pair. ping returns value + 1; call_peer calls the peer's ping @times times.
 * The chains are arbitrary numbers, which the two sides only compare.
 */
#define TWIN_OWNER_CHAIN { 0x52c8a1f0d4be9637ull, 0x0f6e3bd7a95c1284ull, 0xc17d508e63f2ab49ull }
#define TWIN_PEER_CHAIN { 0xe49b7c02165adf83ull, 0x7ab1d36fe8045c92ull }

struct twin_owner_ops {
	struct twin_ops hdr;
	int (*ping)(void *self, u32 value, u32 *result);
	int (*call_peer)(void *self, u64 times, u32 *result);
};

struct twin_peer_ops {
	struct twin_ops hdr;
	int (*ping)(void *self, u32 value, u32 *result);
};

/* The owner completes this request at once. The output is the input, a u32, plus 1. */
#define TWIN_IOCTL_PING		TWIN_CTL_CODE(0x801, 0)
/* As TWIN_IOCTL_PING, but dispatch() then returns -TWIN_STATUS_PENDING. */
#define TWIN_IOCTL_PEND		TWIN_CTL_CODE(0x802, 0)

enum { TWIN_EVENT_NOTIFICATION, TWIN_EVENT_SYNCHRONIZATION };

#define TWIN_EVENT_WAIT_ALL		1
#define TWIN_EVENT_WAIT_INTERRUPTIBLE	2

/* Exported by the owner, GPL only, in the namespace "TWIN". */
int twin_register(const struct twin_driver *driver, twin_handle *handle);
int twin_attach(twin_handle driver);
int twin_detach(twin_handle driver);
int twin_unregister(twin_handle driver);
int twin_lookup(const char *name, twin_handle *driver);
int twin_complete(twin_handle request, int status, u64 information);

int twin_check_header(const char *driver, const char *what, const struct twin_header *hdr,
		      const struct twin_header *expected);
/* Checks the other side's endpoint. Copies its operations to @table, of @ours->size bytes. */
int twin_copy_ops(const char *driver, const char *interface, const struct twin_endpoint *from,
		  const struct module *module, const struct twin_ops *ours, void *table);

/* Prints a line. Any execution context. */
__printf(3, 4)
void twin_step(const char *driver, const char *step, const char *format, ...);
/* Prints the line of a refusal, and returns @err. */
__printf(4, 5)
int twin_refuse(const char *driver, const char *reason, int err, const char *format, ...);

#endif /* TWIN_H */
