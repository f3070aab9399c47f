/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_TRACEPOINTS_H
#define D2D_TRACEPOINTS_H

#include "d2d_hot_step.h"

/*
 * 1 for each group that Config::print_hot_steps() prints as lines. The sender of a request decides
 * whether the steps of the request have lines (D2D_SEND_TRACE).
 */
#define D2D_PRINTS_none		0
#define D2D_PRINTS_queues	1
#define D2D_PRINTS_ops		1
#define D2D_PRINTS_requests	0
#define D2D_PRINTS_events	0

/*
 * A step or a field. form is the form of a field's number. prints is D2D_PRINTS_... of a step's
 * group. Rust type: TraceName.
 */
struct d2d_trace_name {
	const char *text;
	u32 length;
	u32 form;
	u32 prints;
};

extern const struct d2d_trace_name d2d_step_names[D2D_STEP_COUNT];
extern const struct d2d_trace_name d2d_field_names[D2D_FIELD_COUNT];

/* Returns whether the tracepoint of a step is on; false for an unknown step. Any context. */
bool d2d_is_on(u32 step);

/*
 * Hits the tracepoint of the record's step, which is less than D2D_STEP_COUNT. The caller has
 * copied all texts of the record to its own memory. Any context but NMI.
 */
void d2d_hit(const struct d2d_record *record, u64 seq, u64 load, const char *in,
	     const char *detail);

/*
 * The kernel calls d2d_GROUP_on() when it switches a tracepoint of the group on, and
 * d2d_GROUP_off() when it switches one off. May sleep.
 */
#define D2D_SWITCHES(group) int d2d_##group##_on(void); void d2d_##group##_off(void);
D2D_GROUPS(D2D_SWITCHES)

/* Switches on the groups whose steps an owner can print as lines. May sleep. */
void d2d_lines_on(void);

/*
 * From here on, the keys of the driver in this slot are on and off as the owner's own keys are. The
 * slot is less than D2D_MAX_DRIVERS. The keys exist until d2d_hot_keys_remove(). May sleep.
 */
void d2d_hot_keys_add(u32 slot, struct d2d_hot_keys *keys);

/*
 * Forgets the keys of the driver in this slot. Switches them off, unless another driver or the
 * owner has the same keys. May sleep.
 */
void d2d_hot_keys_remove(u32 slot);

#endif /* D2D_TRACEPOINTS_H */
