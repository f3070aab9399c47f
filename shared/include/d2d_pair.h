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

/*
 * The requests that both drivers serve, in any context.
 * ADD: input and output are a u64; the output is the input plus 1.
 * PEND: the input is a u64, the key. Stays pending until COMPLETE with the same key. The output
 *	is a u64, the value of COMPLETE. -EBUSY: too many are pending.
 * COMPLETE: the input is a struct d2d_pair_complete. Completes the PEND with this key.
 *	-ENOENT: no PEND with this key is pending.
 * SIGNAL: sets the driver's two events. DRIVER.notice is a notification event, DRIVER.turn a
 *	synchronization event; DRIVER is the driver's name.
 */
enum d2d_pair_ioctl {
	D2D_PAIR_IOCTL_ADD = D2D_CTL_CODE(0x801, D2D_METHOD_BUFFERED),
	D2D_PAIR_IOCTL_PEND = D2D_CTL_CODE(0x802, D2D_METHOD_BUFFERED),
	D2D_PAIR_IOCTL_COMPLETE = D2D_CTL_CODE(0x803, D2D_METHOD_BUFFERED),
	D2D_PAIR_IOCTL_SIGNAL = D2D_CTL_CODE(0x804, D2D_METHOD_BUFFERED),
};

struct d2d_pair_complete {
	u64 key;	/* that of PEND */
	u64 value;	/* the output of PEND */
};

/* Kind of the pair's items, whose payload is a u64. */
#define D2D_PAIR_KIND_NOTE	1

/* What module_a offers. */
struct d2d_pair_owner_ops {
	struct d2d_ops hdr;
	/* *result = value + 1 */
	int (*ping)(void *self, u32 value, u32 *result);
	/*
	 * If hops > 0, calls the other side's bounce with hops - 1. *result = calls that
	 * were made in all. -E2BIG: more than 16 hops.
	 */
	int (*bounce)(void *self, u32 hops, u32 *result);
	/* Takes all items from the peer, and puts one for each. *result = items taken. */
	int (*drain)(void *self, u32 *result);
};

/* What the peer of module_a offers. */
struct d2d_pair_peer_ops {
	struct d2d_ops hdr;
	int (*ping)(void *self, u32 value, u32 *result);
	int (*bounce)(void *self, u32 hops, u32 *result);
	/* Takes all items from the owner. *result = items taken. */
	int (*drain)(void *self, u32 *result);
};

/* The owner's data in a context. module_a writes it when it is loaded. */
struct d2d_pair_owner_data {
	u32 queue_capacity;
	u32 item_size;
};

/* The peer's data in a context. The peer writes it during the handshake. */
struct d2d_pair_peer_data {
	u64 cookie;	/* any value that distinguishes the peer from others */
	u32 deferred;	/* 1 if a work item of the peer completes the handshake */
	u32 reserved;	/* 0 */
};

#endif /* D2D_PAIR_H */
