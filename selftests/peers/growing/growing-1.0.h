/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A pair that grows.
 *
 * Generated from the declaration in Rust: do not edit.
 *
 * Every operation returns 0 or a negative errno and, on success, writes its result to
 * *result.
 */
#ifndef GROWING_H
#define GROWING_H

#include "d2d.h"

#define GROWING_MAJOR	1
#define GROWING_MINOR	0

/* The hash chains of both tables: see struct d2d_ops. */
#define GROWING_OWNER_VERSION_0	0xdf7b088bcef7be58ull
#define GROWING_OWNER_CHECK	0xfe8098b93c759331ull
#define GROWING_OWNER_COUNT	0x151b0d6a584fbaf9ull
#define GROWING_OWNER_CHAIN { \
	GROWING_OWNER_VERSION_0, \
	GROWING_OWNER_CHECK, \
	GROWING_OWNER_COUNT, \
}

#define GROWING_PEER_VERSION_0	0x00cb28a5d91246b9ull
#define GROWING_PEER_COUNT	0x37b0d189ddf27607ull
#define GROWING_PEER_CHAIN { \
	GROWING_PEER_VERSION_0, \
	GROWING_PEER_COUNT, \
}

/**
 * struct growing_peer_data - The peer's data, which it writes during the handshake.
 * @cookie: An argument of `check`.
 */
struct growing_peer_data {
	u64 cookie;
};

static_assert(sizeof(struct growing_peer_data) == 8);
static_assert(offsetof(struct growing_peer_data, cookie) == 0);

/**
 * struct growing_shared_data - The data that both share.
 * @peers: Peers that were attached so far.
 */
struct growing_shared_data {
	u64 peers;
};

static_assert(sizeof(struct growing_shared_data) == 8);
static_assert(offsetof(struct growing_shared_data, peers) == 0);

/**
 * struct growing_round - The argument and the result of operations.
 * @number: Counts the rounds.
 * @cookie: The cookie of the peer that has counted last.
 * @more: 3 numbers.
 */
struct growing_round {
	u64 number;
	u64 cookie;
	u64 more[3];
};

static_assert(sizeof(struct growing_round) == 40);
static_assert(offsetof(struct growing_round, number) == 0);
static_assert(offsetof(struct growing_round, cookie) == 8);
static_assert(offsetof(struct growing_round, more) == 16);

/*
 * A number.
 *	Payload: u64
 */
#define GROWING_KIND_NUMBER	1

/**
 * enum growing_ioctl - the requests
 * @GROWING_IOCTL_ECHO: Returns its input.
 *	Input: u64
 *	Output: u64
 */
enum growing_ioctl {
	GROWING_IOCTL_ECHO = D2D_CTL_CODE(0x801, D2D_METHOD_BUFFERED),
};

/**
 * struct growing_owner_ops - What the owner offers.
 * @hdr: describes the table
 * @check: Checks the data of the peer: that its cookie is `cookie`, and that `peers` peers were
 *	attached so far. Returns `peers`. Fails with `EBADMSG` if one of them is wrong.
 * @count: Returns what the peer's operation `count` returns for `round`.
 */
struct growing_owner_ops {
	struct d2d_ops hdr;
	int (*check)(void *self, u64 cookie, u64 peers, u64 *result);
	int (*count)(void *self, struct growing_round round, struct growing_round *result);
};

/**
 * struct growing_peer_ops - What the peer offers.
 * @hdr: describes the table
 * @count: Returns the round after `round`, with the cookie of the peer.
 */
struct growing_peer_ops {
	struct d2d_ops hdr;
	int (*count)(void *self, struct growing_round round, struct growing_round *result);
};

#endif /* GROWING_H */
