/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: everything that crosses the boundary between the driver
 * that owns the shared contexts (module_a) and a driver that adopts one.
 *
 * This header is the source of the boundary. C drivers include it; the Rust
 * types are made from it by bindgen during the build (the crate d2d_abi).
 *
 * Vocabulary, with the Windows counterpart:
 *   owner            the driver that allocates the contexts (module_a)
 *   peer             the driver that adopts one
 *   driver object    DRIVER_OBJECT: name, dispatch routine, owner module
 *   request          IRP: an internal device control, with buffers or with a context
 *   shared context   the block of non-paged memory both drivers know
 *   endpoint         what one side offers in a context: functions and data
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
#error "d2d: without SMP a spinlock excludes nobody, not even a thread that has it already"
#endif

/*
 * Version of all that is in this file but the ops tables, which have versions of
 * their own. Majors must be equal, as must the layout (D2D_LAYOUT); a minor tells
 * of what a field may contain.
 */
#define D2D_ABI_MAJOR		1
#define D2D_ABI_MINOR		0

/* Magic numbers, one for each kind of object ("DRVO", "REQU", "CTXB", "SEND"). */
#define D2D_DRIVER_MAGIC	0x4f565244u
#define D2D_REQUEST_MAGIC	0x55514552u
#define D2D_CONTEXT_MAGIC	0x42585443u
#define D2D_SEND_MAGIC		0x444e4553u

/* Longest driver name including the terminating NUL, in bytes. */
#define D2D_NAME_SIZE		32
/* Plain data each side can publish in a context, in bytes. */
#define D2D_DATA_SIZE		64

/* Most bytes of input, and of output, of a request. */
#define D2D_BUFFER_SIZE		4096
/* Stack locations of a request: drivers that it can be with, one below the other. */
#define D2D_STACK_SIZE		4

/* Function codes of a request; the numbers are those of the IRP_MJ_ codes. */
#define D2D_MJ_INTERNAL_DEVICE_CONTROL	0x0f

/*
 * Control codes are made like CTL_CODE(FILE_DEVICE_UNKNOWN, function, ...). Buffers
 * are copied (METHOD_BUFFERED); NEITHER says that user_buffer is what matters.
 */
#define D2D_METHOD_BUFFERED	0
#define D2D_METHOD_NEITHER	3
#define D2D_CTL_CODE(function, method)	((0x22u << 16) | ((function) << 2) | (method))
/*
 * "Here is a context": user_buffer points to a struct d2d_context. Only the owner
 * sends it.
 */
#define D2D_IOCTL_SHARE_CONTEXT	0x00222003u

/* Returned by a dispatch routine that completes the request later. */
#define D2D_STATUS_PENDING	529	/* -EIOCBQUEUED */
/* Returned by a completion routine that keeps the request. */
#define D2D_MORE_PROCESSING_REQUIRED	1

/* A wait without an end, in place of milliseconds. 2^31 ms (24.8 days) and more mean the same. */
#define D2D_FOREVER		0xffffffffu

/*
 * Names one thing of one kind, never an address. 0 names nothing. Every function
 * refuses a handle of another kind, or one whose thing is gone, with -ESTALE, and
 * touches nothing. A driver keeps handles, passes them on and compares them; only the
 * library takes them apart:
 *
 *	bits 63..32	generation, never 0 but for a HELD request
 *	bit 31		set: an item
 *	  bits 30..24	the id of its queue
 *	  bits 23..0	its index in the queue's pool
 *	bit 31		clear: anything else
 *	  bits 30..28	the kind, one of enum d2d_handle_kind
 *	  bits 27..0	an index
 *
 * A generation counts to 2^32 - 1, and then begins with 1 again, that of a HELD request
 * with 0. It counts, for a driver, a target, a SENT request or an item, the things that
 * had this index; for an event, all that were opened; for a HELD request, each time that
 * the requests of this index were made, sent, forwarded or returned. A driver that keeps
 * a stale handle for that long may find that it names another thing of its kind.
 */
typedef u64 d2d_handle;

#define D2D_HANDLE_ITEM		0x80000000u
#define D2D_ITEM_INDEX_BITS	24
#define D2D_HANDLE_KIND_SHIFT	28

enum d2d_handle_kind {
	D2D_HANDLE_DRIVER = 1,	/* from d2d_register() */
	D2D_HANDLE_TARGET,	/* from d2d_lookup() */
	D2D_HANDLE_EVENT,	/* from d2d_event_create() and d2d_event_open() */
	D2D_HANDLE_SENT,	/* a request, as its sender has it */
	D2D_HANDLE_HELD,	/* a request, as the driver that it was sent to has it */
};

/* First member of every object that crosses the boundary. 16 bytes. */
struct d2d_header {
	u32 magic;	/* D2D_..._MAGIC of the object's kind */
	u32 size;	/* sizeof the whole object as its maker knows it */
	u16 major;	/* D2D_ABI_MAJOR */
	u16 minor;	/* D2D_ABI_MINOR */
	u32 layout;	/* D2D_LAYOUT: both sides lay the boundary out alike */
};

/* The header of an object: its magic number and its type. */
#define D2D_HEADER_INIT(object_magic, type)	\
	{					\
		.magic = (object_magic),	\
		.size = sizeof(type),		\
		.major = D2D_ABI_MAJOR,		\
		.minor = D2D_ABI_MINOR,		\
		.layout = D2D_LAYOUT,		\
	}

/*
 * First member of every ops table, which is made of pointers to functions of
 * its maker's module after it.
 *
 * The chain proves that of two tables of different lengths the shorter one is a
 * prefix of the longer. Its first entry is a hash of the interface's name and
 * major version; each next entry, one for each operation, is a hash of the entry
 * before it and the operation's name and signature. The hashes of an interface
 * are stated in its header (d2d_pair.h); its Rust trait, from which they are
 * made, does not compile if they are wrong.
 *
 * Of struct types in a signature the hash knows name, size and alignment. An
 * interface for which that is not enough has a build: what drivers have in common
 * that were built from the same sources by the same compiler, otherwise 0.
 */
struct d2d_ops {
	u32 size;	/* sizeof the whole table as its maker knows it */
	u16 major;	/* version of this interface, majors must be equal */
	u16 minor;	/* a newer minor only appends operations */
	u64 build;	/* has to be equal on both sides */
	const u64 *chain;	/* the hash of the interface, and one for each operation */
};

/* The first member of an ops table of this type, for an interface without a build. */
#define D2D_OPS_INIT(type, interface_major, interface_minor, hashes)	\
	{								\
		.size = sizeof(type),					\
		.major = (interface_major),				\
		.minor = (interface_minor),				\
		.chain = (hashes),					\
	}

/*
 * What one side offers in a context. An operation is called with self as its
 * first argument; a NULL operation is one that the side does not support.
 */
struct d2d_endpoint {
	const struct d2d_ops *ops;
	void *self;
};

/*
 * An item is in one place: queued, on one of the two lists of items without a use, named
 * by a handle, or with the driver that has taken it. The thread that takes it from there
 * has it alone. A driver that passes it on to other code names it by a handle: see
 * d2d_queue.h.
 */
struct d2d_item {
	struct d2d_item *next;	/* the item after it, in its queue or on its list */
	u64 seq;	/* counts the items put on this queue, from 0 */
	u32 kind;	/* meaning of the payload, up to the drivers */
	u16 len;	/* bytes of payload in use */
	u16 reserved;	/* 0 */
	d2d_handle handle;	/* the last one made of it: each has the next generation */
	d2d_handle claim;	/* 0: no handle names it; see D2D_ITEM_HELD. Changes atomically */
	u8 payload[];	/* item_size bytes */
};

/*
 * The claim of an item that a driver in C uses, which has redeemed this handle. While the
 * handle is on its way to the driver that redeems it, the claim is the handle itself.
 */
#define D2D_ITEM_HELD(handle)	((handle) & ~(d2d_handle)D2D_HANDLE_ITEM)

/* Fields that are not used together are that far apart. */
#define D2D_CACHE_LINE	64

/*
 * One direction of item traffic. The lock is taken with interrupts disabled
 * (spin_lock_irqsave), so that any context can put and take. All items are
 * preallocated: when none is free and none was released, the queue is full.
 *
 * Taking and putting an item use the first cache line. Releasing an item takes no lock,
 * and uses the second one: items are pushed on the list one by one or several at once,
 * and taken off all together, by a put that finds no free one. The third one is mostly
 * read.
 */
struct d2d_queue {
	spinlock_t lock;	/* protects all below but released */
	u32 high_water;		/* largest number of queued items so far */
	struct d2d_item *first;	/* the oldest of put - taken queued items, if there is one */
	struct d2d_item *last;	/* the newest of them */
	struct d2d_item *free;	/* the first of the free ones, or NULL */
	u64 put;		/* items put, also the next item's seq */
	u64 taken;
	u64 refused;		/* items refused because the queue was full */
	u32 handed;		/* not 0: handles were made since they were last revoked */
	struct d2d_item *released	/* the first of the released ones, or NULL */
		__aligned(D2D_CACHE_LINE);
	struct d2d_item **pool	/* all items, by index */
		__aligned(D2D_CACHE_LINE);
	u32 capacity;		/* items in all */
	u32 item_size;		/* bytes of payload of each item, at most 4096 */
	d2d_handle doorbell;	/* event to set when there is an item again, or 0: none */
	u64 stale;		/* handles refused because they name no item */
	u32 id;			/* tells the queues of an owner apart, in handles */
} __aligned(D2D_CACHE_LINE);

/* Plain data of both sides, read and written under the lock by either. */
struct d2d_data {
	spinlock_t lock;	/* taken with interrupts disabled */
	u64 owner[D2D_DATA_SIZE / sizeof(u64)];
	u64 peer[D2D_DATA_SIZE / sizeof(u64)];
};

/*
 * The shared context. The owner allocates and fills it, except for the peer
 * endpoint and the peer's data, which the peer fills in during the handshake.
 */
struct d2d_context {
	struct d2d_header hdr;
	u32 id;			/* n in "ctx=cn" of the trace */
	u32 reserved;		/* 0 */
	struct module *module;	/* the owner's; its operations are in its text */
	struct d2d_endpoint owner;
	struct d2d_endpoint peer;
	struct d2d_queue to_peer;
	struct d2d_queue to_owner;
	struct d2d_data data;
};

/*
 * A request as a driver receives it. It is the driver's, and its handle names it, until
 * the driver has completed or forwarded it, or it was taken back: cancelled by its
 * sender, or because somebody leaves. From then on the handle is stale, whatever
 * becomes of the request.
 *
 * Input is read by d2d_request_read(), output written by d2d_request_write(). The dispatch
 * routine of a driver with D2D_DISPATCH_IN_PLACE may also use the library's buffers in
 * place, at input and output, if it is called in the sender's context: until it completes,
 * pends or forwards the request, or returns. It states the length of the output when it
 * calls d2d_complete_with(). Otherwise both are NULL. The sender has no pointer to these
 * buffers, nor the receiver to the sender's.
 *
 * A context that comes with it may be used until the request is completed, and
 * after that if it was completed with success and accepted, until d2d_detach() is
 * called. A driver that fills in the context from elsewhere than its dispatch
 * routine has to stop that before it calls d2d_detach(). If the owner's time is
 * over, the context stays the driver's until it completes the request all the same
 * (-ESTALE), detaches or unregisters.
 */
struct d2d_request {
	struct d2d_header hdr;
	d2d_handle handle;
	u32 major_function;	/* D2D_MJ_... */
	u32 code;		/* D2D_IOCTL_... */
	void *user_buffer;	/* what the code says, else NULL */
	d2d_handle driver;	/* the receiver's own */
	u32 input_len;		/* bytes there are to read */
	u32 output_len;		/* bytes there is room for */
	const void *input;	/* in place, or NULL: see above */
	void *output;		/* the same */
};

/*
 * How a request has ended, and so whose status it has. If a driver gets a request back and
 * completes it with the status that it was told, it passes this value on as it is.
 */
enum d2d_ended {
	/* A driver that had it has completed it, with any status. */
	D2D_ENDED_COMPLETED,
	/* Its sender has cancelled or freed it, detaches or unregisters: -ECANCELED. */
	D2D_ENDED_CANCELLED,
	/* The time of a thread that waited for it is over: -ETIMEDOUT. */
	D2D_ENDED_TIMED_OUT,
	/* A driver that had it, or had forwarded it, detaches or unregisters: -ECANCELED. */
	D2D_ENDED_LEFT,
	/* A dispatch routine has returned without having completed it: -EIO. */
	D2D_ENDED_NOT_COMPLETED,
};

/* What became of a request. */
struct d2d_result {
	u64 information;	/* what the code says that it means */
	u64 tag;		/* the sender's, see struct d2d_send */
	s32 status;		/* 0 or a negative errno */
	u32 output_len;		/* bytes of output that were written */
	u32 ended;		/* enum d2d_ended */
	u32 reserved;		/* 0 */
};

/* completed() is called when it is; otherwise the sender waits. */
#define D2D_SEND_ROUTINE	1
/* The sender cannot sleep. A driver whose dispatch can gets it in a worker. */
#define D2D_SEND_ATOMIC		2
/* Each step of the request prints its trace line, on all levels. */
#define D2D_SEND_TRACE		4

/*
 * How a request is sent, and to whom. What user_buffer points to is between the two
 * drivers: the receiver may look at it even after the request was taken back.
 */
struct d2d_send {
	struct d2d_header hdr;
	d2d_handle to;		/* from d2d_lookup() */
	u32 major_function;	/* D2D_MJ_... */
	u32 code;		/* D2D_CTL_CODE(...) */
	const void *input;	/* copied when it is sent */
	void *user_buffer;	/* a pointer that both drivers understand, or NULL */
	u64 tag;		/* anything; comes back with the result */
	u32 input_len;
	u32 output_len;		/* room that the receiver gets */
	u32 flags;		/* D2D_SEND_... */
	u32 reserved;		/* 0 */
};

/* How to send a code to a driver; the other members follow, as in ".tag = 1". */
#define D2D_SEND_INIT(target, control_code, ...)				\
	{									\
		.hdr = D2D_HEADER_INIT(D2D_SEND_MAGIC, struct d2d_send),	\
		.to = (target),							\
		.major_function = D2D_MJ_INTERNAL_DEVICE_CONTROL,		\
		.code = (control_code),						\
		__VA_ARGS__							\
	}

/* dispatch() does not sleep, and may be called in any context but NMI. */
#define D2D_DISPATCH_ATOMIC	1
/*
 * dispatch() uses the buffers of requests in place, and calls d2d_request_pend() for each
 * one that it leaves pending before another thread can complete it. If such a request is
 * cancelled, or its time is over, while dispatch() runs in the sender's context, it ends
 * when dispatch() is done with the buffers.
 */
#define D2D_DISPATCH_IN_PLACE	2

/*
 * A driver object. d2d_register() copies it; the routines and self stay until
 * d2d_unregister() has returned. Those that are not needed are NULL.
 *
 * A module that goes away unregisters its drivers first: in its exit, and where its
 * initialization fails. If it has forgotten one, the owner removes it before the
 * kernel frees the module's text, with a line that says so. None of the driver's
 * routines is called any more, and the owner waits for the calls that run. It takes
 * back the driver's requests, closes its events and frees its context. It cannot stop
 * a thread, a timer or a work item of the module: one that is still there returns to
 * text that is gone, as in any module. A module that is going can register no driver.
 *
 * The owner learns of such a module from a module notifier. While it waits there for a
 * call of a routine to return, the kernel holds the lock of the notifier chain, which
 * loading and unloading take, too. So no routine loads or unloads a module, or waits
 * for that (request_module(), for example): if another thread registers or unregisters
 * a module notifier meanwhile, all of them wait for ever.
 *
 * dispatch: process context, may sleep, unless flags say otherwise. Completes the
 *	request by d2d_complete() and returns the same status; or returns
 *	-D2D_STATUS_PENDING and completes it later, or has forwarded it.
 * returned: a request that the driver has forwarded with D2D_SEND_ROUTINE is its
 *	own again, under a new handle, with the result so far. Returns the status
 *	that it is to be completed with, or -D2D_STATUS_PENDING and completes it
 *	later, or forwards it anew. If it was taken back, the handle is stale, and
 *	what is returned does not matter.
 * completed: a request that the driver has sent with D2D_SEND_ROUTINE is completed.
 *	Returns 0, and the request is freed, or D2D_MORE_PROCESSING_REQUIRED and
 *	keeps it: it may be sent again at once.
 * cancelled: a request was taken back from the driver, which asked to be told so by
 *	d2d_request_set_cancel(). The handle is stale and only tells which one.
 *
 * The latter three are called in the context that the request is completed or
 * cancelled in: any. A driver that sends or forwards from inside them to drivers that
 * complete at once runs out of stack if that has no end: a request inside another takes 2 to
 * 3 KiB of the 16 KiB that a kernel thread has. None of the routines
 * detaches or unregisters its driver, nor another one: -EDEADLK.
 */
struct d2d_driver {
	struct d2d_header hdr;
	char name[D2D_NAME_SIZE];
	struct module *owner;
	void *self;		/* first argument of the routines */
	int (*dispatch)(void *self, const struct d2d_request *request);
	int (*returned)(void *self, const struct d2d_request *request,
			const struct d2d_result *result);
	int (*completed)(void *self, d2d_handle request, const struct d2d_result *result);
	void (*cancelled)(void *self, d2d_handle request);
	u32 flags;		/* D2D_DISPATCH_... */
	u32 reserved;		/* 0 */
};

/* A driver object of this module; the other members follow, as in ".dispatch = dispatch". */
#define D2D_DRIVER_INIT(driver_name, ...)					\
	{									\
		.hdr = D2D_HEADER_INIT(D2D_DRIVER_MAGIC, struct d2d_driver),	\
		.name = driver_name,						\
		.owner = THIS_MODULE,						\
		__VA_ARGS__							\
	}

/*
 * The layout, stated once more for each file that includes this header; the Rust side
 * states the same in shared/d2d/layout.rs. All that varies with the kernel's
 * configuration is the size of a spinlock.
 */
#define D2D_LOCK	ALIGN(sizeof(spinlock_t), 8)
#define D2D_QUEUE_FIRST	ALIGN(sizeof(spinlock_t) + 4, 8)
#define D2D_QUEUE_RELEASED	ALIGN(D2D_QUEUE_FIRST + 52, D2D_CACHE_LINE)
#define D2D_QUEUE	(D2D_QUEUE_RELEASED + 2 * D2D_CACHE_LINE)
static_assert(sizeof(struct d2d_header) == 16);
static_assert(sizeof(struct d2d_ops) == 24);
static_assert(sizeof(struct d2d_endpoint) == 16);
static_assert(offsetof(struct d2d_item, payload) == 40);
static_assert(offsetof(struct d2d_queue, first) == D2D_QUEUE_FIRST);
static_assert(offsetof(struct d2d_queue, released) == D2D_QUEUE_RELEASED);
static_assert(offsetof(struct d2d_queue, pool) == D2D_QUEUE_RELEASED + D2D_CACHE_LINE);
static_assert(sizeof(struct d2d_queue) == D2D_QUEUE);
static_assert(offsetof(struct d2d_data, owner) == D2D_LOCK);
static_assert(sizeof(struct d2d_data) == D2D_LOCK + 2 * D2D_DATA_SIZE);
static_assert(offsetof(struct d2d_context, owner) == 32);
static_assert(offsetof(struct d2d_context, peer) == 48);
static_assert(offsetof(struct d2d_context, to_peer) == 64);
static_assert(offsetof(struct d2d_context, to_owner) == 64 + D2D_QUEUE);
static_assert(offsetof(struct d2d_context, data) == 64 + 2 * D2D_QUEUE);
static_assert(sizeof(struct d2d_request) == 72);
static_assert(offsetof(struct d2d_result, ended) == 24);
static_assert(sizeof(struct d2d_result) == 32);
static_assert(offsetof(struct d2d_send, tag) == 48);
static_assert(sizeof(struct d2d_send) == 72);
static_assert(offsetof(struct d2d_driver, dispatch) == 64);
static_assert(sizeof(struct d2d_driver) == 104);

/*
 * D2D_LAYOUT: a hash (FNV-1a over 32-bit words) of the sizes and offsets of all
 * that crosses the boundary. It is part of every header, so that two drivers that
 * were built from different versions of this file do not touch each other's data.
 * Clang nests 256 brackets, and each field here is three: so there is a number on
 * the way.
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
#define D2D_LAYOUT_ENDPOINT	D2D_AT(D2D_AT(D2D_SIZE(D2D_LAYOUT_OPS, \
	d2d_endpoint), d2d_endpoint, ops), d2d_endpoint, self)
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
#define D2D_LAYOUT_DATA		D2D_AT(D2D_AT(D2D_AT(D2D_SIZE(D2D_LAYOUT_QUEUE, \
	d2d_data), d2d_data, lock), d2d_data, owner), d2d_data, peer)
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
#define D2D_LAYOUT		D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT( \
	D2D_AT(D2D_SIZE(D2D_LAYOUT_SEND, d2d_driver), d2d_driver, hdr), \
	d2d_driver, name), d2d_driver, owner), d2d_driver, self), \
	d2d_driver, dispatch), d2d_driver, returned), d2d_driver, completed), \
	d2d_driver, cancelled), d2d_driver, flags)

/*
 * Exported by the owner, GPL only, in the symbol namespace "D2D". All return 0
 * or a negative errno. A refusal also prints one trace line with the reason
 * (docs/refusals.md lists them); a lost race (-ECANCELED, -EALREADY) prints
 * none.
 *
 * A function that does not say "any context" may sleep. "Any context" is every
 * one in which a spinlock_t may be taken: task, softirq and hard interrupt; not
 * NMI, not with a raw_spinlock_t held, and not the callback of a timer that was
 * started with HRTIMER_MODE_..._HARD (lockdep: "Invalid wait context").
 *
 * The owner does not trust a pointer, and follows it with no lock held: -EFAULT
 * if it is no kernel address, or if what it points to cannot be read or written.
 * The owner checks the place for a result before it does anything else; a call
 * that is refused changes nothing. If the place goes away during the call, the
 * owner takes back what it has registered, allocated or opened, and sets again the
 * events that a wait has taken.
 *
 * d2d_register: -EFAULT no driver, dispatch routine or owner, or a pointer that
 *	is misaligned or cannot be read, -EBADMSG magic, -EPROTO major version,
 *	-EMSGSIZE size, -EBADE layout, -ENAMETOOLONG name without NUL, -EINVAL
 *	empty or unprintable name, or unknown flags, -ENOEXEC a routine outside
 *	the owner's text (or in its init text), -ENOTUNIQ name taken, -ENFILE
 *	too many, -ESHUTDOWN the module is going away
 * d2d_attach: asks the owner to share a context with the driver. -ESTALE
 *	handle, -ESHUTDOWN it is being unregistered, -EALREADY holds one or is
 *	attaching, -EBUSY no free context, -EINPROGRESS the driver pended, and
 *	the handshake goes on when it completes, or what the driver completed
 *	the request with. After the owner's timeout, completing the request is
 *	-ESTALE. What the driver filled in is refused with -EFAULT (no
 *	ops table, or one that is misaligned or cannot be read), -EPROTO,
 *	-EMSGSIZE (its major version or size), -EBADR (its operations are
 *	others), -EXDEV (its build is another), -ENOEXEC (an operation outside
 *	the driver's text); -EIO not completed, -ETIMEDOUT not completed in
 *	time, -ECANCELED detached meanwhile, -ENOMEM, -EAGAIN too many requests
 * d2d_detach: returns when the owner is not inside the driver's operations any
 *	more and will not enter them again. Takes back the requests that the
 *	driver has, and cancels those that it has sent. If an operation is still running
 *	after 100 ms, or a routine that has one of these requests or the handshake
 *	after 10 ms, d2d_detach() ends what it may be waiting for: it goes on to
 *	take back and cancel the driver's requests, and all waits that were begun
 *	with the driver's event handles end with -ECANCELED. The events stay open.
 *	Not to be called from inside an operation, nor with a lock held that an
 *	operation takes: it would wait for itself, and a kernel with lockdep says
 *	so. -EDEADLK called from inside a routine of a driver object, -ESTALE
 *	handle, -ENOTCONN nothing to detach, -EALREADY it is being detached
 * d2d_leave: begins to unregister the driver, which may hold a context. From here
 *	on no request goes to the driver or comes from it, it opens no event and
 *	is offered no context. Closes its events, so that waits for them end with
 *	-ECANCELED, takes back the requests that the driver has, and cancels those
 *	that it has sent. Waits for nobody; d2d_detach() and d2d_unregister()
 *	follow. A driver calls it before it waits for its own work items, threads
 *	and timers, if these wait for events or requests. 0 also if it was called
 *	before. -ESTALE handle
 * d2d_unregister: takes back the requests that the driver has, cancels those
 *	that it has sent, frees its own, and returns when none of its routines
 *	runs any more, no other driver's returned() or cancelled() runs for a
 *	request that was taken back, and no thread waits for a request of the
 *	driver: each that did has a result. Another driver's dispatch routine
 *	may still run for a request that this driver has sent: what user_buffer
 *	points to must stay until that routine has returned. -EDEADLK called
 *	from inside a routine of a driver object, -ESTALE handle, -EBUSY still
 *	attached, or a context is being offered to the driver, -EALREADY it is
 *	being unregistered
 * d2d_lookup: finds a driver, the owner among them, by name: what requests are
 *	sent to. Nothing has to be given back; a driver that has left, or has
 *	been loaded anew, is not found by the handle any more. Any context.
 *	-EFAULT a bad pointer, -ENAMETOOLONG no NUL within D2D_NAME_SIZE bytes,
 *	-ENOENT
 * d2d_request_alloc: a request of the driver's, with room for input and output,
 *	to be sent as often as needed, to one driver at a time. -EFAULT no place
 *	for the handle, -ESTALE handle, -ESHUTDOWN the driver is leaving,
 *	-EMSGSIZE more than D2D_BUFFER_SIZE, -EAGAIN too many, -ENOMEM
 * d2d_request_send: any context with D2D_SEND_ATOMIC, else may sleep, as
 *	dispatch may. 0 it is completed, and d2d_request_wait() has the result
 *	at once, or completed() was called, or is being called; -EINPROGRESS it
 *	is on its way. Not with a lock held that completed() takes. One request
 *	is dispatched by one worker at a time. Anything else: it was not sent.
 *	-EBADMSG, -EPROTO, -EMSGSIZE, -EBADE the structure's header, -EMSGSIZE
 *	more input or output than it was made for, -EFAULT a bad pointer,
 *	-EINVAL a code that is the owner's, an unknown flag or function, or
 *	D2D_SEND_ROUTINE without completed(), -ESTALE handle, or the driver that
 *	it is for has left, -EBUSY it is on its way, or a thread that waits for
 *	it has not seen the last result, or its output is being read, or it was
 *	taken from a dispatch routine that still uses its buffers, because a
 *	driver has left, -ESHUTDOWN either driver is leaving, -EDEADLK without
 *	D2D_SEND_ATOMIC where the caller must not sleep. The owner asks the
 *	kernel for that: a kernel without CONFIG_PREEMPT_COUNT knows of
 *	interrupts and of disabled interrupts, not of a spinlock that leaves
 *	them enabled. At most 1024 workers
 *	dispatch requests at a time: if all of them wait for requests that need
 *	workers, none goes on
 * d2d_request_call: sends a request as d2d_request_send() does, waits for it as
 *	d2d_request_wait() does, and copies the output of one that was completed with
 *	success to the place for it, if there is room for all of it. Any context with
 *	D2D_SEND_ATOMIC, and then it does not wait; else may sleep. 0 there is a result.
 *	-EINPROGRESS the request was sent, and there is none yet. Otherwise it was not
 *	sent, for a reason of d2d_request_send(), or -EINVAL with D2D_SEND_ROUTINE; or
 *	the place for the output is bad, or the place for the result went away after
 *	the request was sent, -EFAULT, and the request is completed
 * d2d_request_wait: waits for a request that was sent without D2D_SEND_ROUTINE.
 *	Any context if it is completed, else may sleep. After ms milliseconds,
 *	counted in the kernel's ticks, the request is taken back, and its status
 *	is -ETIMEDOUT. 0 there is a result. -EINPROGRESS there is none yet: when
 *	the time was over, another thread was giving the request back, and one
 *	second later it was still inside a routine of a driver that has
 *	forwarded the request, or had it.
 *	The request is still on its way; the caller may wait again, or free it.
 *	No line is printed.
 *	-EDEADLK the caller must not sleep (known as for d2d_request_send()), or
 *	is inside a routine that has to
 *	return before the request goes on, -ESTALE handle, -EFAULT no place for
 *	the result, -ENODATA it was not sent, -EINVAL sent with D2D_SEND_ROUTINE,
 *	-EAGAIN 63 threads wait for it.
 *	Several threads may use one request. All that wait for it get the same
 *	result, even if the time of one of them is over and it is taken back,
 *	if it is cancelled or freed meanwhile, or if its driver unregisters.
 *	Sending it again is -EBUSY until all of them have the result
 * d2d_request_cancel: any context. Takes the request back, so that its status
 *	is -ECANCELED. -EALREADY it is completed, or about to be, or was
 *	cancelled, -ESTALE handle. -EALREADY is no refusal: the trace has no line
 *	of it
 * d2d_request_free: any context. Cancels it if it is on its way, and frees it
 *	when no routine has it and no thread waits for it; completed() is not
 *	called then, unless it is being called already: d2d_unregister() waits
 *	for that. -ESTALE handle, -EBUSY another thread is just sending it
 * d2d_request_read: any context. With the receiver's handle, copies the input,
 *	with the sender's, the output of a completed request. -EFAULT a bad
 *	pointer, -ESTALE handle, -ECANCELED it was taken back, -EMSGSIZE more
 *	than there is, -EBUSY it is on its way, or 62 threads copy its buffers
 * d2d_request_write: any context. Replaces the output. -EFAULT a bad pointer, and
 *	there is no output then, -ESTALE handle, -ECANCELED it was taken back,
 *	-EMSGSIZE more than there is room for, -EBUSY 62 threads copy its buffers
 * d2d_request_set_cancel: any context. From here on cancelled() is called if
 *	the request is taken back. -ESTALE handle, -ECANCELED it was taken back
 *	already, -EINVAL the driver has no such routine
 * d2d_request_pend: any context. Called by a dispatch routine that leaves a request pending
 *	and has used its buffers in place: it does so no more. -ESTALE handle,
 *	-ECANCELED it was taken back; then it ends when the routine has returned
 * d2d_request_forward: any context with D2D_SEND_ATOMIC, else may sleep. Passes
 *	the request on; what counts of the structure is to, code and flags, of
 *	which D2D_SEND_ROUTINE means returned(). The handle is stale if it is
 *	done. Errors as d2d_request_send(), and -E2BIG no stack location is
 *	left, -EINVAL the request of a handshake, -ECANCELED it was taken back.
 *	A dispatch routine does not wait for what it has forwarded
 * d2d_complete: any context. -ESTALE handle (completed before), -ECANCELED the
 *	request was taken back, or what the owner refused the driver's answer
 *	with. A status that is positive, -EINPROGRESS or -EIOCBQUEUED is refused
 *	and taken as -EIO
 * d2d_complete_with: as d2d_complete(), after output_len bytes of output were written in
 *	place. -EMSGSIZE more than there is room for
 *
 * All: -ENODEV if the owner is on its way out.
 *
 * d2d_lookup(), d2d_request_alloc(), d2d_request_set_cancel() and d2d_request_pend()
 * call no routine of a driver. Each of the others may call routines of any
 * driver before it returns: reading or writing a buffer does so, for example, if the
 * request was taken back meanwhile. Do not call them with a lock held that such a
 * routine takes.
 */
int d2d_register(const struct d2d_driver *driver, d2d_handle *handle);
int d2d_attach(d2d_handle driver);
int d2d_detach(d2d_handle driver);
int d2d_leave(d2d_handle driver);
int d2d_unregister(d2d_handle driver);
int d2d_lookup(const char *name, d2d_handle *driver);
int d2d_request_alloc(d2d_handle driver, u32 input_size, u32 output_size, d2d_handle *request);
int d2d_request_send(d2d_handle request, const struct d2d_send *send);
int d2d_request_call(d2d_handle request, const struct d2d_send *send, u32 ms,
		     struct d2d_result *result, void *output, u32 output_len);
int d2d_request_wait(d2d_handle request, u32 ms, struct d2d_result *result);
int d2d_request_cancel(d2d_handle request);
int d2d_request_free(d2d_handle request);
int d2d_request_read(d2d_handle request, void *buffer, u32 len);
int d2d_request_write(d2d_handle request, const void *buffer, u32 len);
int d2d_request_set_cancel(d2d_handle request);
int d2d_request_pend(d2d_handle request);
int d2d_request_forward(d2d_handle request, const struct d2d_send *send);
int d2d_complete(d2d_handle request, int status, u64 information);
int d2d_complete_with(d2d_handle request, int status, u64 information, u32 output_len);

#endif /* D2D_H */
