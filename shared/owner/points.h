/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_POINTS_H
#define D2D_POINTS_H

#include "d2d_step.h"

/* How a line shows the name of a step or a field, and the number of that field. Rust type: Word. */
struct d2d_word {
	const char *text;
	u32 length;
	u32 form;
};

extern const struct d2d_word d2d_step_words[D2D_STEP_COUNT];
extern const struct d2d_word d2d_field_words[D2D_FIELD_COUNT];

/* Returns whether the tracepoint of a step, which exists, is on. */
bool d2d_is_on(u32 step);

/*
 * Hits the tracepoint of the record's step. All texts of the record are in the owner's
 * memory. Any context but NMI.
 */
void d2d_hit(const struct d2d_record *record, u64 seq, u64 load, const char *in,
	     const char *detail);

#endif /* D2D_POINTS_H */
