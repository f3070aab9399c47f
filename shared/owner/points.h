/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_POINTS_H
#define D2D_POINTS_H

#include <linux/build_bug.h>
#include <linux/types.h>

/* A string without a NUL. */
struct d2d_piece {
	const char *text;
	u32 len;
};

/* What the tracepoint of a step is hit with. Rust type: Hit in trace.rs. */
struct d2d_hit {
	const char *driver;
	const char *in;
	const char *detail;
	struct d2d_piece step;
	struct d2d_piece queue;
	struct d2d_piece op;
	struct d2d_piece name;
	u64 seq;
	u64 load;
	u64 handle;
	s32 ctx;
	s32 req;
	s32 status;
	u32 code;
	u32 n;
	u32 depth;
};

static_assert(sizeof(struct d2d_hit) == 136);

/* Whether the tracepoint of a step, one that there is, is on. */
bool d2d_is_on(u32 step);

/* Hits it. Any context but NMI. */
void d2d_hit(u32 step, const struct d2d_hit *hit);

#endif /* D2D_POINTS_H */
