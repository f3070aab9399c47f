/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Measures contenders, each of which is one way of doing an operation. contender.rs has the same
 * types in Rust.
 */
#ifndef D2D_BENCH_MEASURE_H
#define D2D_BENCH_MEASURE_H

#include <linux/types.h>

/* A loop that does n operations. Returns 0 or an errno. */
typedef int d2d_bench_loop(void *arg, u64 n);

/* @loop runs in hard interrupt. */
#define D2D_BENCH_HARDIRQ	1
/*
 * The threads of @loop and @other spin while they wait for each other. Skipped on a machine with
 * one CPU.
 */
#define D2D_BENCH_SPINS		2
/*
 * @value threads, the producers, call @other again and again while one thread runs @loop. @other
 * puts up to n items, and returns how many fitted, or an errno. Skipped on a machine with one CPU.
 */
#define D2D_BENCH_PRODUCERS	4

/*
 * The measured loop is in a function whose name ends with loop_NAME. NAME is the contender's name
 * (after the colon, if it has one), with _ for each -. The host checks in the disassembly what this
 * function calls.
 */
struct d2d_bench_contender {
	const char *name;
	const char *base;	/* the name of the contender to compare with */
	/* Part of the name of loop_NAME's callee; "*": an indirect call, "": no call */
	const char *callee;
	d2d_bench_loop *loop;
	d2d_bench_loop *other;	/* the loop of the second thread or of the producers, or NULL */
	void *arg;
	const char *axis;	/* what varies along the curve, if this is a point of one */
	u64 value;		/* its value at this point */
	unsigned int flags;	/* D2D_BENCH_... */
};

int d2d_bench_run(const struct d2d_bench_contender *contender);

/* Measures an empty loop, whose number of instructions is known. */
int d2d_bench_calibrate(void);

int d2d_bench_mechanisms(void);

struct d2d_context;

/* Measures a queue of the context with the functions for drivers in C. */
int d2d_bench_queue(struct d2d_context *context);

/* Attaches or detaches other drivers than that of @context, until @size of them have a context. */
int d2d_bench_crowd(const struct d2d_context *context, u32 size);

int d2d_bench_attach_detach(const struct d2d_context *context);

#endif /* D2D_BENCH_MEASURE_H */
