/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracepoints that inline functions of this and other modules hit: while one is off,
 * a patched branch; while it is on, a call of the owner's.
 */
#ifndef TWIN_POINT_H
#define TWIN_POINT_H

#include <linux/tracepoint-defs.h>

#include "twin.h"

DECLARE_TRACEPOINT(twin_enqueue);
DECLARE_TRACEPOINT(twin_dequeue);
DECLARE_TRACEPOINT(twin_doorbell);
DECLARE_TRACEPOINT(twin_op_call);
DECLARE_TRACEPOINT(twin_op_return);

void twin_hit_enqueue(const char *driver, const struct twin_queue *queue, u32 n);
void twin_hit_dequeue(const char *driver, const struct twin_queue *queue, u32 n);
void twin_hit_doorbell(const char *driver, const struct twin_queue *queue, u32 n);
void twin_hit_op_call(const char *driver, const char *op, int status);
void twin_hit_op_return(const char *driver, const char *op, int status);

/* Hits one of them in the name of the module that this is compiled into. */
#define twin_point(point, ...)						\
do {									\
	if (tracepoint_enabled(twin_##point))				\
		twin_hit_##point(THIS_MODULE->name, __VA_ARGS__);	\
} while (0)

#endif /* TWIN_POINT_H */
