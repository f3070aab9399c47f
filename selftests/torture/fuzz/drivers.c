// SPDX-License-Identifier: GPL-2.0
/*
 * The drivers' lives, from registering to unregistering. No routine of a life may run after
 * d2d_unregister() has returned. To check this, each routine gets its life as an argument, and the
 * memory of a life is used again only after many others.
 */
#include <linux/delay.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "fuzz.h"

#define LIVES	4096
/* How deep routines may call each other: the stack is limited. */
#define DEEPEST	1
#define NESTS	32

static struct fuzz_life *lives;
static atomic_t next_life;

int fuzz_drivers_init(void)
{
	lives = kvcalloc(LIVES, sizeof(*lives), GFP_KERNEL);
	return lives ? 0 : -ENOMEM;
}

void fuzz_drivers_free(void)
{
	kvfree(lives);
}

/* Called when a routine of a driver begins. Returns whether the driver may still be called. */
bool fuzz_enter(struct fuzz_life *life, const char *routine)
{
	atomic_inc(&life->inside);
	if (!READ_ONCE(life->gone))
		return true;
	fuzz_violation("routine-after-unregister", "routine=%s name=%s handle=0x%llx", routine,
		       life->object.name, life->handle);
	return false;
}

void fuzz_leave(struct fuzz_life *life, const char *routine)
{
	if (READ_ONCE(life->gone))
		fuzz_violation("routine-during-unregister", "routine=%s name=%s handle=0x%llx",
			       routine, life->object.name, life->handle);
	atomic_dec(&life->inside);
}

/* How deep routines are nested, for each task, and for softirq and hardirq on each CPU. */
static struct {
	unsigned long executor;
	u32 depth;
} nests[NESTS];
static DEFINE_SPINLOCK(nests_lock);

static unsigned long executor(void)
{
	if (in_hardirq())
		return raw_smp_processor_id() * 2 + 1;
	if (in_serving_softirq())
		return raw_smp_processor_id() * 2 + 2;
	return (unsigned long)current;
}

/*
 * Returns whether a routine may make a call that may call routines again. If so, fuzz_unnest() has
 * to follow.
 */
bool fuzz_nest(void)
{
	unsigned long me = executor(), flags;
	bool done = false;
	int free = -1;

	spin_lock_irqsave(&nests_lock, flags);
	for (int n = 0; n < NESTS; n++) {
		if (!nests[n].executor) {
			free = n;
		} else if (nests[n].executor == me) {
			done = nests[n].depth < DEEPEST;
			nests[n].depth += done;
			goto unlock;
		}
	}
	if (free >= 0) {
		nests[free].executor = me;
		nests[free].depth = 1;
		done = true;
	}
unlock:
	spin_unlock_irqrestore(&nests_lock, flags);
	return done;
}

void fuzz_unnest(void)
{
	unsigned long me = executor(), flags;

	spin_lock_irqsave(&nests_lock, flags);
	for (int n = 0; n < NESTS; n++)
		if (nests[n].executor == me && !--nests[n].depth)
			nests[n].executor = 0;
	spin_unlock_irqrestore(&nests_lock, flags);
}

struct d2d_driver fuzz_driver_object(const char *name, void *self)
{
	struct d2d_driver object = D2D_DRIVER_INIT("",
		.self = self,
		.dispatch = fuzz_dispatch,
		.returned = fuzz_returned,
		.completed = fuzz_completed,
		.cancelled = fuzz_cancelled);

	strscpy(object.name, name);
	return object;
}

/* Registers a driver under one of a few names, so that a name is sometimes taken. */
void fuzz_play_register(struct fuzz_caller *caller)
{
	struct fuzz_life *life = &lives[(u32)atomic_inc_return(&next_life) % LIVES];
	struct fuzz_thing *driver = fuzz_thing_new(FUZZ_DRIVER);
	struct fuzz_thing *target;
	char name[D2D_NAME_SIZE];
	int err;

	if (!driver)
		return;
	snprintf(name, sizeof(name), "%s.%u", THIS_MODULE->name, fuzz_below(caller, 12));
	memset(life, 0, sizeof(*life));
	life->object = fuzz_driver_object(name, life);
	if (fuzz_chance(caller, 50))
		life->object.flags |= D2D_DISPATCH_ATOMIC;
	if (fuzz_chance(caller, 40))
		life->object.flags |= D2D_DISPATCH_IN_PLACE;
	if (fuzz_chance(caller, 10))
		life->object.returned = NULL;
	if (fuzz_chance(caller, 10))
		life->object.completed = NULL;
	if (fuzz_chance(caller, 10))
		life->object.cancelled = NULL;
	err = d2d_register(&life->object, &life->handle);
	fuzz_judge(caller, FUZZ_REGISTER, err, NULL, 0, 0);
	if (err) {
		fuzz_thing_failed(driver);
		return;
	}
	err = d2d_lookup(name, &life->target);
	fuzz_judge(caller, FUZZ_LOOKUP, err, NULL, 0, 0);
	if (err)
		fuzz_violation("driver-not-found", "name=%s err=%d", name, err);
	target = fuzz_thing_new(FUZZ_TARGET);
	if (target)
		fuzz_thing_made(target, life->target, life);
	fuzz_thing_made(driver, life->handle, life);
}

/*
 * Calls d2d_leave(). From its beginning on, the driver's events may be closed, and sends refused.
 */
int fuzz_driver_leave(struct fuzz_caller *caller, struct fuzz_pick *driver)
{
	struct fuzz_life *life = driver->thing ? driver->thing->life : NULL;
	struct fuzz_watch watch = {
		.call = FUZZ_LEAVE,
		.handle = driver->handle,
		.limit = FUZZ_LONGEST_MS,
		.actor = caller->actor,
	};
	int err;

	if (life)
		atomic_inc(&life->leaving);
	fuzz_watch_begins(&watch);
	err = d2d_leave(driver->handle);
	fuzz_watch_ended(&watch);
	fuzz_judge(caller, FUZZ_LEAVE, err, driver, 1, 0);
	if (life && !err)
		fuzz_note_left(life);
	return err;
}

static int end_life(struct fuzz_caller *caller, struct fuzz_pick *driver)
{
	struct fuzz_life *life = driver->thing ? driver->thing->life : NULL;
	struct fuzz_watch watch = {
		.call = FUZZ_UNREGISTER,
		.handle = driver->handle,
		.limit = FUZZ_LONGEST_MS,
		.actor = caller->actor,
	};
	int err;

	if (life) {
		/* Unregistering gives back the context of a handshake that has timed out. */
		fuzz_close_context(life);
		atomic_inc(&life->leaving);
		atomic_inc(&life->ending);
	}
	fuzz_watch_begins(&watch);
	err = d2d_unregister(driver->handle);
	fuzz_watch_ended(&watch);
	fuzz_judge(caller, FUZZ_UNREGISTER, err, driver, 1, 1);
	if (!life)
		return err;
	if (err) {
		atomic_dec(&life->ending);
		atomic_dec(&life->leaving);
	} else {
		if (atomic_read(&life->inside))
			fuzz_violation("inside-after-unregister", "name=%s handle=0x%llx inside=%d",
				       life->object.name, life->handle,
				       atomic_read(&life->inside));
		fuzz_things_of_end(life);
	}
	fuzz_open_context(life);
	return err;
}

void fuzz_play_unregister(struct fuzz_caller *caller)
{
	struct fuzz_pick driver = fuzz_pick(caller, FUZZ_DRIVER, false);

	if (fuzz_chance(caller, 30)) {
		fuzz_driver_leave(caller, &driver);
		fuzz_detach(caller, &driver);
	}
	end_life(caller, &driver);
	fuzz_unpick(&driver);
}

/*
 * Sends a request, leaves, and waits for the request, which d2d_leave() must have cancelled: no
 * other caller knows its handle. Mostly unregisters the driver then.
 */
void fuzz_play_leave(struct fuzz_caller *caller)
{
	struct fuzz_pick driver = fuzz_pick(caller, FUZZ_DRIVER, false);
	struct fuzz_pick request = { .origin = FUZZ_LIVE };
	struct d2d_result result = {};
	int sent = -ESTALE;
	int err;

	if (driver.thing && !fuzz_request_alloc(caller, &driver, 0, 0, &request.handle)) {
		fuzz_note_seen(request.handle, FUZZ_REQUEST);
		sent = fuzz_send(caller, &request, D2D_SEND_ATOMIC, NULL, NULL);
	}
	err = fuzz_driver_leave(caller, &driver);
	if (!err && (!sent || sent == -EINPROGRESS)) {
		err = fuzz_request_wait(caller, &request, FUZZ_PATIENCE_MS, &result);
		if (err == -EINPROGRESS || result.status == -ETIMEDOUT)
			fuzz_violation("sent-outlives-leave", "request=0x%llx err=%d status=%d",
				       request.handle, err, result.status);
	}
	if (fuzz_chance(caller, 90)) {
		fuzz_detach(caller, &driver);
		end_life(caller, &driver);
	}
	fuzz_unpick(&driver);
}

/*
 * Unregisters all drivers at the end of a run. For each driver, exactly one call of
 * d2d_unregister() returns 0. Here -ESTALE is right only if another thread has made that call and
 * has not set life->gone yet.
 */
void fuzz_unregister_all(struct fuzz_caller *caller)
{
	for (struct fuzz_life *life = lives; life < lives + LIVES; life++) {
		struct fuzz_pick driver;
		int err = -EBUSY;

		if (!life->handle || READ_ONCE(life->gone))
			continue;
		driver = fuzz_pick_of(FUZZ_DRIVER, life->handle);
		if (!driver.thing)
			continue;
		/* A pended handshake ends at its time limit. */
		for (int n = 0; n < FUZZ_MARGIN_MS; n++) {
			err = end_life(caller, &driver);
			if (!err || err == -ESTALE)
				break;
			if (err == -EBUSY)
				fuzz_detach(caller, &driver);
			usleep_range(1000, 1500);
		}
		if (err == -ESTALE && atomic_read(&life->ending))
			err = 0;
		if (err)
			fuzz_violation("driver-left", "name=%s err=%d", life->object.name, err);
		fuzz_unpick(&driver);
	}
}
