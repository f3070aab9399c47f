/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: an owner in C. Its module links the owner's half of the library through
 * d2d-c-owner-of (shared/library.mk), whose argument is the owner's name. The library exports the
 * table of the owner's functions under this name. The owner calls functions of the table by their
 * names, as a peer does. With the handle that d2d_owner_start() stores, it sends requests and
 * creates events. Unlike a peer, it does not write D2D_OWNER().
 *
 * An owner of the pair "my_pair" whose peer offers the operation "add"::
 *
 *	static int my_read(void *context, u32 *result) { ... }
 *
 *	static const u64 chain[] = MY_PAIR_OWNER_CHAIN;
 *	static const struct my_pair_owner_ops ops = {
 *		.hdr = D2D_OPS_INIT(struct my_pair_owner_ops, MY_PAIR_MAJOR, MY_PAIR_MINOR, chain),
 *		.read = my_read,
 *	};
 *	static const u64 peer_chain[] = MY_PAIR_PEER_CHAIN;
 *	static const struct my_pair_peer_ops peer_ops = {
 *		.hdr = D2D_OPS_INIT(struct my_pair_peer_ops, MY_PAIR_MAJOR, MY_PAIR_MINOR,
 *				    peer_chain),
 *	};
 *	static const struct d2d_owner owner = {
 *		.ops = &ops.hdr, .peer_ops = &peer_ops.hdr, .dispatch = my_dispatch,
 *		.contexts = 1, .capacity = 64, .item_size = 64, .timeout = 5000,
 *		MY_PAIR_DATA_SIZES,
 *	};
 *
 *	static d2d_handle self;
 *
 *	static int __init my_init(void) { return d2d_owner_start(&owner, &self); }
 *	static void __exit my_exit(void) { d2d_owner_stop(); }
 */
#ifndef D2D_OWNER_H
#define D2D_OWNER_H

#include "d2d.h"

/*
 * How the library learns that a peer has completed a handshake: by the return of the peer's
 * dispatch(). If dispatch() leaves the handshake pending, the library waits as with D2D_LEARN_WAIT.
 */
#define D2D_LEARN_RETURN	0
/* The library learns this in the thread that completes the handshake, and does not wait. */
#define D2D_LEARN_ROUTINE	1
/* The library waits in d2d_attach() until the handshake is completed. */
#define D2D_LEARN_WAIT		2

/* dmesg gets a line for each step of a queue and each call of an operation. */
#define D2D_OWNER_PRINT_HOT_STEPS	1

/**
 * struct d2d_owner - an owner in C
 * @ops: the operations that the owner offers. The first argument of each is the address of
 *	the struct d2d_context
 * @peer_ops: a table that D2D_OPS_INIT() has initialized with the interface that the owner
 *	expects of a peer. Its operations are not used
 * @self: the first argument of the routines
 * @dispatch: as in struct d2d_driver
 * @returned: as in struct d2d_driver; may be NULL
 * @completed: as in struct d2d_driver; may be NULL if the owner sends no request with
 *	D2D_SEND_ROUTINE. Without @completed, the library frees such a request when it comes back,
 *	and prints a line
 * @cancelled: as in struct d2d_driver; may be NULL
 * @prepare: d2d_owner_start() calls it once for each context, before any other thread knows of
 *	the context. It fills in the owner's data; the library has zeroed all blocks. May sleep;
 *	may be NULL
 * @attached: called when a peer has been attached, in a task that may sleep; with
 *	D2D_LEARN_ROUTINE, in any execution context. It can call the peer's operations, but until
 *	it has returned, d2d_peer_lookup() returns %-ESHUTDOWN. May be NULL
 * @detached: called when the peer has been detached, and no thread is inside the peer's operations
 *	any more. May sleep; may be NULL
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
 * @sizes_hash: the hash of the pair's minor version that has blocks of these sizes. The library
 *	looks for the same hash in the chain of @ops, and so checks that the sizes are those of this
 *	pair and version
 *
 * The generated header of the pair has a constant that initializes the last four members, such as
 * MY_PAIR_DATA_SIZES. Each size is at most D2D_DATA_SIZE, and 0 if the pair declares no such block.
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
 * struct d2d_peer - the peer of a context, while the owner's thread is inside it
 * @ops: the library's copy of the peer's operations, a table of the same type as @peer_ops of
 *	struct d2d_owner. An operation that the peer does not have is NULL: check for that before
 *	each call
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
 * @owner: what the owner consists of. The library copies the structure and the headers of both
 *	tables. It copies nothing else to which the structure points. So the tables, their chains
 *	and @self stay valid until d2d_owner_stop() has returned
 * @handle: where to store the handle of the owner's driver object
 *
 * Allocates the contexts, and registers the owner's driver object. Drivers can register as soon as
 * the module's initialization has succeeded. A module calls this once, in its initialization. If
 * the call fails, the library frees all contexts, also those that prepare() has filled in. Then the
 * module must not call this function again. If a later part of the initialization fails, the module
 * calls d2d_owner_stop().
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
 * * %-ENAMETOOLONG - the owner's name, the argument of d2d-c-owner-of, is too long
 * * %-ENOMEM - no memory
 */
int d2d_owner_start(const struct d2d_owner *owner, d2d_handle *handle);

/**
 * d2d_owner_stop() - stop the owner of this module
 *
 * Closes the owner's events, cancels its requests and unregisters its driver object. Waits until
 * none of its routines and none of the exported functions runs, and frees the contexts. Before the
 * owner calls this function, it stops its own timers, work items and threads. If these may wait for
 * events or requests, the owner first ends the waits by d2d_leave() with its handle.
 *
 * A module that has started its owner calls this in its exit. Otherwise the kernel frees code that
 * the library still uses. In three cases, a call prints a line and does nothing:
 *
 * * d2d_owner_start() has not returned yet
 * * d2d_owner_stop() was called before
 * * the module is neither in its initialization nor in its exit
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
 * sleep before.
 * To call the operation "add"::
 *
 *	err = d2d_peer_enter(context, &peer);
 *	if (err)
 *		return err;
 *	ops = container_of_const(peer.ops, struct my_pair_peer_ops, hdr);
 *	err = -EOPNOTSUPP;
 *	if (ops->add) {
 *		d2d_hot_call("peer", "add");
 *		err = ops->add(peer.self, 1, &sum);
 *		d2d_hot_return("peer", "add", err);
 *	}
 *	d2d_peer_exit(context, &peer);
 *
 * d2d_hot_call() and d2d_hot_return() make the trace show the call.
 *
 * Context: Any context. The owner's routines and operations may always call this function. Other
 * code of the owner may call it between d2d_owner_start() and d2d_owner_stop().
 *
 * Return: 0, or
 * * %-ESHUTDOWN - there is no peer, the peer is detaching, or @context is not a context of this
 *   owner. This prints no line
 */
int d2d_peer_enter(struct d2d_context *context, struct d2d_peer *peer);

/**
 * d2d_peer_exit() - leave a peer
 * @context: the context that was passed to d2d_peer_enter()
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
