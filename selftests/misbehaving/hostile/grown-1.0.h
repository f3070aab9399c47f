/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pair.
 *
 * Generated from the declaration in Rust: do not edit.
 *
 * Every operation returns 0 or a negative errno and, on success, writes its result to
 * *result.
 */
#ifndef GROWN_H
#define GROWN_H

#include "d2d.h"

#define GROWN_MAJOR	1
#define GROWN_MINOR	0

/* The hash chains of both tables: see struct d2d_ops. */
#define GROWN_OWNER_VERSION_0	0x5b03ff11f3fb80c9ull
#define GROWN_OWNER_FIRST	0x805f7cace320bdc2ull
#define GROWN_OWNER_SECOND	0x0bc8ad44f9c9346full
#define GROWN_OWNER_CHAIN { \
	GROWN_OWNER_VERSION_0, \
	GROWN_OWNER_FIRST, \
	GROWN_OWNER_SECOND, \
}

#define GROWN_PEER_VERSION_0	0x54c7b87ffdad2a33ull
#define GROWN_PEER_CHAIN { \
	GROWN_PEER_VERSION_0, \
}

/* For struct d2d_owner: the sizes of the blocks of data */
#define GROWN_DATA_SIZES \
	.owner_size = 0, \
	.peer_size = 0, \
	.shared_size = sizeof(u64), \
	.sizes_hash = GROWN_OWNER_VERSION_0

/**
 * struct grown_owner_ops - Offers these operations.
 * @hdr: describes the table
 * @first: Does one thing.
 * @second: Does another thing.
 */
struct grown_owner_ops {
	struct d2d_ops hdr;
	int (*first)(void *self, u32 value, u32 *result);
	int (*second)(void *self, u32 value, u32 *result);
};

/**
 * struct grown_peer_ops - Offers nothing.
 * @hdr: describes the table
 */
struct grown_peer_ops {
	struct d2d_ops hdr;
};

#endif /* GROWN_H */
