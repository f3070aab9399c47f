// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints, which only C can define, and the static keys of the hot steps. All steps of a
 * group share one key, so code that hits several of them needs only one branch. Kbuild compiles
 * this file for each owner.
 */
#include <linux/jump_label.h>
#include <linux/module.h>
#include <linux/mutex.h>

#include "d2d_hot_step.h"
#include "tracepoints.h"

#ifdef CONFIG_TRACEPOINTS
#define CREATE_TRACE_POINTS
#include "d2d_trace.h"
#endif

D2D_DEFINE_HOT_KEYS;

/* Protects d2d_on and d2d_driver_keys, and is held while keys are switched. */
static DEFINE_MUTEX(d2d_switching);

#define D2D_GROUP_NUMBER(group)	D2D_GROUP_##group,
enum { D2D_GROUPS(D2D_GROUP_NUMBER) };

/* The key of a group is the one with the group's number. */
static_assert(sizeof(struct d2d_hot_keys) == D2D_GROUP_COUNT * sizeof(struct static_key_false));

/* How many tracepoints of a group are on, plus one if the group's steps are printed as lines. */
static unsigned int d2d_on[D2D_GROUP_COUNT];

/* For each slot, the keys of its driver's module, or NULL. Drivers of one module share the keys. */
static struct d2d_hot_keys *d2d_driver_keys[D2D_MAX_DRIVERS];

static void d2d_set(struct d2d_hot_keys *keys, u32 group, bool on)
{
	struct static_key_false *key = (struct static_key_false *)keys + group;

	if (on)
		static_branch_enable(key);
	else
		static_branch_disable(key);
}

static void d2d_set_all(u32 group, bool on)
{
	d2d_set(&d2d_own_hot_keys, group, on);
	for (u32 i = 0; i < D2D_MAX_DRIVERS; i++)
		if (d2d_driver_keys[i])
			d2d_set(d2d_driver_keys[i], group, on);
}

static void d2d_count_on(u32 group)
{
	guard(mutex)(&d2d_switching);
	if (!d2d_on[group]++)
		d2d_set_all(group, true);
}

static void d2d_count_off(u32 group)
{
	guard(mutex)(&d2d_switching);
	if (!--d2d_on[group])
		d2d_set_all(group, false);
}

#define D2D_SWITCH(group)						\
int d2d_##group##_on(void)						\
{									\
	d2d_count_on(D2D_GROUP_##group);				\
	return 0;							\
}									\
									\
void d2d_##group##_off(void)						\
{									\
	d2d_count_off(D2D_GROUP_##group);				\
}

D2D_GROUPS(D2D_SWITCH)

void d2d_hot_keys_add(u32 slot, struct d2d_hot_keys *keys)
{
	guard(mutex)(&d2d_switching);
	d2d_driver_keys[slot] = keys;
	for (u32 group = 0; group < D2D_GROUP_COUNT; group++)
		d2d_set(keys, group, d2d_on[group]);
}

void d2d_hot_keys_remove(u32 slot)
{
	struct d2d_hot_keys *keys;

	if (slot >= D2D_MAX_DRIVERS)
		return;
	guard(mutex)(&d2d_switching);
	keys = d2d_driver_keys[slot];
	d2d_driver_keys[slot] = NULL;
	if (!keys || keys == &d2d_own_hot_keys)
		return;
	for (u32 i = 0; i < D2D_MAX_DRIVERS; i++)
		if (d2d_driver_keys[i] == keys)
			return;
	for (u32 group = 0; group < D2D_GROUP_COUNT; group++)
		d2d_set(keys, group, false);
}

#define D2D_PRINTS(group)	D2D_PRINTS_##group,

void d2d_lines_on(void)
{
	static const bool prints[D2D_GROUP_COUNT] = { D2D_GROUPS(D2D_PRINTS) };

	for (u32 group = 0; group < D2D_GROUP_COUNT; group++)
		if (prints[group])
			d2d_count_on(group);
}

#ifdef CONFIG_TRACEPOINTS

#define D2D_TRACEPOINT(constant, tracepoint, name, group) \
	[D2D_STEP_##constant] = &__tracepoint_d2d_##tracepoint,

static struct tracepoint *const d2d_tracepoints[D2D_STEP_COUNT] = { D2D_STEPS(D2D_TRACEPOINT) };

bool d2d_is_on(u32 step)
{
	return step < D2D_STEP_COUNT && static_key_enabled(&d2d_tracepoints[step]->key);
}

/* trace_call__X() does not ask whether the tracepoint is on: d2d_is_on() was true. */
#define D2D_HIT(constant, tracepoint, name, group)				\
	case D2D_STEP_##constant:						\
		trace_call__d2d_##tracepoint(record, seq, load, in, detail);	\
		break;

void d2d_hit(const struct d2d_record *record, u64 seq, u64 load, const char *in,
	     const char *detail)
{
	switch (record->step) {
	D2D_STEPS(D2D_HIT)
	}
}

#else

bool d2d_is_on(u32 step)
{
	return false;
}

void d2d_hit(const struct d2d_record *record, u64 seq, u64 load, const char *in,
	     const char *detail)
{
}

#endif
