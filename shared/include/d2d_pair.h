/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interface of the demonstration pair: what module_a and its peer offer each other. A C
 * driver that is to be module_a's peer includes this header. The Rust traits are in
 * shared/pair/d2d_pair.rs.
 *
 * Every operation returns 0 or a negative errno and, on success, writes its result to *result.
 * Operations may be called in task, softirq and hard interrupt context, so they do not sleep.
 */
#ifndef D2D_PAIR_H
#define D2D_PAIR_H

#include "d2d.h"

#define D2D_PAIR_MAJOR	1
#define D2D_PAIR_MINOR	0

/* The hash chains of both tables: see struct d2d_ops. */
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

/**
 * enum d2d_pair_ioctl - the requests that both drivers serve, in any context
 * @D2D_PAIR_IOCTL_ADD: input and output are a u64; the output is the input plus 1
 * @D2D_PAIR_IOCTL_PEND: the input is a u64, the key. Stays pending until COMPLETE with the same
 *	key. The output is a u64, the value of COMPLETE. -EBUSY: too many are pending
 * @D2D_PAIR_IOCTL_COMPLETE: the input is a struct d2d_pair_complete. Completes the PEND with
 *	this key. -ENOENT: no PEND with this key is pending
 * @D2D_PAIR_IOCTL_SIGNAL: sets the driver's two events. DRIVER.notice is a notification event,
 *	DRIVER.turn a synchronization event; DRIVER is the driver's name
 */
enum d2d_pair_ioctl {
	D2D_PAIR_IOCTL_ADD = D2D_CTL_CODE(0x801, D2D_METHOD_BUFFERED),
	D2D_PAIR_IOCTL_PEND = D2D_CTL_CODE(0x802, D2D_METHOD_BUFFERED),
	D2D_PAIR_IOCTL_COMPLETE = D2D_CTL_CODE(0x803, D2D_METHOD_BUFFERED),
	D2D_PAIR_IOCTL_SIGNAL = D2D_CTL_CODE(0x804, D2D_METHOD_BUFFERED),
};

/**
 * struct d2d_pair_complete - the input of COMPLETE
 * @key: that of PEND
 * @value: the output of PEND
 */
struct d2d_pair_complete {
	u64 key;
	u64 value;
};

/* Kind of the pair's items, whose payload is a u64. */
#define D2D_PAIR_KIND_NOTE	1

/**
 * struct d2d_pair_owner_ops - what module_a offers
 * @hdr: the interface
 * @ping: \*result = value + 1
 * @bounce: if hops > 0, calls the other side's bounce with hops - 1. \*result = the calls that
 *	were made in all. -E2BIG: more than 16 hops
 * @drain: takes all items from the peer, and puts one for each. \*result = items taken
 */
struct d2d_pair_owner_ops {
	struct d2d_ops hdr;
	int (*ping)(void *self, u32 value, u32 *result);
	int (*bounce)(void *self, u32 hops, u32 *result);
	int (*drain)(void *self, u32 *result);
};

/**
 * struct d2d_pair_peer_ops - what the peer of module_a offers
 * @hdr: the interface
 * @ping: as the owner's
 * @bounce: as the owner's
 * @drain: takes all items from the owner. \*result = items taken
 */
struct d2d_pair_peer_ops {
	struct d2d_ops hdr;
	int (*ping)(void *self, u32 value, u32 *result);
	int (*bounce)(void *self, u32 hops, u32 *result);
	int (*drain)(void *self, u32 *result);
};

/**
 * struct d2d_pair_owner_data - the owner's data in a context
 * @queue_capacity: items in each queue
 * @item_size: bytes of payload of each item
 *
 * module_a writes it when it is loaded.
 */
struct d2d_pair_owner_data {
	u32 queue_capacity;
	u32 item_size;
};

/**
 * struct d2d_pair_peer_data - the peer's data in a context
 * @cookie: any value that distinguishes the peer from others
 * @deferred: 1 if a work item of the peer completes the handshake
 * @reserved: 0
 *
 * The peer writes it during the handshake.
 */
struct d2d_pair_peer_data {
	u64 cookie;
	u32 deferred;
	u32 reserved;
};

#endif /* D2D_PAIR_H */
