// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a module whose init does one wrong thing, which the parameter "kind" names. The harness
 * must make the run fail. qemu/tests/harness.sh checks the reason that the harness prints.
 */
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *kind = "";
module_param(kind, charp, 0);
MODULE_PARM_DESC(kind, "What to do wrong: a name in the table acts[]; by default nothing");

static void splat_warn(void)
{
	WARN(1, "as asked\n");
}

static void splat_oops(void)
{
	WRITE_ONCE(*(int *)NULL, 1);
}

static void splat_panic(void)
{
	panic("as asked");
}

static void splat_sleep_in_atomic(void)
{
	preempt_disable();
	msleep(20);
	preempt_enable();
}

/* A soft lockup */
static void splat_spin(void)
{
	preempt_disable();
	for (;;)
		cpu_relax();
}

/* A hung task */
static void splat_hang(void)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	schedule();
}

static void splat_refcount(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);
}

/* A kernel with BUG_ON_DATA_CORRUPTION calls BUG(). */
static void splat_list(void)
{
	LIST_HEAD(list);
	struct list_head item;

	list_add(&item, &list);
	item.prev = NULL;
	list_del(&item);
}

static void splat_slab(void)
{
	struct kmem_cache *cache;

	cache = kmem_cache_create("splat", 64, 0, SLAB_NO_MERGE, NULL);
	if (!cache)
		return;
	if (!kmem_cache_alloc(cache, GFP_KERNEL))
		pr_err("splat: no memory for the object\n");
	kmem_cache_destroy(cache);
}

static void splat_taint(void)
{
	add_taint(TAINT_USER, LOCKDEP_STILL_OK);
}

/* Each act below needs one of these: KASAN, lockdep, kmemleak, object debugging, CFI. */

static void splat_use_after_free(void)
{
	int *object = kmalloc(sizeof(*object), GFP_KERNEL);

	if (!object)
		return;
	kfree(object);
	OPTIMIZER_HIDE_VAR(object);
	WRITE_ONCE(*object, 1);
}

static void splat_out_of_bounds(void)
{
	size_t size = 64;
	char *object = kmalloc(size, GFP_KERNEL);

	if (!object)
		return;
	OPTIMIZER_HIDE_VAR(size);
	WRITE_ONCE(object[size], 1);
	kfree(object);
}

/* Lockdep reports the two orders even if no thread has to wait. */
static void splat_inversion(void)
{
	static DEFINE_SPINLOCK(one);
	static DEFINE_SPINLOCK(other);

	spin_lock(&one);
	spin_lock(&other);
	spin_unlock(&other);
	spin_unlock(&one);

	spin_lock(&other);
	spin_lock(&one);
	spin_unlock(&one);
	spin_unlock(&other);
}

/* Lockdep switches itself off without a report, as it does for a proprietary module. */
static void splat_lockdep_off(void)
{
	add_taint(TAINT_USER, LOCKDEP_NOW_UNRELIABLE);
}

static void splat_sleep_under_lock(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
}

/* Several objects, because kmemleak misses one if a stale word in memory points to it */
static void splat_leak(void)
{
	int i;

	for (i = 0; i < 8; i++) {
		int *object = kmalloc(sizeof(*object), GFP_KERNEL);

		if (object)
			WRITE_ONCE(*object, i);
	}
}

struct splat_tick {
	struct timer_list timer;
};

static void splat_no_tick(struct timer_list *timer)
{
}

static void splat_active_timer(void)
{
	struct splat_tick *tick = kmalloc(sizeof(*tick), GFP_KERNEL);

	if (!tick)
		return;
	timer_setup(&tick->timer, splat_no_tick, 0);
	mod_timer(&tick->timer, jiffies + 60 * HZ);
	kfree(tick);
}

static u64 splat_of_u64(u64 value)
{
	return value;
}

static void splat_cfi(void)
{
	void *function = splat_of_u64;
	u32 (*of_u32)(u32 value);

	OPTIMIZER_HIDE_VAR(function);
	of_u32 = function;
	of_u32(1);
}

static const struct {
	const char *name;
	void (*act)(void);
} acts[] = {
	{ "warn", splat_warn },
	{ "oops", splat_oops },
	{ "panic", splat_panic },
	{ "sleep_in_atomic", splat_sleep_in_atomic },
	{ "spin", splat_spin },
	{ "hang", splat_hang },
	{ "refcount", splat_refcount },
	{ "list", splat_list },
	{ "slab", splat_slab },
	{ "taint", splat_taint },
	{ "use_after_free", splat_use_after_free },
	{ "out_of_bounds", splat_out_of_bounds },
	{ "inversion", splat_inversion },
	{ "lockdep_off", splat_lockdep_off },
	{ "sleep_under_lock", splat_sleep_under_lock },
	{ "leak", splat_leak },
	{ "active_timer", splat_active_timer },
	{ "cfi", splat_cfi },
};

static int __init splat_init(void)
{
	int i;

	if (!*kind)
		return 0;
	for (i = 0; i < ARRAY_SIZE(acts); i++) {
		if (!strcmp(kind, acts[i].name)) {
			acts[i].act();
			return 0;
		}
	}
	return -EINVAL;
}

static void __exit splat_exit(void)
{
}

module_init(splat_init);
module_exit(splat_exit);
MODULE_DESCRIPTION("Test: does one wrong thing, which d2d-vm must notice");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
