/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An owner in C. Its module links the owner's half of the library through d2d-c-owner-of
 * (shared/library.mk). The owner calls the functions of d2d.h as a peer does, but has no
 * D2D_OWNER(). An example is examples/metronome/c_metronome.c.
 */
#ifndef D2D_OWNER_H
#define D2D_OWNER_H

#include "d2d.h"

/*
 * How the library learns that a peer has completed a handshake. D2D_LEARN_RETURN: by the return of
 * the peer's dispatch(); if dispatch() has pended the handshake, as with D2D_LEARN_WAIT.
 */
#define D2D_LEARN_RETURN	0
/* The thread that completes the handshake tells the library; d2d_attach() does not wait. */
#define D2D_LEARN_ROUTINE	1
/* d2d_attach() waits until the handshake is completed. */
#define D2D_LEARN_WAIT		2

/* dmesg gets a line for each step of a queue and each call of an operation. */
#define D2D_OWNER_PRINT_HOT_STEPS	1

/**
 * struct d2d_owner - an owner in C
 * @ops: the operations that the owner offers. The first argument of each is the address of
 *	the struct d2d_context
 * @peer_ops: a table whose D2D_OPS_INIT() says which interface the owner expects of a peer. The
 *	library does not use its operations
 * @self: the first argument of the routines
 * @dispatch: as in struct d2d_driver
 * @returned: as in struct d2d_driver
 * @completed: as in struct d2d_driver. If it is NULL, and a request comes back that the owner has
 *	sent with D2D_SEND_ROUTINE, the library frees the request and prints a line
 * @cancelled: as in struct d2d_driver
 * @prepare: fills in the owner's data in a context, whose blocks are zeroed. d2d_owner_start()
 *	calls it once for each context, before any other thread knows of the context. May sleep
 * @attached: called when a peer has been attached. May sleep, but with D2D_LEARN_ROUTINE it may
 *	be called in any execution context. It can call the peer's operations, but until it has
 *	returned, d2d_peer_lookup() returns %-ESHUTDOWN
 * @detached: called when the peer has been detached, and no thread is inside the peer's operations
 *	any more. May sleep
 * @flags: D2D_DISPATCH_..., as in struct d2d_driver
 * @owner_flags: D2D_OWNER_...
 * @contexts: number of contexts, 1 to 64
 * @capacity: number of items of each queue, 1 to 1048576
 * @item_size: bytes of payload of each item, 8 to 4096
 * @completion: D2D_LEARN_...
 * @timeout: how much time a peer has to complete a handshake, in milliseconds, 1 to 600000
 * @owner_size: bytes of the owner's block of data
 * @peer_size: bytes of the peer's block of data
 * @shared_size: bytes of the block that both share
 * @sizes_hash: says that the sizes belong to @ops. It is the hash that the chain of @ops has for
 *	the minor version of @ops
 *
 * All routines but @dispatch may be NULL. A constant in the generated header of the pair, such as
 * MY_PAIR_DATA_SIZES, initializes the last four members. Each size is at most D2D_DATA_SIZE, and 0
 * if the pair declares no such block.
 */
struct d2d_owner {
	const struct d2d_ops *ops;
	const struct d2d_ops *peer_ops;
	void *self;
	int (*dispatch)(void *self, const struct d2d_request *request);
	int (*returned)(void *self, const struct d2d_request *request,
			const struct d2d_result *result);
	int (*completed)(void *self, d2d_handle request, const struct d2d_result *result);
	void (*cancelled)(void *self, d2d_handle request);
	void (*prepare)(void *self, struct d2d_context *context);
	void (*attached)(void *self, struct d2d_context *context);
	void (*detached)(void *self, struct d2d_context *context);
	u32 flags;
	u32 owner_flags;
	u32 contexts;
	u32 capacity;
	u32 item_size;
	u32 completion;
	u32 timeout;
	u32 owner_size;
	u32 peer_size;
	u32 shared_size;
	u64 sizes_hash;
};

/**
 * struct d2d_peer - what a thread of the owner uses while it is inside the peer of a context
 * @ops: the library's copy of the peer's operations, of the same type as @peer_ops of struct
 *	d2d_owner. An operation that the peer lacks is NULL: check for that before each call
 * @self: the first argument of each operation
 * @inside: for d2d_peer_exit()
 */
struct d2d_peer {
	const struct d2d_ops *ops;
	void *self;
	void *inside;
};

/**
 * d2d_owner_start() - start the owner of this module
 * @owner: what the owner consists of; copied. The tables, their chains and @self stay valid until
 *	d2d_owner_stop() has returned
 * @handle: where to store the handle of the owner's driver object, which sends the owner's requests
 *
 * A module calls this only once, in its initialization. If the call fails, the library frees all
 * contexts, also those that prepare() has filled in. If a later part of the initialization fails,
 * the module calls d2d_owner_stop(). Drivers can register as soon as the initialization has
 * succeeded.
 *
 * Context: Task, may sleep.
 *
 * Return: 0, or
 * * %-EPERM - the module is not in its initialization
 * * %-EFAULT - @owner, @handle or the dispatch routine is NULL, a table lacks D2D_OPS_INIT(), or
 *   @owner lacks the constant with the sizes of the pair
 * * %-EALREADY - the owner was started before, or starting it has failed before
 * * %-ERANGE - a number or a size is out of its range
 * * %-EINVAL - unknown flags
 * * %-ENOEXEC - a routine other than @prepare is outside the module's text
 * * %-ENAMETOOLONG - the argument of d2d-c-owner-of is too long
 * * %-ENOMEM - no memory
 */
int d2d_owner_start(const struct d2d_owner *owner, d2d_handle *handle);

/**
 * d2d_owner_stop() - stop the owner of this module
 *
 * Closes the owner's events, cancels its requests and unregisters its driver object. Waits until
 * none of its routines and none of the exported functions runs, and frees the contexts.
 *
 * A module that has started its owner calls this in its exit: otherwise the kernel frees code that
 * the library still uses. Before the call, the owner stops its own timers, work items and threads.
 * If these may wait for events or requests, it first ends the waits by d2d_leave().
 *
 * The call prints a line and does nothing if d2d_owner_start() has not returned, if the owner was
 * stopped before, or if the module is neither in its initialization nor in its exit.
 *
 * Context: Task, may sleep. Not in a routine or an operation of the owner.
 */
void d2d_owner_stop(void);

/**
 * d2d_peer_enter() - enter the peer of a context, to call its operations
 * @context: a context of this owner
 * @peer: where to store the peer's operations
 *
 * The peer cannot detach until the same thread, in the same execution context, has called
 * d2d_peer_exit(). A thread may enter again while it is inside. It may sleep inside if it could
 * sleep before. d2d_hot_call() and d2d_hot_return() make the trace show calls of operations.
 *
 * Context: Any context. Code other than the owner's routines and operations calls this only between
 * d2d_owner_start() and d2d_owner_stop().
 *
 * Return: 0, or
 * * %-ESHUTDOWN - there is no peer, the peer is detaching, or @context is a context of another
 *   owner. This prints no line
 */
int d2d_peer_enter(struct d2d_context *context, struct d2d_peer *peer);

/**
 * d2d_peer_exit() - leave a peer
 * @context: that of d2d_peer_enter()
 * @peer: what d2d_peer_enter() has stored
 *
 * Context: That of d2d_peer_enter().
 */
void d2d_peer_exit(struct d2d_context *context, const struct d2d_peer *peer);

/**
 * d2d_peer_lookup() - find the peer of a context, to send it requests
 * @context: a context of this owner
 * @peer: where to store the handle, a target for d2d_request_send()
 *
 * The target is stale once the peer is unregistered.
 *
 * Context: As d2d_peer_enter().
 *
 * Return: 0, or
 * * %-ESHUTDOWN - there is no peer, or it is leaving; this prints no line
 */
int d2d_peer_lookup(struct d2d_context *context, d2d_handle *peer);

#endif /* D2D_OWNER_H */
