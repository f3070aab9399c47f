/* SPDX-License-Identifier: GPL-2.0 */
/* How the contenders of the bench are measured. Mirrored by contender.rs. */
#ifndef D2D_BENCH_HARNESS_H
#define D2D_BENCH_HARNESS_H

#include <linux/types.h>

/* What does n operations. Returns 0 or an errno. */
typedef int d2d_bench_loop(void *arg, u64 n);

/* The loop runs in hard interrupt, in the callback of a timer. */
#define D2D_BENCH_HARDIRQ	1
/* The two threads do not sleep while they wait: where there is one CPU, nothing is measured. */
#define D2D_BENCH_SPINS		2
/*
 * So many threads as value says do other, again and again, until loop returns. Each time it
 * puts up to n items, and returns how many found room, or an errno. They spin, too.
 */
#define D2D_BENCH_PRODUCERS	4

/*
 * One way of doing something. The loop is in a function whose name has loop_ and the
 * contender's name in it; the disassembly has to show what it calls.
 */
struct d2d_bench_contender {
	const char *name;
	const char *base;	/* the contender that it is compared with */
	const char *calls;	/* a part of the callee's name, "*": indirectly, "": nothing */
	d2d_bench_loop *loop;
	d2d_bench_loop *other;	/* what another thread does meanwhile, if it takes two */
	void *arg;
	const char *axis;	/* if it is measured at several points: what they are points of */
	u64 value;		/* which one this is */
	unsigned int flags;	/* D2D_BENCH_... */
};

/* Measures it, and prints the figures. */
int d2d_bench_run(const struct d2d_bench_contender *contender);

/* Measures an empty loop, of which it is known how many instructions it has. */
int d2d_bench_calibrate(void);

/* Measures what the kernel has. */
int d2d_bench_mechanisms(void);

struct d2d_context;

/* Measures a queue of the context as a driver in C uses it. */
int d2d_bench_queue(struct d2d_context *context);

/* Lets so many more drivers hold contexts, as the one that holds this one. */
int d2d_bench_crowd(const struct d2d_context *context, u32 size);

/* Measures such a driver that comes and goes. */
int d2d_bench_attach_detach(const struct d2d_context *context);

#endif /* D2D_BENCH_HARNESS_H */
