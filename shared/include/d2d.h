/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The boundary between an owner and its peers. C drivers include this header. bindgen makes the
 * crate d2d_abi from it. docs/architecture.md has a glossary.
 *
 * The counterparts on Windows: DRIVER_OBJECT for a driver object, IRP for a request.
 */
#ifndef D2D_H
#define D2D_H

#include <linux/build_bug.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/stddef.h>
#include <linux/types.h>

#include "d2d_step.h"

#ifdef CONFIG_PREEMPT_RT
#error "d2d: spinlocks sleep with PREEMPT_RT, so shared queues cannot be used from interrupts"
#endif
#ifndef CONFIG_SMP
#error "d2d: without SMP, spinlocks do not lock: a thread could take a lock that it holds"
#endif

/*
 * Version of this file. Both sides must have the same major version and the same D2D_LAYOUT. A
 * newer minor version may add values that a field can have. Ops tables have versions of their own.
 */
#define D2D_ABI_MAJOR		1
#define D2D_ABI_MINOR		0

/* "DRVO", "REQU", "CTXB" and "SEND" */
#define D2D_DRIVER_MAGIC	0x4f565244u
#define D2D_REQUEST_MAGIC	0x55514552u
#define D2D_CONTEXT_MAGIC	0x42585443u
#define D2D_SEND_MAGIC		0x444e4553u

/* Room for a driver's name with its NUL, in bytes. */
#define D2D_NAME_SIZE		32
/* The most bytes of each block of data in a context. */
#define D2D_DATA_SIZE		65536

/* The most bytes of input of a request, and the most bytes of output. */
#define D2D_BUFFER_SIZE		4096
/* The most drivers that get a request: its receiver, and each to which it is forwarded. */
#define D2D_STACK_SIZE		4

/* The same number as that of IRP_MJ_INTERNAL_DEVICE_CONTROL. */
#define D2D_MJ_INTERNAL_DEVICE_CONTROL	0x0f

/*
 * A control code is made as by CTL_CODE(FILE_DEVICE_UNKNOWN, function, method, 0). With
 * D2D_METHOD_BUFFERED, the library copies input and output. With D2D_METHOD_NEITHER, the data is
 * at user_buffer.
 */
#define D2D_METHOD_BUFFERED	0
#define D2D_METHOD_NEITHER	3
#define D2D_CTL_CODE(function, method)	((0x22u << 16) | ((function) << 2) | (method))
/* The handshake: user_buffer points to a struct d2d_context. Only the owner sends it. */
#define D2D_IOCTL_SHARE_CONTEXT	0x00222003u

/* dispatch() returns -D2D_STATUS_PENDING if the driver completes the request later. */
#define D2D_STATUS_PENDING	529	/* -EIOCBQUEUED */
/* completed() returns this if the driver keeps the request. */
#define D2D_MORE_PROCESSING_REQUIRED	1

/* No limit for a wait. Any limit of 2^31 ms (24.8 days) or more means the same. */
#define D2D_FOREVER		0xffffffffu

/**
 * typedef d2d_handle - names a driver, an event, a request or an item
 *
 * 0 names nothing. A handle is stale once what it named is gone. A function that gets a stale
 * handle, or one of another kind than it expects, returns -ESTALE. There are three exceptions:
 *
 * - d2d_queue_redeem() returns NULL;
 * - d2d_event_ring() returns nothing;
 * - a function that expects the handle of a request's holder returns -ECANCELED if the request was
 *   cancelled lately.
 *
 * Only the library uses the parts of a handle::
 *
 *	bits 63..32	generation; 0 only in the handle of a HELD request
 *	bit 31		set: an item
 *	  bits 30..24	the id of its queue
 *	  bits 23..0	its index in the queue's pool
 *	bit 31		clear: anything else
 *	  bits 30..28	the kind, one of enum d2d_handle_kind
 *	  bits 27..0	an index
 *
 * The generation changes whenever an index is used again, and for a HELD request also when the
 * request is sent, forwarded or returned. When the generation has gone through all its values, a
 * stale handle may name something else of the same kind.
 */
typedef u64 d2d_handle;

#define D2D_HANDLE_ITEM		0x80000000u
#define D2D_ITEM_INDEX_BITS	24
#define D2D_HANDLE_KIND_SHIFT	28

/**
 * enum d2d_handle_kind - what a handle names, unless it is an item
 * @D2D_HANDLE_DRIVER: a driver; from d2d_register()
 * @D2D_HANDLE_TARGET: a driver to which requests are sent; from d2d_lookup()
 * @D2D_HANDLE_EVENT: an event; from d2d_event_create() and d2d_event_open()
 * @D2D_HANDLE_SENT: a request; its sender's handle
 * @D2D_HANDLE_HELD: a request; its present holder's handle
 */
enum d2d_handle_kind {
	D2D_HANDLE_DRIVER = 1,
	D2D_HANDLE_TARGET,
	D2D_HANDLE_EVENT,
	D2D_HANDLE_SENT,
	D2D_HANDLE_HELD,
};

/**
 * struct d2d_header - the first member of every object that crosses the boundary
 * @magic: D2D_..._MAGIC
 * @size: sizeof the object, as its maker was built
 * @major: D2D_ABI_MAJOR
 * @minor: D2D_ABI_MINOR
 * @layout: D2D_LAYOUT
 */
struct d2d_header {
	u32 magic;
	u32 size;
	u16 major;
	u16 minor;
	u32 layout;
};

#define D2D_HEADER_INIT(object_magic, type)	\
	{					\
		.magic = (object_magic),	\
		.size = sizeof(type),		\
		.major = D2D_ABI_MAJOR,		\
		.minor = D2D_ABI_MINOR,		\
		.layout = D2D_LAYOUT,		\
	}

/**
 * struct d2d_ops - the first member of every ops table
 * @size: sizeof the whole table, as its maker was built
 * @major: version of the interface; must be equal on both sides
 * @minor: a newer minor version only appends
 * @build: 0, or a number that only drivers of the same sources, compiler and kernel have; must be
 *	equal on both sides
 * @chain: a hash for each minor version, then one for each operation
 *
 * The operations follow this member: pointers to functions in the text of the module that offers
 * them.
 *
 * The two sides may know different minor versions. Each compares the hashes that both chains have.
 * The generated C header of the pair states the hashes:
 *
 * - The hash of a minor version covers the interface's name and major version, and the blocks of
 *   data, kinds of items, control codes and events of this minor version.
 * - The hash of an operation covers the hash of the operation before it, the operation's name,
 *   arguments and result.
 *
 * A hash that covers a structure covers the names, types and offsets of its fields.
 */
struct d2d_ops {
	u32 size;
	u16 major;
	u16 minor;
	u64 build;
	const u64 *chain;
};

/* "hashes" is the @chain of struct d2d_ops. */
#define D2D_OPS_INIT(type, interface_major, interface_minor, hashes)	\
	{								\
		.size = sizeof(type),					\
		.major = (interface_major),				\
		.minor = (interface_minor),				\
		.chain = (hashes) + BUILD_BUG_ON_ZERO(			\
			ARRAY_SIZE(hashes) != (interface_minor) + 1 +	\
			(sizeof(type) - sizeof(struct d2d_ops)) / sizeof(void *)), \
	}

/**
 * struct d2d_lent - memory of one side that the other side uses, too: see d2d_lent.h
 * @memory: where it begins, or NULL if nothing is lent
 * @size: bytes
 * @hash: the hash of the memory's type; the header of the pair has it
 */
struct d2d_lent {
	void *memory;
	u64 size;
	u64 hash;
};

/**
 * struct d2d_endpoint - what one side offers in a context
 * @ops: the ops table. An operation that this side does not support is NULL
 * @self: the first argument of each operation
 * @lent: the memory that this side lends the other
 *
 * The documentation of the interface says in which execution contexts the operations may be called,
 * and struct d2d_context says when.
 */
struct d2d_endpoint {
	const struct d2d_ops *ops;
	void *self;
	struct d2d_lent lent;
};

/**
 * struct d2d_item - an item of a queue
 * @next: the item after it, in its queue or on its list
 * @seq: the number of items put on this queue before it
 * @kind: the meaning of the payload, as the drivers have agreed
 * @len: bytes of payload in use
 * @reserved: 0
 * @handle: its latest handle; the next one has the next generation
 * @claim: 0 if no handle names it; see D2D_ITEM_HELD(). Changes atomically
 * @payload: the item_size bytes of struct d2d_queue
 *
 * Only the thread that has taken an item off a queue or a list uses the item. A driver passes an
 * item on by its handle: see d2d_queue.h.
 */
struct d2d_item {
	struct d2d_item *next;
	u64 seq;
	u32 kind;
	u16 len;
	u16 reserved;
	d2d_handle handle;
	d2d_handle claim;
	u8 payload[];
};

/*
 * While a handle names an item, the item's claim is the handle. After a driver in C has redeemed
 * the handle, the claim is this value, until the driver releases the item. A driver in Rust makes
 * the claim 0 instead.
 */
#define D2D_ITEM_HELD(handle)	((handle) & ~(d2d_handle)D2D_HANDLE_ITEM)

/* Fields that different CPUs use at the same time are at least this many bytes apart. */
#define D2D_CACHE_LINE	64

/**
 * struct d2d_queue - the items from one side to the other
 * @lock: protects all fields but @released
 * @high_water: the largest number of queued items so far
 * @first: the oldest queued item; undefined if @put == @taken
 * @last: the newest queued item; undefined if @put == @taken
 * @free: the first free item, or NULL
 * @put: items put so far; the seq of the next one
 * @taken: items taken so far; @put - @taken items are queued
 * @refused: items refused because the queue was full
 * @handed: 1 if handles were made since they were last revoked
 * @released: the first released item, or NULL; changes atomically
 * @pool: all items, by index
 * @capacity: items in the pool
 * @item_size: bytes of payload of each item, at most 4096
 * @doorbell: the event to set when an item is put on the empty queue, or 0
 * @stale: handles refused because they named no item
 * @id: identifies the queue among those of its owner
 *
 * All items are preallocated. Releasing takes no lock: it pushes items on the list of released
 * items. A put that finds no free item takes this whole list. The queue is full if it has neither a
 * free nor a released item.
 *
 * Putting and taking write the first cache line, releasing the second. The third is mostly read.
 */
struct d2d_queue {
	spinlock_t lock;	/* taken with interrupts disabled */
	u32 high_water;
	struct d2d_item *first;
	struct d2d_item *last;
	struct d2d_item *free;
	u64 put;
	u64 taken;
	u64 refused;
	u32 handed;
	struct d2d_item *released __aligned(D2D_CACHE_LINE);
	struct d2d_item **pool __aligned(D2D_CACHE_LINE);
	u32 capacity;
	u32 item_size;
	d2d_handle doorbell;
	u64 stale;
	u32 id;
} __aligned(D2D_CACHE_LINE);

/**
 * struct d2d_data - the blocks of data of a context: see d2d_data.h
 * @lock: either side holds it while it reads or writes any of the blocks
 * @owner_size: bytes of the owner's block
 * @peer_size: bytes of the peer's block
 * @shared_size: bytes of the block that both share
 * @blocks: the owner's block, the peer's block and the shared block, one behind the other, each
 *	at a multiple of 8 bytes
 *
 * The owner states the sizes. A newer minor version of the pair appends fields, so a block may be
 * larger than an older peer expects. The owner zeroes the peer's block before each handshake.
 */
struct d2d_data {
	spinlock_t lock;	/* taken with interrupts disabled */
	u64 owner_size;
	u64 peer_size;
	u64 shared_size;
	u64 blocks[];
};

/**
 * struct d2d_context - the memory that an owner and a peer share
 * @hdr: the header
 * @id: its number; the trace shows context 0 as "ctx=c0"
 * @reserved: 0
 * @module: the owner's module, whose text has the owner's operations
 * @owner: what the owner offers
 * @peer: what the peer offers
 * @to_peer: the items for the peer
 * @to_owner: the items for the owner
 * @data: the blocks of data, for which the owner allocates memory behind this structure
 *
 * During the handshake, the peer fills in its endpoint and data; the owner has filled in the rest.
 * As soon as the peer completes the handshake with success, the owner may call the peer's
 * operations, and use the memory that the peer lends, until d2d_detach() has returned. The peer may
 * call the owner's operations as long as it may use the context: see struct d2d_request.
 */
struct d2d_context {
	struct d2d_header hdr;
	u32 id;
	u32 reserved;
	struct module *module;
	struct d2d_endpoint owner;
	struct d2d_endpoint peer;
	struct d2d_queue to_peer;
	struct d2d_queue to_owner;
	struct d2d_data data;
};

/**
 * struct d2d_request - a request, as a driver receives it
 * @hdr: the header
 * @handle: the handle of its holder, which is this driver
 * @major_function: D2D_MJ_...
 * @code: D2D_IOCTL_..., or a code that the drivers have agreed on
 * @user_buffer: a pointer whose meaning depends on the code, or NULL
 * @driver: the handle of the receiver
 * @input_len: bytes of input
 * @output_len: room for output, in bytes
 * @input: the input in place, or NULL: see below
 * @output: the output in place, or NULL: see below
 *
 * The driver holds the request until it completes or forwards the request, or until the request is
 * cancelled: see enum d2d_ended. From then on, the handle is stale.
 *
 * d2d_request_read() reads the input, and d2d_request_write() writes the output. If the driver has
 * D2D_DISPATCH_IN_PLACE, @input and @output may point to the library's buffers; the owner sets them
 * only where it calls dispatch() in the sender's execution context. dispatch() may use these
 * buffers until it completes, pends or forwards the request, or returns. It passes the length of
 * the output to d2d_complete_with().
 *
 * A peer may use the context of a handshake until the peer completes the request, detaches or
 * unregisters, even if the handshake times out. If the owner accepts what the peer has filled in,
 * the peer may use the context until d2d_detach(). If code other than dispatch() fills in the
 * context, the peer stops that code before it calls d2d_detach().
 */
struct d2d_request {
	struct d2d_header hdr;
	d2d_handle handle;
	u32 major_function;
	u32 code;
	void *user_buffer;
	d2d_handle driver;
	u32 input_len;
	u32 output_len;
	const void *input;
	void *output;
};

/**
 * enum d2d_ended - how a request has ended, and thus where its status comes from
 * @D2D_ENDED_COMPLETED: its holder has completed it, with any status
 * @D2D_ENDED_CANCELLED: its sender has cancelled or freed it, or detaches, leaves or
 *	unregisters: -ECANCELED
 * @D2D_ENDED_TIMED_OUT: a thread that waited for it has timed out: -ETIMEDOUT
 * @D2D_ENDED_LEFT: its holder, or a driver that had forwarded it, detaches, leaves or
 *	unregisters: -ECANCELED
 * @D2D_ENDED_NOT_COMPLETED: a dispatch routine has returned without having completed, pended or
 *	forwarded it: -EIO
 *
 * A driver that has forwarded a request may complete it with the status that returned() got. Then
 * this value stays the same.
 */
enum d2d_ended {
	D2D_ENDED_COMPLETED,
	D2D_ENDED_CANCELLED,
	D2D_ENDED_TIMED_OUT,
	D2D_ENDED_LEFT,
	D2D_ENDED_NOT_COMPLETED,
};

/**
 * struct d2d_result - the result of a request
 * @information: a number whose meaning depends on the control code
 * @tag: that of struct d2d_send
 * @status: 0 or a negative errno
 * @output_len: bytes of output that were written
 * @ended: enum d2d_ended
 * @reserved: 0
 */
struct d2d_result {
	u64 information;
	u64 tag;
	s32 status;
	u32 output_len;
	u32 ended;
	u32 reserved;
};

/* The owner calls completed(). Without this flag, the sender calls d2d_request_wait(). */
#define D2D_SEND_ROUTINE	1
/* The sender cannot sleep. If the receiver's dispatch() may sleep, a worker calls it. */
#define D2D_SEND_ATOMIC		2
/* dmesg gets a line for each step of the request, also after a driver has forwarded it. */
#define D2D_SEND_TRACE		4

/**
 * struct d2d_send - how a request is sent, and to which driver
 * @hdr: the header
 * @to: the receiver; from d2d_lookup()
 * @major_function: D2D_MJ_...
 * @code: the control code
 * @input: the input, which is copied when the request is sent
 * @user_buffer: a pointer that both drivers understand, or NULL
 * @tag: any value; the result has it, too
 * @input_len: bytes of input
 * @output_len: room for output that the receiver gets, in bytes
 * @flags: D2D_SEND_...
 * @reserved: 0
 *
 * The two drivers agree how long the memory at @user_buffer exists: the receiver may use it even
 * after the request was cancelled. A driver in Rust sets only a pointer to lent memory. But it may
 * send this pointer to any driver, or forward the request with another code. So a receiver in C
 * that may get requests from drivers in Rust does not follow the pointer, but calls
 * d2d_lent_index().
 */
struct d2d_send {
	struct d2d_header hdr;
	d2d_handle to;
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

/* Other members may follow, as in ".tag = 1". */
#define D2D_SEND_INIT(target, control_code, ...)				\
	{									\
		.hdr = D2D_HEADER_INIT(D2D_SEND_MAGIC, struct d2d_send),	\
		.to = (target),							\
		.major_function = D2D_MJ_INTERNAL_DEVICE_CONTROL,		\
		.code = (control_code),						\
		__VA_ARGS__							\
	}

/* dispatch() does not sleep, and may be called in any execution context but NMI. */
#define D2D_DISPATCH_ATOMIC	1
/*
 * dispatch() uses the buffers of requests in place. If it leaves a request pending, it calls
 * d2d_request_pend() before another thread can complete the request. If the request is cancelled or
 * times out while dispatch() uses the buffers, the owner delivers it when dispatch() has returned.
 */
#define D2D_DISPATCH_IN_PLACE	2

/* The most drivers that can be registered with an owner, including its own driver object. */
#define D2D_MAX_DRIVERS		128

/* X(group): a group of hot steps (d2d_step.h). The steps of a group share one static key. */
#define D2D_GROUPS(X)	X(queues) X(ops) X(requests) X(events)
#define D2D_COUNT_GROUP(group)	+ 1
enum { D2D_GROUP_COUNT = 0 D2D_GROUPS(D2D_COUNT_GROUP) };

/* This module's static keys, which D2D_OWNER() defines: see d2d_hot_step.h. */
struct d2d_hot_keys;
extern struct d2d_hot_keys d2d_own_hot_keys;
#define D2D_HOT_KEYS	(&d2d_own_hot_keys)

/**
 * struct d2d_driver - a driver object
 * @hdr: the header
 * @name: the name, with a NUL
 * @owner: the driver's module
 * @self: the first argument of the routines
 * @dispatch: receives a request. Process context, may sleep, unless @flags say otherwise. It
 *	completes the request by d2d_complete() and returns the same status. It returns
 *	-D2D_STATUS_PENDING if it has forwarded the request, or if the driver completes it later.
 * @returned: receives a request that the driver has forwarded with D2D_SEND_ROUTINE. The
 *	driver holds the request again, by a new handle; result has the result so far. The
 *	routine returns the status with which the owner completes the request, or
 *	-D2D_STATUS_PENDING, as @dispatch does. If the request was cancelled, the handle is
 *	stale, and the owner ignores the return value.
 * @completed: receives a request that the driver has sent with D2D_SEND_ROUTINE, and its
 *	result. If it returns 0, the owner frees the request. If it returns
 *	D2D_MORE_PROCESSING_REQUIRED, the driver keeps the request, and may send it again at once.
 * @cancelled: tells the driver that a request which it held was cancelled. Only called for a
 *	request for which the driver has called d2d_request_set_cancel(). The handle is stale, and
 *	only tells which request it was.
 * @hot_keys: D2D_HOT_KEYS, in the module's data. The owner switches these keys until
 *	d2d_unregister() has returned. With NULL, the owner does not trace the hot steps in the
 *	module's own code
 * @flags: D2D_DISPATCH_...
 * @reserved: 0
 *
 * The routines and @self have to stay valid until d2d_unregister() has returned. All routines but
 * @dispatch may be NULL.
 *
 * The owner calls @returned, @completed and @cancelled in the execution context in which the
 * request is completed or cancelled, which may be any. If such a routine sends or forwards a
 * request that is completed at once, the owner may call another routine before this one returns.
 * Each request inside another takes 2 to 3 KiB of the 16 KiB of a kernel thread's stack, so limit
 * how deep requests nest. A routine may not detach or unregister any driver (-EDEADLK). If more
 * than 64 threads are inside one driver's routines, such a call may wait for itself instead.
 *
 * A module unregisters its drivers in its exit, and if its initialization fails. If the module
 * forgets a driver, the owner expels the driver before the kernel frees the module's text, and
 * prints a line. But the owner cannot stop a thread, a timer or a work item of the module: if one
 * still runs, it returns to freed text.
 *
 * A routine may not load or unload a module, nor wait for a thread that does so, as
 * request_module() does: it might never return. The owner's module notifier may wait for the
 * routine while the kernel holds the lock of the notifier chain, which loading and unloading take.
 */
struct d2d_driver {
	struct d2d_header hdr;
	char name[D2D_NAME_SIZE];
	struct module *owner;
	void *self;
	int (*dispatch)(void *self, const struct d2d_request *request);
	int (*returned)(void *self, const struct d2d_request *request,
			const struct d2d_result *result);
	int (*completed)(void *self, d2d_handle request, const struct d2d_result *result);
	void (*cancelled)(void *self, d2d_handle request);
	struct d2d_hot_keys *hot_keys;
	u32 flags;
	u32 reserved;
};

/* The other members follow, as in ".dispatch = dispatch". */
#define D2D_DRIVER_INIT(driver_name, ...)					\
	{									\
		.hdr = D2D_HEADER_INIT(D2D_DRIVER_MAGIC, struct d2d_driver),	\
		.name = driver_name,						\
		.owner = THIS_MODULE,						\
		.hot_keys = D2D_HOT_KEYS,					\
		__VA_ARGS__							\
	}

/*
 * The compiler checks the layout in each C file. For Rust, bindgen writes assertions of all sizes
 * and offsets. Of these types, only the size of a spinlock depends on the kernel's configuration.
 */
#define D2D_LOCK	ALIGN(sizeof(spinlock_t), 8)
#define D2D_QUEUE_FIRST	ALIGN(sizeof(spinlock_t) + 4, 8)
#define D2D_QUEUE_RELEASED	ALIGN(D2D_QUEUE_FIRST + 52, D2D_CACHE_LINE)
#define D2D_QUEUE	(D2D_QUEUE_RELEASED + 2 * D2D_CACHE_LINE)
static_assert(sizeof(struct d2d_header) == 16);
static_assert(sizeof(struct d2d_ops) == 24);
static_assert(sizeof(struct d2d_lent) == 24);
static_assert(sizeof(struct d2d_endpoint) == 40);
static_assert(offsetof(struct d2d_item, payload) == 40);
static_assert(offsetof(struct d2d_queue, first) == D2D_QUEUE_FIRST);
static_assert(offsetof(struct d2d_queue, released) == D2D_QUEUE_RELEASED);
static_assert(offsetof(struct d2d_queue, pool) == D2D_QUEUE_RELEASED + D2D_CACHE_LINE);
static_assert(sizeof(struct d2d_queue) == D2D_QUEUE);
static_assert(offsetof(struct d2d_data, owner_size) == D2D_LOCK);
static_assert(offsetof(struct d2d_data, blocks) == D2D_LOCK + 24);
static_assert(sizeof(struct d2d_data) == D2D_LOCK + 24);
static_assert(offsetof(struct d2d_context, owner) == 32);
static_assert(offsetof(struct d2d_context, peer) == 72);
static_assert(offsetof(struct d2d_context, to_peer) == 128);
static_assert(offsetof(struct d2d_context, to_owner) == 128 + D2D_QUEUE);
static_assert(offsetof(struct d2d_context, data) == 128 + 2 * D2D_QUEUE);
static_assert(sizeof(struct d2d_request) == 72);
static_assert(offsetof(struct d2d_result, ended) == 24);
static_assert(sizeof(struct d2d_result) == 32);
static_assert(offsetof(struct d2d_send, tag) == 48);
static_assert(sizeof(struct d2d_send) == 72);
static_assert(offsetof(struct d2d_driver, dispatch) == 64);
static_assert(sizeof(struct d2d_driver) == 112);

/*
 * D2D_LAYOUT: a hash (FNV-1a over 32-bit words) of the sizes and offsets of the structures above,
 * and of the number of static keys. Clang accepts at most 256 nested brackets, and each field here
 * has three. So the hash of the first structures is an enum constant, D2D_LAYOUT_SHARED. D2D_LAYOUT
 * is an enum constant, too, because bindgen evaluates no macro that contains the name of a type.
 */
#define D2D_MIX(hash, value)	(((hash) ^ (u32)(value)) * 0x01000193u)
#define D2D_SIZE(hash, type)	D2D_MIX(hash, sizeof(struct type))
#define D2D_AT(hash, type, field)	D2D_MIX(hash, offsetof(struct type, field))

#define D2D_LAYOUT_HEADER	D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_SIZE(0x811c9dc5u, \
	d2d_header), d2d_header, magic), d2d_header, size), d2d_header, major), \
	d2d_header, minor), d2d_header, layout)
#define D2D_LAYOUT_OPS		D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_SIZE(D2D_LAYOUT_HEADER, \
	d2d_ops), d2d_ops, size), d2d_ops, major), d2d_ops, minor), \
	d2d_ops, build), d2d_ops, chain)
#define D2D_LAYOUT_LENT		D2D_AT(D2D_AT(D2D_AT(D2D_SIZE(D2D_LAYOUT_OPS, \
	d2d_lent), d2d_lent, memory), d2d_lent, size), d2d_lent, hash)
#define D2D_LAYOUT_ENDPOINT	D2D_AT(D2D_AT(D2D_AT(D2D_SIZE(D2D_LAYOUT_LENT, \
	d2d_endpoint), d2d_endpoint, ops), d2d_endpoint, self), d2d_endpoint, lent)
#define D2D_LAYOUT_ITEM \
	D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_SIZE(D2D_LAYOUT_ENDPOINT, \
	d2d_item), d2d_item, next), d2d_item, seq), d2d_item, kind), d2d_item, len), \
	d2d_item, handle), d2d_item, claim), d2d_item, payload)
#define D2D_LAYOUT_QUEUE_LISTS \
	D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_SIZE(D2D_LAYOUT_ITEM, \
	d2d_queue), d2d_queue, lock), d2d_queue, high_water), d2d_queue, first), \
	d2d_queue, last), d2d_queue, free), d2d_queue, put), d2d_queue, taken), \
	d2d_queue, refused)
#define D2D_LAYOUT_QUEUE \
	D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_LAYOUT_QUEUE_LISTS, \
	d2d_queue, handed), d2d_queue, released), d2d_queue, pool), d2d_queue, \
	capacity), d2d_queue, item_size), d2d_queue, doorbell), d2d_queue, stale), \
	d2d_queue, id)
#define D2D_LAYOUT_DATA		D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_SIZE(D2D_LAYOUT_QUEUE, \
	d2d_data), d2d_data, lock), d2d_data, owner_size), d2d_data, peer_size), \
	d2d_data, shared_size), d2d_data, blocks)
#define D2D_LAYOUT_CONTEXT	D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_SIZE( \
	D2D_LAYOUT_DATA, d2d_context), d2d_context, hdr), d2d_context, id), \
	d2d_context, module), d2d_context, owner), d2d_context, peer), \
	d2d_context, to_peer), d2d_context, to_owner), d2d_context, data)
enum { D2D_LAYOUT_SHARED = D2D_LAYOUT_CONTEXT };
#define D2D_LAYOUT_REQUEST	D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT( \
	D2D_AT(D2D_AT(D2D_SIZE((u32)D2D_LAYOUT_SHARED, d2d_request), d2d_request, hdr), \
	d2d_request, handle), d2d_request, major_function), d2d_request, code), \
	d2d_request, user_buffer), d2d_request, driver), d2d_request, input_len), \
	d2d_request, output_len), d2d_request, input), d2d_request, output)
#define D2D_LAYOUT_RESULT	D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_SIZE( \
	D2D_LAYOUT_REQUEST, d2d_result), d2d_result, information), d2d_result, tag), \
	d2d_result, status), d2d_result, output_len), d2d_result, ended)
#define D2D_LAYOUT_SEND		D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT( \
	D2D_AT(D2D_AT(D2D_SIZE(D2D_LAYOUT_RESULT, d2d_send), d2d_send, hdr), \
	d2d_send, to), d2d_send, major_function), d2d_send, code), d2d_send, input), \
	d2d_send, user_buffer), d2d_send, tag), d2d_send, input_len), \
	d2d_send, output_len), d2d_send, flags)
#define D2D_LAYOUT_DRIVER	D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT( \
	D2D_AT(D2D_AT(D2D_SIZE(D2D_LAYOUT_SEND, d2d_driver), d2d_driver, hdr), \
	d2d_driver, name), d2d_driver, owner), d2d_driver, self), \
	d2d_driver, dispatch), d2d_driver, returned), d2d_driver, completed), \
	d2d_driver, cancelled), d2d_driver, hot_keys), d2d_driver, flags)
enum { D2D_LAYOUT = D2D_MIX(D2D_LAYOUT_DRIVER, D2D_GROUP_COUNT) };

/**
 * DOC: The functions of an owner
 *
 * A peer names its owner once (d2d_table.h), and calls the functions below. All return 0 or a
 * negative errno. A refusal also prints one trace line with the reason: see docs/refusals.md. A
 * call that has lost a race prints no line: it returns -ECANCELED, or -EALREADY if it is
 * d2d_request_cancel().
 *
 * All return -ENODEV if the owner is being unloaded, -ESTALE if the handle is stale, and -EFAULT
 * for a bad pointer. The lists of errors below leave these out.
 *
 * A function may be called in any context, unless its comment says otherwise. "Any context" is
 * every execution context in which a spinlock_t may be taken: task, softirq and hard interrupt. It
 * excludes NMI, code that holds a raw_spinlock_t, and the callback of a timer of
 * HRTIMER_MODE_..._HARD (lockdep: "Invalid wait context").
 *
 * A pointer is bad if it is misaligned or not a kernel address, or if the owner cannot read or
 * write the memory. A call checks first that it can write its results, so a call that is refused
 * changes nothing. If the memory for a result disappears during the call, the owner undoes what the
 * call has registered, allocated or opened.
 *
 * d2d_lookup(), d2d_request_alloc(), d2d_request_set_cancel() and d2d_request_pend() call no
 * routine of a driver. Do not call another function with a lock held that a routine takes: it may
 * call routines of any driver before it returns. Even d2d_request_read() does so if the request is
 * cancelled meanwhile.
 */

/**
 * d2d_register() - register a driver object
 * @driver: the driver object, which the owner copies
 * @handle: where to store the handle of the driver
 *
 * Context: Task, may sleep. Takes cpus_read_lock(): do not call it in a callback of CPU hotplug,
 * or with a lock held that such a callback takes.
 *
 * Return: 0, or
 * * %-EFAULT - also if @dispatch or @owner of struct d2d_driver is NULL
 * * %-EBADMSG, %-EPROTO, %-EMSGSIZE, %-EBADE - the header: magic, major version, size, layout
 * * %-ENAMETOOLONG - the name has no NUL
 * * %-EINVAL - unknown flags, or a name that is empty or has a character that is not visible ASCII
 * * %-ENOEXEC - a routine outside the module's text, or in its init text; hot_keys outside its data
 * * %-ENOTUNIQ - a driver of this name is registered
 * * %-ENFILE - too many drivers
 * * %-ESHUTDOWN - the module is being unloaded
 */
int d2d_register(const struct d2d_driver *driver, d2d_handle *handle);

/**
 * d2d_attach() - ask the owner to share a context with a driver
 * @driver: the driver
 *
 * The owner sends the driver the request of a handshake. If the driver completes this request after
 * the owner's timeout, d2d_complete() returns -ESTALE.
 *
 * Context: Task, may sleep.
 *
 * Return: the status with which the driver completes the request, or
 * * %-EINPROGRESS - the driver has pended it, and the owner does not wait (D2D_LEARN_ROUTINE)
 * * %-ESHUTDOWN - the driver is being unregistered
 * * %-EALREADY - the driver has a context, or is attaching
 * * %-EBUSY - no context is free
 * * %-EIO - dispatch() has returned without having completed or pended the request
 * * %-ETIMEDOUT - the driver has not completed the request in time
 * * %-ECANCELED - the driver was detached meanwhile
 * * %-ENOMEM - no memory
 * * %-EAGAIN - too many requests
 * * %-EFAULT - the memory that the driver lends is empty or cannot be read, or the ops table is
 *   missing, misaligned or cannot be read
 * * %-EPROTO, %-EMSGSIZE, %-EBADR, %-EXDEV - the table's major version, size, operations or build
 * * %-ENOEXEC - an operation outside the text of the driver's module
 */
int d2d_attach(d2d_handle driver);

/**
 * d2d_detach() - detach a driver from its context
 * @driver: the driver
 *
 * Cancels the requests that the driver holds, and those that it has sent. Returns when no thread
 * is inside the driver's operations on behalf of the owner, and none will enter them again.
 *
 * d2d_detach() waits for threads inside the driver's operations, and inside routines that have one
 * of these requests or the handshake. Such a thread may itself wait for a request or an event. So
 * after 100 ms (10 ms for a routine), and then again and again, d2d_detach() cancels the driver's
 * requests, and ends the waits for its events with -ECANCELED. The event handles stay open.
 *
 * Context: Task, may sleep. Do not call it inside an operation, or with a lock held that an
 * operation takes: the call would never return. lockdep reports that.
 *
 * Return: 0, or
 * * %-EDEADLK - called from inside a routine of a driver object
 * * %-ENOTCONN - the driver is not attached
 * * %-EALREADY - the driver is being detached
 */
int d2d_detach(d2d_handle driver);

/**
 * d2d_leave() - begin to unregister a driver, which may be attached
 * @driver: the driver
 *
 * A driver calls d2d_leave() before it stops its own work items, threads and timers, if these may
 * wait for events or requests. After that, it calls d2d_detach() and d2d_unregister().
 *
 * The owner ends with -ECANCELED the waits that were begun with the driver's event handles, and
 * cancels the requests that the driver holds or has sent. From then on, the owner accepts no
 * request to or from the driver, opens no event for it, offers it no context, and refuses waits
 * whose timeout is not 0. The driver's routines can still set, reset and query events.
 *
 * d2d_leave() waits only for the handlers of the driver's events, and for threads that are sending
 * one of the driver's requests.
 *
 * Context: Task, may sleep.
 *
 * Return: 0, also if it was called before.
 */
int d2d_leave(d2d_handle driver);

/**
 * d2d_unregister() - unregister a driver, which must not be attached
 * @driver: the driver
 *
 * Ends the waits for the driver's events and cancels its requests, as d2d_leave() does. Frees the
 * driver's requests. Closes the driver's events last: its routines may use them. Returns when
 *
 * - none of the driver's routines runs any more,
 * - no returned() or cancelled() routine of another driver runs for one of these requests, and
 * - each thread that waited for one of these requests has a result.
 *
 * A dispatch routine of another driver may still run for a request that this driver has sent. The
 * memory at user_buffer has to exist until that routine has returned.
 *
 * Context: Task, may sleep. Takes cpus_read_lock(), as d2d_register().
 *
 * Return: 0, or
 * * %-EDEADLK - called from inside a routine of a driver object
 * * %-EBUSY - the driver is attached, or is being offered a context
 * * %-EALREADY - the driver is being unregistered
 */
int d2d_unregister(d2d_handle driver);

/**
 * d2d_lookup() - find a driver by its name
 * @name: the name; the owner's own name finds the owner
 * @driver: where to store the handle, a target for d2d_request_send()
 *
 * The target need not be released. It is stale once the driver is unregistered.
 *
 * Return: 0, or
 * * %-ENAMETOOLONG - no NUL within D2D_NAME_SIZE bytes
 * * %-ENOENT - no such driver
 */
int d2d_lookup(const char *name, d2d_handle *driver);

/**
 * d2d_request_alloc() - allocate a request
 * @driver: the sender, to which the request belongs
 * @input_size: room for input, in bytes
 * @output_size: room for output, in bytes
 * @request: where to store the handle of the request
 *
 * Context: Task, may sleep.
 *
 * Return: 0, or
 * * %-ESHUTDOWN - the driver is leaving
 * * %-EMSGSIZE - more than D2D_BUFFER_SIZE
 * * %-EAGAIN - too many requests
 * * %-ENOMEM - no memory
 */
int d2d_request_alloc(d2d_handle driver, u32 input_size, u32 output_size, d2d_handle *request);

/**
 * d2d_request_send() - send a request
 * @request: the request, with its sender's handle
 * @send: how it is sent, and to which driver
 *
 * At most 1024 workers call dispatch() for senders that cannot sleep. If each of these workers
 * waits for a request that needs a worker, none goes on. While a dispatch() runs that a worker has
 * called, no worker calls another one for the same request, even if the first has completed it.
 *
 * Context: Any context with D2D_SEND_ATOMIC. Otherwise it may sleep, as dispatch() may.
 *
 * Return: 0 if the request is completed: d2d_request_wait() has the result at once, or, with
 * D2D_SEND_ROUTINE, completed() was called or is being called. %-EINPROGRESS if the request is not
 * completed yet. With any other value, it was not sent:
 * * %-EBADMSG, %-EPROTO, %-EMSGSIZE, %-EBADE - the header, as for d2d_register()
 * * %-EMSGSIZE - more input or output than the request has room for
 * * %-EINVAL - a code that only the owner may send, an unknown flag or function, or
 *   D2D_SEND_ROUTINE without completed() (but see struct d2d_owner)
 * * %-ESTALE - also if the target is unregistered
 * * %-ESHUTDOWN - either driver is leaving
 * * %-EDEADLK - without D2D_SEND_ATOMIC where the caller must not sleep. Without
 *   CONFIG_PREEMPT_COUNT, the owner does not notice a spinlock that is held with interrupts enabled
 * * %-EBUSY - the request has not come back, its output is being read, or a thread that waits for
 *   it has not got its result
 * * %-EBUSY - it was cancelled because a driver left, and a dispatch routine still uses its buffers
 */
int d2d_request_send(d2d_handle request, const struct d2d_send *send);

/**
 * d2d_request_call() - send a request, wait for it and copy its output
 * @request: the request, with its sender's handle
 * @send: how it is sent, and to which driver
 * @ms: the limit of the wait, as that of d2d_request_wait()
 * @result: where to store the result
 * @output: where to copy the output of a request that was completed with success
 * @output_len: room at @output, in bytes; without room for all of the output, none is copied
 *
 * Context: With D2D_SEND_ATOMIC, any context, and the call does not wait. Otherwise it may sleep.
 *
 * Return: 0 if @result has the result. %-EINPROGRESS if the request was sent, and has no result
 * yet. With any other value, it was not sent:
 * * the errors of d2d_request_send()
 * * %-EINVAL - also with D2D_SEND_ROUTINE
 * * %-EFAULT - also if @output or @result cannot be written. If this memory disappears after the
 *   request was sent, the request is completed nevertheless
 */
int d2d_request_call(d2d_handle request, const struct d2d_send *send, u32 ms,
		     struct d2d_result *result, void *output, u32 output_len);

/**
 * d2d_request_wait() - wait for a request that was sent without D2D_SEND_ROUTINE
 * @request: the request, with its sender's handle
 * @ms: the limit in milliseconds, counted in the kernel's ticks, or D2D_FOREVER. A wait that
 *	reaches its limit cancels the request, which gets the status -ETIMEDOUT
 * @result: where to store the result
 *
 * Several threads may wait for one request. All of them get the same result, however the request
 * ends. Until all have it, sending the request again returns -EBUSY.
 *
 * Context: Any context if the request is completed. Otherwise it may sleep.
 *
 * Return: 0 if @result has the result, or
 * * %-EINPROGRESS - at the limit, another thread was delivering the request. One second later, that
 *   thread was still inside a routine of a driver. The caller may wait again, or free the request.
 *   This prints no line
 * * %-EDEADLK - the caller must not sleep (see d2d_request_send()), or is inside returned() or
 *   cancelled() of this request, or inside a dispatch() that uses its buffers in place, or that has
 *   to return before a worker can call the receiver's dispatch()
 * * %-ENODATA - the request was not sent
 * * %-EINVAL - it was sent with D2D_SEND_ROUTINE
 * * %-EAGAIN - 63 threads wait for it
 */
int d2d_request_wait(d2d_handle request, u32 ms, struct d2d_result *result);

/**
 * d2d_request_cancel() - cancel a request, which gets the status -ECANCELED
 * @request: the request, with its sender's handle
 *
 * Return: 0, or
 * * %-EALREADY - it was completed or cancelled before, is being completed, or is not on its way
 */
int d2d_request_cancel(d2d_handle request);

/**
 * d2d_request_free() - free a request
 * @request: the request, with its sender's handle
 *
 * Cancels the request first, if it has not come back. The owner does not call completed() any
 * more; a call that has begun may still run, and d2d_unregister() waits for it.
 *
 * Return: 0, or
 * * %-EBUSY - another thread is just sending it
 */
int d2d_request_free(d2d_handle request);

/**
 * d2d_request_read() - copy the input, or the output of a completed request
 * @request: the receiver's handle for the input, the sender's handle for the output
 * @buffer: where to copy it
 * @len: the number of bytes
 *
 * Return: 0, or
 * * %-ECANCELED - the request was cancelled
 * * %-EMSGSIZE - more bytes than there are
 * * %-EBUSY - the request has not come back, or 62 threads copy from or to its buffers
 */
int d2d_request_read(d2d_handle request, void *buffer, u32 len);

/**
 * d2d_request_write() - replace the output
 * @request: the request, with its receiver's handle
 * @buffer: the output; ignored if @len is 0
 * @len: the number of bytes
 *
 * Return: 0, or
 * * %-EFAULT - a bad pointer: then there is no output
 * * %-ECANCELED - the request was cancelled
 * * %-EMSGSIZE - more bytes than there is room for
 * * %-EBUSY - 62 threads copy from or to its buffers
 */
int d2d_request_write(d2d_handle request, const void *buffer, u32 len);

/**
 * d2d_request_set_cancel() - have cancelled() called if the request is cancelled from now on
 * @request: the request, with its receiver's handle
 *
 * Return: 0, or
 * * %-ECANCELED - the request is cancelled already
 * * %-EINVAL - the driver has no such routine
 */
int d2d_request_set_cancel(d2d_handle request);

/**
 * d2d_request_pend() - leave a request pending: see D2D_DISPATCH_IN_PLACE
 * @request: the request, with its receiver's handle
 *
 * Return: 0, or
 * * %-ECANCELED - the request was cancelled: the owner delivers it when dispatch() has returned
 */
int d2d_request_pend(d2d_handle request);

/**
 * d2d_request_forward() - forward a request to another driver
 * @request: the request, with its receiver's handle, which is stale after success
 * @send: the target, the code and the flags; the owner ignores the other members. With
 *	D2D_SEND_ROUTINE, the owner calls returned() when the request comes back
 *
 * A dispatch routine may not wait for the end of a request that it has forwarded.
 *
 * Context: Any context with D2D_SEND_ATOMIC. Otherwise it may sleep.
 *
 * Return: as d2d_request_send(), or
 * * %-E2BIG - it was forwarded too often (D2D_STACK_SIZE)
 * * %-EINVAL - also for the request of a handshake
 * * %-ECANCELED - the request was cancelled
 */
int d2d_request_forward(d2d_handle request, const struct d2d_send *send);

/**
 * d2d_complete() - complete a request
 * @request: the request, with its receiver's handle
 * @status: 0 or a negative errno, but not -EINPROGRESS or -EIOCBQUEUED. With another value, the
 *	owner prints a refusal, and completes the request with -EIO
 * @information: a number for the sender; its meaning depends on the control code
 *
 * Return: 0, or
 * * %-ESTALE - also if the request was completed before
 * * %-ECANCELED - it was cancelled
 * * for the request of a handshake, the error with which the owner refuses what the driver has
 *   filled in: see d2d_attach()
 */
int d2d_complete(d2d_handle request, int status, u64 information);

/**
 * d2d_complete_with() - complete a request whose output was written in place
 * @request: the request, with its receiver's handle
 * @status: as for d2d_complete()
 * @information: as for d2d_complete()
 * @output_len: the bytes of output that were written
 *
 * Return: as d2d_complete(), or
 * * %-EMSGSIZE - more bytes than there is room for
 */
int d2d_complete_with(d2d_handle request, int status, u64 information, u32 output_len);

#endif /* D2D_H */
