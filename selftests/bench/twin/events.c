// SPDX-License-Identifier: GPL-2.0
/*
 * Named events. A thread that creates, opens or closes an event takes names_lock. Every other call
 * takes only the dispatcher's lock (lock). Before a thread that has set an event releases this
 * lock, it ends the waits that can end. So no set is lost.
 */
#include <linux/completion.h>
#include <linux/ctype.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "event.h"
#include "owner.h"
#include "trace.h"

#define MAX_EVENTS	16384
#define MAX_OPENINGS	65536
#define MAX_WAITS	64
/* A wait for this many events allocates no memory. */
#define FEW		4

struct event {
	struct rb_node node;
	struct list_head waits;
	u32 kind;
	u32 waiting;	/* how many blocks are on the list `waits` */
	u32 openings;
	bool set;
	u64 sets;
	char name[TWIN_EVENT_NAME_SIZE];
};

struct opening {
	twin_handle driver;
	struct event *event;
	u32 generation;
};

struct waiter;

/* Puts a waiting thread on the list of one event */
struct block {
	struct list_head node;
	twin_handle opening;
	struct event *event;
	struct waiter *waiter;
};

struct waiter {
	struct block *blocks;
	u32 count;
	bool all;
	bool over;
	int outcome;	/* the index of the event that ended the wait; 0 if `all`; or an errno */
	struct completion done;
};

/* Protects names, event_count and generation. */
static DEFINE_MUTEX(names_lock);
static struct rb_root names = RB_ROOT;
static u32 event_count;
static u32 generation;

/* The dispatcher's lock protects handles, events and waits. Taken with interrupts disabled. */
static DEFINE_SPINLOCK(lock);
static DEFINE_XARRAY_FLAGS(openings, XA_FLAGS_ALLOC | XA_FLAGS_LOCK_IRQ);

/* The caller holds the lock. */
static struct opening *find(twin_handle handle)
{
	struct opening *opening = xa_load(&openings, (u32)handle);

	return opening && opening->generation == handle >> 32 ? opening : NULL;
}

static int refuse_stale(twin_handle handle)
{
	return twin_refuse(TWIN_OWNER, "stale-event-handle", -ESTALE, "handle=0x%llx", handle);
}

/*
 * If the wait can end, takes its events, and returns the outcome. Otherwise returns -EAGAIN.
 */
static int take(const struct waiter *waiter)
{
	struct event *event;
	u32 i;

	/* Wait for any: stop at an event that is set. Wait for all: at one that is not set. */
	for (i = 0; i < waiter->count; i++) {
		event = waiter->blocks[i].event;
		if (event->set != waiter->all)
			break;
	}
	if (waiter->all ? i < waiter->count : i == waiter->count)
		return -EAGAIN;
	if (!waiter->all) {
		if (event->kind == TWIN_EVENT_SYNCHRONIZATION)
			event->set = false;
		return i;
	}
	for (i = 0; i < waiter->count; i++) {
		event = waiter->blocks[i].event;
		if (event->kind == TWIN_EVENT_SYNCHRONIZATION)
			event->set = false;
	}
	return 0;
}

static void unlink_blocks(struct waiter *waiter)
{
	u32 i;

	for (i = 0; i < waiter->count; i++) {
		list_del(&waiter->blocks[i].node);
		waiter->blocks[i].event->waiting--;
	}
}

static void finish(struct waiter *waiter, int outcome)
{
	unlink_blocks(waiter);
	waiter->outcome = outcome;
	waiter->over = true;
	/* The waiting thread takes the lock before it returns, so waiter is still valid here. */
	complete(&waiter->done);
}

static int set(twin_handle handle)
{
	struct block *block, *next;
	struct opening *opening;
	struct event *event;
	unsigned long flags;
	int before = -ESTALE;
	int taken;

	spin_lock_irqsave(&lock, flags);
	opening = find(handle);
	if (opening) {
		event = opening->event;
		before = event->set;
		event->set = true;
		event->sets++;
		list_for_each_entry_safe(block, next, &event->waits, node) {
			taken = take(block->waiter);
			if (taken >= 0)
				finish(block->waiter, taken);
			if (!event->set)
				break;
		}
	}
	spin_unlock_irqrestore(&lock, flags);
	trace_twin_event_set(handle, before);
	return before;
}

int twin_event_set(twin_handle event)
{
	int before = set(event);

	return before < 0 ? refuse_stale(event) : before;
}
EXPORT_SYMBOL_NS_GPL(twin_event_set, "TWIN");

/* Does nothing if the event is gone. */
void twin_event_ring(twin_handle event)
{
	set(event);
}
EXPORT_SYMBOL_NS_GPL(twin_event_ring, "TWIN");

int twin_event_reset(twin_handle event)
{
	struct opening *opening;
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	opening = find(event);
	if (opening)
		opening->event->set = false;
	spin_unlock_irqrestore(&lock, flags);
	return opening ? 0 : refuse_stale(event);
}
EXPORT_SYMBOL_NS_GPL(twin_event_reset, "TWIN");

int twin_event_query(twin_handle event)
{
	struct opening *opening;
	unsigned long flags;
	bool is_set = false;

	spin_lock_irqsave(&lock, flags);
	opening = find(event);
	if (opening)
		is_set = opening->event->set;
	spin_unlock_irqrestore(&lock, flags);
	return opening ? is_set : refuse_stale(event);
}
EXPORT_SYMBOL_NS_GPL(twin_event_query, "TWIN");

/*
 * Returns:
 * - an errno, and a reason, if the wait is refused;
 * - the result of take() if the wait is over;
 * - -ETIMEDOUT if the wait is not over, and @poll is true;
 * - -EAGAIN, without a reason, if the thread must wait.
 */
static int begin_to_wait(struct waiter *waiter, bool poll, const char **reason)
{
	struct block *blocks = waiter->blocks;
	struct opening *opening;
	u32 i, other;
	int taken;

	for (i = 0; i < waiter->count; i++) {
		opening = find(blocks[i].opening);
		if (!opening) {
			*reason = "stale-event-handle";
			return -ESTALE;
		}
		blocks[i].event = opening->event;
		for (other = 0; other < i; other++) {
			if (blocks[other].event == opening->event) {
				*reason = "event-twice";
				return -EINVAL;
			}
		}
	}
	taken = take(waiter);
	if (taken >= 0)
		return taken;
	if (poll)
		return -ETIMEDOUT;
	for (i = 0; i < waiter->count; i++) {
		if (blocks[i].event->waiting >= MAX_WAITS) {
			*reason = "too-many-waits";
			return -EAGAIN;
		}
	}
	for (i = 0; i < waiter->count; i++) {
		blocks[i].waiter = waiter;
		list_add_tail(&blocks[i].node, &blocks[i].event->waits);
		blocks[i].event->waiting++;
	}
	return -EAGAIN;
}

static int wait_for_blocks(struct waiter *waiter, u32 flags, u32 timeout, const char **reason)
{
	unsigned long jiffies = MAX_SCHEDULE_TIMEOUT;
	unsigned long irq_flags;
	int taken;
	long left;

	init_completion(&waiter->done);
	spin_lock_irqsave(&lock, irq_flags);
	taken = begin_to_wait(waiter, !timeout, reason);
	spin_unlock_irqrestore(&lock, irq_flags);
	if (taken != -EAGAIN || *reason)
		return taken;
	if (timeout != TWIN_FOREVER)
		jiffies = msecs_to_jiffies(timeout);
	if (flags & TWIN_EVENT_WAIT_INTERRUPTIBLE)
		left = wait_for_completion_interruptible_timeout(&waiter->done, jiffies);
	else
		left = wait_for_completion_timeout(&waiter->done, jiffies);
	spin_lock_irqsave(&lock, irq_flags);
	if (!waiter->over) {
		unlink_blocks(waiter);
		waiter->outcome = left < 0 ? -ERESTARTSYS : -ETIMEDOUT;
	}
	spin_unlock_irqrestore(&lock, irq_flags);
	return waiter->outcome;
}

int twin_event_wait(const twin_handle *events, u32 count, u32 flags, u32 timeout, u32 *index)
{
	struct block few[FEW], *many = NULL;
	const char *reason = NULL;
	struct waiter waiter = {
		.blocks = few,
		.count = count,
		.all = flags & TWIN_EVENT_WAIT_ALL,
	};
	int taken;
	u32 i;

	if (!count || count > MAX_WAITS)
		return twin_refuse(TWIN_OWNER, "bad-event-count", -EINVAL, "events=%u", count);
	if (flags & ~(TWIN_EVENT_WAIT_ALL | TWIN_EVENT_WAIT_INTERRUPTIBLE))
		return twin_refuse(TWIN_OWNER, "bad-flags", -EINVAL, "flags=0x%x", flags);
	if (timeout) {
		if (in_interrupt() || irqs_disabled())
			return twin_refuse(TWIN_OWNER, "wait-in-atomic-context", -EDEADLK,
					   "events=%u", count);
		might_sleep();
	}
	if (count > FEW) {
		many = kmalloc_objs(*many, count, timeout ? GFP_KERNEL : GFP_ATOMIC);
		if (!many)
			return twin_refuse(TWIN_OWNER, "out-of-memory", -ENOMEM, "events=%u",
					   count);
		waiter.blocks = many;
	}
	for (i = 0; i < count && !reason; i++) {
		if (twin_probe(&waiter.blocks[i].opening, events + i, sizeof(*events)))
			reason = "bad-events-pointer";
	}
	taken = reason ? -EFAULT : wait_for_blocks(&waiter, flags, timeout, &reason);
	kfree(many);
	trace_twin_event_wait(waiter.blocks == few ? few[0].opening : 0, taken);
	if (reason)
		return twin_refuse(TWIN_OWNER, reason, taken, "events=%u", count);
	if (taken < 0)
		return taken;
	if (index)
		*index = taken;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(twin_event_wait, "TWIN");

static int read_name(char *name, const char *from)
{
	int err = twin_probe_string(name, from, TWIN_EVENT_NAME_SIZE);
	const char *c;

	if (err == -EFAULT)
		return twin_refuse(TWIN_OWNER, "bad-event-name-pointer", -EFAULT, "at=%p", from);
	if (err)
		return twin_refuse(TWIN_OWNER, "event-name-too-long", -ENAMETOOLONG, "max=%d",
				   TWIN_EVENT_NAME_SIZE - 1);
	for (c = name; *c; c++) {
		if (!isascii(*c) || !isgraph(*c) || *c == '/')
			break;
	}
	if (*c || !*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return twin_refuse(TWIN_OWNER, "bad-event-name", -EINVAL, "name=%s", name);
	return 0;
}

static int compare_name(const void *name, const struct rb_node *node)
{
	return strcmp(name, rb_entry(node, struct event, node)->name);
}

static bool is_less(struct rb_node *a, const struct rb_node *b)
{
	return compare_name(rb_entry(a, struct event, node)->name, b) < 0;
}

/* The caller holds names_lock. */
static int add_opening(twin_handle driver, struct event *event, twin_handle *handle)
{
	struct opening *opening;
	unsigned long flags;
	u32 index;
	int err;

	opening = kmalloc_obj(*opening);
	if (!opening)
		return -ENOMEM;
	/* Needs no dispatcher's lock: no other thread knows this opening yet. */
	opening->driver = driver;
	opening->event = event;
	generation = generation + 1 ?: 1;
	opening->generation = generation;
	err = xa_alloc_irq(&openings, &index, opening, XA_LIMIT(0, MAX_OPENINGS - 1), GFP_KERNEL);
	if (err) {
		kfree(opening);
		return err == -EBUSY ? -EMFILE : err;
	}
	spin_lock_irqsave(&lock, flags);
	event->openings++;
	spin_unlock_irqrestore(&lock, flags);
	*handle = (u64)opening->generation << 32 | index;
	return 0;
}

static struct event *make_event(const char *name, u32 kind, bool initial)
{
	struct event *event = kzalloc_obj(*event);

	if (event) {
		INIT_LIST_HEAD(&event->waits);
		event->kind = kind;
		event->set = initial;
		strscpy(event->name, name);
	}
	return event;
}

/*
 * Opens the event of this name. If there is none, makes one, unless @initial is NULL. *initial
 * says whether the new event is set. The caller holds names_lock.
 */
static int open_locked(twin_handle driver, const char *name, u32 kind, const u32 *initial,
		       twin_handle *handle, const char **step)
{
	struct rb_node *node = rb_find(name, &names, compare_name);
	struct twin_slot *slot;
	struct event *event;
	unsigned long flags;
	int err = 0;

	/*
	 * twin_unregister() may begin after this check. Then it waits for names_lock, and closes
	 * the handle that this function makes.
	 */
	spin_lock_irqsave(&twin_drivers_lock, flags);
	slot = twin_driver_find(driver);
	if (!slot)
		err = -ESTALE;
	else if (slot->unregistering)
		err = -ESHUTDOWN;
	spin_unlock_irqrestore(&twin_drivers_lock, flags);
	if (err)
		return err;
	if (node) {
		*step = "event-open";
		event = rb_entry(node, struct event, node);
		return event->kind == kind ? add_opening(driver, event, handle) : -EPROTOTYPE;
	}
	if (!initial)
		return -ENOENT;
	if (event_count >= MAX_EVENTS)
		return -ENFILE;
	*step = "event-create";
	event = make_event(name, kind, *initial);
	if (!event)
		return -ENOMEM;
	err = add_opening(driver, event, handle);
	if (err) {
		kfree(event);
		return err;
	}
	rb_add(&event->node, &names, is_less);
	event_count++;
	return 0;
}

static const char *refusal(int err)
{
	switch (err) {
	case -ESTALE:
		return "stale-driver-handle";
	case -ESHUTDOWN:
		return "driver-is-leaving";
	case -EPROTOTYPE:
		return "other-event-kind";
	case -ENOENT:
		return "unknown-event";
	case -ENFILE:
		return "too-many-events";
	case -EMFILE:
		return "too-many-event-handles";
	default:
		return "out-of-memory";
	}
}

static int open(twin_handle driver, const char *from, u32 kind, const u32 *initial,
		twin_handle *handle)
{
	static const char * const kinds[] = { "notification", "synchronization" };
	char name[TWIN_EVENT_NAME_SIZE];
	const char *step;
	int err;

	might_sleep();
	if (!handle)
		return twin_refuse(TWIN_OWNER, "bad-handle-pointer", -EFAULT, "at=%p", handle);
	err = read_name(name, from);
	if (err)
		return err;
	if (kind > TWIN_EVENT_SYNCHRONIZATION)
		return twin_refuse(TWIN_OWNER, "bad-event-kind", -EINVAL, "kind=%u", kind);
	mutex_lock(&names_lock);
	err = open_locked(driver, name, kind, initial, handle, &step);
	mutex_unlock(&names_lock);
	if (err)
		return twin_refuse(TWIN_OWNER, refusal(err), err, "name=%s", name);
	twin_step(TWIN_OWNER, step, "name=%s kind=%s", name, kinds[kind]);
	return 0;
}

int twin_event_create(twin_handle driver, const char *name, u32 kind, u32 initial,
		      twin_handle *event)
{
	return open(driver, name, kind, &initial, event);
}
EXPORT_SYMBOL_NS_GPL(twin_event_create, "TWIN");

int twin_event_open(twin_handle driver, const char *name, u32 kind, twin_handle *event)
{
	return open(driver, name, kind, NULL, event);
}
EXPORT_SYMBOL_NS_GPL(twin_event_open, "TWIN");

/* Also ends the waits that began with the handle. The caller holds names_lock. */
static int close_locked(twin_handle handle)
{
	struct block *block, *next;
	struct opening *opening;
	struct event *event;
	unsigned long flags;
	bool last;

	spin_lock_irqsave(&lock, flags);
	opening = find(handle);
	if (!opening) {
		spin_unlock_irqrestore(&lock, flags);
		return -ESTALE;
	}
	xa_erase(&openings, (u32)handle);
	event = opening->event;
	list_for_each_entry_safe(block, next, &event->waits, node) {
		if (block->opening == handle)
			finish(block->waiter, -ECANCELED);
	}
	last = !--event->openings;
	spin_unlock_irqrestore(&lock, flags);
	kfree(opening);
	if (last) {
		rb_erase(&event->node, &names);
		event_count--;
		kfree(event);
	}
	return 0;
}

int twin_event_close(twin_handle event)
{
	int err;

	mutex_lock(&names_lock);
	err = close_locked(event);
	mutex_unlock(&names_lock);
	return err ? refuse_stale(event) : 0;
}
EXPORT_SYMBOL_NS_GPL(twin_event_close, "TWIN");

void twin_events_close_all(twin_handle driver)
{
	struct opening *opening;
	unsigned long index;

	mutex_lock(&names_lock);
	/* Only a thread with names_lock frees an opening, so no other thread does meanwhile. */
	xa_for_each(&openings, index, opening) {
		if (opening->driver == driver)
			close_locked((u64)opening->generation << 32 | index);
	}
	mutex_unlock(&names_lock);
}
