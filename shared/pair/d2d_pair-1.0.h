/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pair of module_a and its peer. Operations may be called in task, softirq and hard interrupt
 * context, so they do not sleep.
 *
 * Generated from the declaration in Rust: do not edit.
 *
 * Every operation returns 0 or a negative errno and, on success, writes its result to
 * *result.
 */
#ifndef D2D_PAIR_H
#define D2D_PAIR_H

#include "d2d.h"
#include "d2d_event.h"

#define D2D_PAIR_MAJOR	1
#define D2D_PAIR_MINOR	0

/* The hash chains of both tables: see struct d2d_ops. */
#define D2D_PAIR_OWNER_VERSION_0	0x287c580cc92e5138ull
#define D2D_PAIR_OWNER_PING	0xe4fc87d5fdd13269ull
#define D2D_PAIR_OWNER_BOUNCE	0x27abf9d3c9bff4b8ull
#define D2D_PAIR_OWNER_DRAIN	0x50f28399363fb2a0ull
#define D2D_PAIR_OWNER_CHAIN { \
	D2D_PAIR_OWNER_VERSION_0, \
	D2D_PAIR_OWNER_PING, \
	D2D_PAIR_OWNER_BOUNCE, \
	D2D_PAIR_OWNER_DRAIN, \
}

#define D2D_PAIR_PEER_VERSION_0	0x7f248a34f6980106ull
#define D2D_PAIR_PEER_PING	0x1a257e47d1415dd7ull
#define D2D_PAIR_PEER_BOUNCE	0x3beefdc9a365475aull
#define D2D_PAIR_PEER_DRAIN	0xbb57baf9ca083236ull
#define D2D_PAIR_PEER_CHAIN { \
	D2D_PAIR_PEER_VERSION_0, \
	D2D_PAIR_PEER_PING, \
	D2D_PAIR_PEER_BOUNCE, \
	D2D_PAIR_PEER_DRAIN, \
}

/**
 * struct d2d_pair_owner_data - The owner's data in a context, which module_a writes when it is
 *	loaded.
 * @queue_capacity: Items in each queue.
 * @item_size: Bytes of payload of each item.
 */
struct d2d_pair_owner_data {
	u32 queue_capacity;
	u32 item_size;
};

static_assert(sizeof(struct d2d_pair_owner_data) == 8);
static_assert(offsetof(struct d2d_pair_owner_data, queue_capacity) == 0);
static_assert(offsetof(struct d2d_pair_owner_data, item_size) == 4);

/**
 * struct d2d_pair_peer_data - The peer's data in a context, which it writes during the handshake.
 * @cookie: Any value that distinguishes the peer from others.
 * @deferred: 1 if a work item of the peer completes the handshake.
 * @reserved: 0.
 */
struct d2d_pair_peer_data {
	u64 cookie;
	u32 deferred;
	u32 reserved;
};

static_assert(sizeof(struct d2d_pair_peer_data) == 16);
static_assert(offsetof(struct d2d_pair_peer_data, cookie) == 0);
static_assert(offsetof(struct d2d_pair_peer_data, deferred) == 8);
static_assert(offsetof(struct d2d_pair_peer_data, reserved) == 12);

/**
 * struct d2d_pair_shared_data - The data that both drivers share in a context. Each driver updates
 *	it once in each round of its exercise.
 * @updates: Updates by either driver.
 * @by_owner: Updates by module_a.
 * @by_peer: Updates by its peers.
 */
struct d2d_pair_shared_data {
	u64 updates;
	u64 by_owner;
	u64 by_peer;
};

static_assert(sizeof(struct d2d_pair_shared_data) == 24);
static_assert(offsetof(struct d2d_pair_shared_data, updates) == 0);
static_assert(offsetof(struct d2d_pair_shared_data, by_owner) == 8);
static_assert(offsetof(struct d2d_pair_shared_data, by_peer) == 16);

/**
 * struct d2d_pair_complete - The input of COMPLETE.
 * @key: That of PEND.
 * @value: The output of PEND.
 */
struct d2d_pair_complete {
	u64 key;
	u64 value;
};

static_assert(sizeof(struct d2d_pair_complete) == 16);
static_assert(offsetof(struct d2d_pair_complete, key) == 0);
static_assert(offsetof(struct d2d_pair_complete, value) == 8);

/*
 * A number.
 *	Payload: u64
 */
#define D2D_PAIR_KIND_NOTE	1

/**
 * enum d2d_pair_ioctl - the requests
 * @D2D_PAIR_IOCTL_ADD: Adds 1 to a number.
 *	Input: u64
 *	Output: u64
 * @D2D_PAIR_IOCTL_PEND: Stays pending until a `COMPLETE` with the same key. The input is the key,
 *	the output the value of that `COMPLETE`. Fails with `EBUSY` if too many are pending.
 *	Input: u64
 *	Output: u64
 * @D2D_PAIR_IOCTL_COMPLETE: Completes a `PEND`. Fails with `ENOENT` if none with this key is
 *	pending.
 *	Input: struct d2d_pair_complete
 *	Output: none
 * @D2D_PAIR_IOCTL_SIGNAL: Sets the two events of the driver that receives it.
 *	Input: none
 *	Output: none
 */
enum d2d_pair_ioctl {
	D2D_PAIR_IOCTL_ADD = D2D_CTL_CODE(0x801, D2D_METHOD_BUFFERED),
	D2D_PAIR_IOCTL_PEND = D2D_CTL_CODE(0x802, D2D_METHOD_BUFFERED),
	D2D_PAIR_IOCTL_COMPLETE = D2D_CTL_CODE(0x803, D2D_METHOD_BUFFERED),
	D2D_PAIR_IOCTL_SIGNAL = D2D_CTL_CODE(0x804, D2D_METHOD_BUFFERED),
};

/*
 * SIGNAL sets it, and the driver that has waited for it resets it.
 *	For d2d_event_create_of() and d2d_event_open_of()
 */
#define D2D_PAIR_EVENT_NOTICE	"notice", D2D_EVENT_NOTIFICATION

/*
 * SIGNAL sets it, and the driver that waits for it takes it.
 *	For d2d_event_create_of() and d2d_event_open_of()
 */
#define D2D_PAIR_EVENT_TURN	"turn", D2D_EVENT_SYNCHRONIZATION

/**
 * struct d2d_pair_owner_ops - The operations of module_a.
 * @hdr: describes the table
 * @ping: Returns `value + 1`.
 * @bounce: If `hops` is not 0, calls the other side's `bounce` with one hop less. Returns the
 *	number of calls that were made in all. Fails with `E2BIG` if `hops` is more than
 *	`MAX_HOPS`.
 * @drain: Takes all items from the peer, and puts one for each. Returns the number of items taken.
 */
struct d2d_pair_owner_ops {
	struct d2d_ops hdr;
	int (*ping)(void *self, u32 value, u32 *result);
	int (*bounce)(void *self, u32 hops, u32 *result);
	int (*drain)(void *self, u32 *result);
};

/**
 * struct d2d_pair_peer_ops - The operations of module_a's peer.
 * @hdr: describes the table
 * @ping: Returns `value + 1`.
 * @bounce: If `hops` is not 0, calls the other side's `bounce` with one hop less. Returns the
 *	number of calls that were made in all. Fails with `E2BIG` if `hops` is more than
 *	`MAX_HOPS`.
 * @drain: Takes all items from the owner. Returns the number of items taken.
 */
struct d2d_pair_peer_ops {
	struct d2d_ops hdr;
	int (*ping)(void *self, u32 value, u32 *result);
	int (*bounce)(void *self, u32 hops, u32 *result);
	int (*drain)(void *self, u32 *result);
};

#endif /* D2D_PAIR_H */
