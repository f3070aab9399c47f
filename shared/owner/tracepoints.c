// SPDX-License-Identifier: GPL-2.0
/*
 * Defines the tracepoints, which only C can do, and switches the static keys of the hot steps. All
 * steps of a group share one key, so that code that hits several of them needs one branch. Kbuild
 * compiles this file for each owner, as each owner has tracepoints of its own.
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

/* The owner's own keys */
D2D_DEFINE_HOT_KEYS;

/* Protects what follows, and is held while keys are switched. */
static DEFINE_MUTEX(d2d_switching);

/* How many tracepoints of each group are on, plus one if its steps are printed as lines. */
#define D2D_COUNT_ON(group)	unsigned int group;
static struct { D2D_GROUPS(D2D_COUNT_ON) } d2d_on;

/* The keys of the module of each registered driver, or NULL. Drivers of a module share them. */
static struct d2d_hot_keys *d2d_driver_keys[D2D_MAX_DRIVERS];

#define D2D_SWITCH(group)						\
static void d2d_set_##group(struct d2d_hot_keys *keys, bool on)	\
{									\
	if (on)								\
		static_branch_enable(&(*keys).group);			\
	else								\
		static_branch_disable(&(*keys).group);			\
}									\
									\
static void d2d_##group##_switch(void)					\
{									\
	d2d_set_##group(&d2d_own_hot_keys, d2d_on.group);		\
	for (u32 i = 0; i < D2D_MAX_DRIVERS; i++)			\
		if (d2d_driver_keys[i])					\
			d2d_set_##group(d2d_driver_keys[i], d2d_on.group); \
}									\
									\
int d2d_##group##_on(void)						\
{									\
	guard(mutex)(&d2d_switching);					\
	if (!d2d_on.group++)						\
		d2d_##group##_switch();					\
	return 0;							\
}									\
									\
void d2d_##group##_off(void)						\
{									\
	guard(mutex)(&d2d_switching);					\
	if (!--d2d_on.group)						\
		d2d_##group##_switch();					\
}									\
									\
static void d2d_##group##_print(void)					\
{									\
	if (D2D_PRINTS_##group)						\
		d2d_##group##_on();					\
}

D2D_GROUPS(D2D_SWITCH)

#define D2D_FOLLOW(group)	d2d_set_##group(keys, d2d_on.group);
#define D2D_DISABLE(group)	d2d_set_##group(keys, false);

void d2d_hot_keys_add(u32 slot, struct d2d_hot_keys *keys)
{
	guard(mutex)(&d2d_switching);
	d2d_driver_keys[slot] = keys;
	D2D_GROUPS(D2D_FOLLOW)
}

void d2d_hot_keys_remove(u32 slot)
{
	struct d2d_hot_keys *keys;

	guard(mutex)(&d2d_switching);
	keys = d2d_driver_keys[slot];
	d2d_driver_keys[slot] = NULL;
	if (!keys || keys == &d2d_own_hot_keys)
		return;
	for (u32 i = 0; i < D2D_MAX_DRIVERS; i++)
		if (d2d_driver_keys[i] == keys)
			return;
	D2D_GROUPS(D2D_DISABLE)
}

#define D2D_PRINT(group)	d2d_##group##_print();

void d2d_lines_on(void)
{
	D2D_GROUPS(D2D_PRINT)
}

#ifdef CONFIG_TRACEPOINTS

#define D2D_TRACEPOINT(constant, tracepoint, name, group) \
	[D2D_STEP_##constant] = { trace_d2d_##tracepoint##_enabled, trace_d2d_##tracepoint },

static const struct {
	bool (*is_on)(void);
	void (*hit)(const struct d2d_record *record, u64 seq, u64 load, const char *in,
		    const char *detail);
} tracepoints[D2D_STEP_COUNT] = { D2D_STEPS(D2D_TRACEPOINT) };

bool d2d_is_on(u32 step)
{
	return step < D2D_STEP_COUNT && tracepoints[step].is_on();
}

void d2d_hit(const struct d2d_record *record, u64 seq, u64 load, const char *in,
	     const char *detail)
{
	tracepoints[record->step].hit(record, seq, load, in, detail);
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
