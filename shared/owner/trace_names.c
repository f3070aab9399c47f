// SPDX-License-Identifier: GPL-2.0
#include "tracepoints.h"

#define D2D_NAME_OF_STEP(constant, tracepoint, name, group) \
	[D2D_STEP_##constant] = { name, sizeof(name) - 1, .prints = D2D_PRINTS_##group },
const struct d2d_trace_name d2d_step_names[D2D_STEP_COUNT] = { D2D_STEPS(D2D_NAME_OF_STEP) };

#define D2D_NAME_OF_FIELD(constant, name, form) \
	[D2D_FIELD_##constant] = { #name, sizeof(#name) - 1, D2D_FORM_##form },
const struct d2d_trace_name d2d_field_names[D2D_FIELD_COUNT] = { D2D_FIELDS(D2D_NAME_OF_FIELD) };
