/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interface of the demonstration pair: what module_a and the driver that
 * holds one of its contexts offer each other. A C driver that wants to be
 * module_a's peer includes this; the Rust traits are in shared/pair/d2d_pair.rs.
 *
 * Every operation returns 0 or a negative errno and, on success, writes its
 * result to *result. Operations may be called in task, softirq and hard
 * interrupt context, so they do not sleep.
 */
#ifndef D2D_PAIR_H
#define D2D_PAIR_H

#include "d2d.h"

#define D2D_PAIR_MAJOR	1
#define D2D_PAIR_MINOR	0

/* The chains of both tables: the interface, ping, bounce, drain. */
#define D2D_PAIR_OWNER_INTERFACE	0xd37a5860d3990046ull
#define D2D_PAIR_OWNER_PING	0x2de58f34c2f32f14ull
#define D2D_PAIR_OWNER_BOUNCE	0x7e9ea74fc027402cull
#define D2D_PAIR_OWNER_DRAIN	0x219048e04cec64d4ull
#define D2D_PAIR_OWNER_CHAIN { D2D_PAIR_OWNER_INTERFACE, D2D_PAIR_OWNER_PING, \
	D2D_PAIR_OWNER_BOUNCE, D2D_PAIR_OWNER_DRAIN }

#define D2D_PAIR_PEER_INTERFACE	0x843ff8415c53a9a4ull
#define D2D_PAIR_PEER_PING	0xe5b4b4ede027bd6aull
#define D2D_PAIR_PEER_BOUNCE	0xd2995b8396bd7f56ull
#define D2D_PAIR_PEER_DRAIN	0x08dbaf766c9816d2ull
#define D2D_PAIR_PEER_CHAIN { D2D_PAIR_PEER_INTERFACE, D2D_PAIR_PEER_PING, \
	D2D_PAIR_PEER_BOUNCE, D2D_PAIR_PEER_DRAIN }

/*
 * Requests that both drivers serve, in any context.
 * ADD: input and output are a u64; the output is the input plus 1.
 * PEND: input is a u64, the key, and so is the output. Stays pending until COMPLETE
 *	with the same key. -EBUSY if too many are pending.
 * COMPLETE: input is struct d2d_pair_complete. -ENOENT if there is no PEND with the key.
 * SIGNAL: sets the driver's two events: DRIVER.notice, a notification event, and
 *	DRIVER.turn, a synchronization event, where DRIVER is its name.
 */
enum d2d_pair_ioctl {
	D2D_PAIR_IOCTL_ADD = D2D_CTL_CODE(0x801, D2D_METHOD_BUFFERED),
	D2D_PAIR_IOCTL_PEND = D2D_CTL_CODE(0x802, D2D_METHOD_BUFFERED),
	D2D_PAIR_IOCTL_COMPLETE = D2D_CTL_CODE(0x803, D2D_METHOD_BUFFERED),
	D2D_PAIR_IOCTL_SIGNAL = D2D_CTL_CODE(0x804, D2D_METHOD_BUFFERED),
};

struct d2d_pair_complete {
	u64 key;	/* that of PEND */
	u64 value;	/* what PEND is completed with */
};

/* Kind of the items that carry a number, a u64. */
#define D2D_PAIR_KIND_NOTE	1

/* What module_a offers. */
struct d2d_pair_owner_ops {
	struct d2d_ops hdr;
	/* *result = value + 1 */
	int (*ping)(void *self, u32 value, u32 *result);
	/*
	 * While hops > 0: calls the other side's bounce with hops - 1.
	 * *result = calls made. -E2BIG for more than 16 hops.
	 */
	int (*bounce)(void *self, u32 hops, u32 *result);
	/* Takes all items of its queue, answers each by one. *result = items taken. */
	int (*drain)(void *self, u32 *result);
};

/* What its peer offers. */
struct d2d_pair_peer_ops {
	struct d2d_ops hdr;
	int (*ping)(void *self, u32 value, u32 *result);
	int (*bounce)(void *self, u32 hops, u32 *result);
	/* Takes all items of its queue. *result = items taken. */
	int (*drain)(void *self, u32 *result);
};

/* Plain data of module_a in the context, written at its initialization. */
struct d2d_pair_owner_data {
	u32 queue_capacity;
	u32 item_size;
};

/* Plain data of the peer, written during the handshake. */
struct d2d_pair_peer_data {
	u64 cookie;	/* any value that tells one peer from another */
	u32 deferred;	/* 1 if it completed the handshake from a work item */
	u32 reserved;	/* 0 */
};

#endif /* D2D_PAIR_H */
