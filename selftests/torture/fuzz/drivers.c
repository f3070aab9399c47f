// SPDX-License-Identifier: GPL-2.0
/*
 * Part of the fuzzer (fuzz.h). Registering and unregistering drivers. The fuzzer reuses the struct
 * fuzz_registration of a driver only after many others, to notice a routine that runs after
 * d2d_unregister().
 */
#include <linux/delay.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "fuzz.h"

#define REGISTRATIONS	4096
/* The most nested calls on one stack, which is small */
#define MAX_DEPTH	1
#define NESTS	32

static struct fuzz_registration *registrations;
static atomic_t next_registration;

int fuzz_drivers_init(void)
{
	registrations = kvcalloc(REGISTRATIONS, sizeof(*registrations), GFP_KERNEL);
	return registrations ? 0 : -ENOMEM;
}

void fuzz_drivers_free(void)
{
	kvfree(registrations);
}

/*
 * Each routine calls this function first, and fuzz_end_routine() last. Returns whether the owner
 * may still call the driver.
 */
bool fuzz_begin_routine(struct fuzz_registration *reg, const char *routine)
{
	atomic_inc(&reg->inside);
	if (!READ_ONCE(reg->unregistered))
		return true;
	fuzz_violation("routine-after-unregister", "routine=%s name=%s handle=0x%llx", routine,
		       reg->object.name, reg->handle);
	return false;
}

void fuzz_end_routine(struct fuzz_registration *reg, const char *routine)
{
	if (READ_ONCE(reg->unregistered))
		fuzz_violation("routine-during-unregister", "routine=%s name=%s handle=0x%llx",
			       routine, reg->object.name, reg->handle);
	atomic_dec(&reg->inside);
}

/* How many nested calls are on each stack. In a free entry, stack_id is 0. */
static struct {
	unsigned long stack_id;
	u32 depth;
} nests[NESTS];
static DEFINE_SPINLOCK(nests_lock);

static unsigned long stack_id(void)
{
	if (in_hardirq())
		return raw_smp_processor_id() * 2 + 1;
	if (in_serving_softirq())
		return raw_smp_processor_id() * 2 + 2;
	return (unsigned long)current;
}

/* Returns whether a routine may make a call in which the owner may call routines again. */
bool fuzz_begin_nested_call(void)
{
	unsigned long me = stack_id(), flags;
	bool allowed = false;
	int free = -1;

	spin_lock_irqsave(&nests_lock, flags);
	for (int n = 0; n < NESTS; n++) {
		if (!nests[n].stack_id) {
			free = n;
		} else if (nests[n].stack_id == me) {
			allowed = nests[n].depth < MAX_DEPTH;
			nests[n].depth += allowed;
			goto unlock;
		}
	}
	if (free >= 0) {
		nests[free].stack_id = me;
		nests[free].depth = 1;
		allowed = true;
	}
unlock:
	spin_unlock_irqrestore(&nests_lock, flags);
	return allowed;
}

void fuzz_end_nested_call(void)
{
	unsigned long me = stack_id(), flags;

	spin_lock_irqsave(&nests_lock, flags);
	for (int n = 0; n < NESTS; n++)
		if (nests[n].stack_id == me && !--nests[n].depth)
			nests[n].stack_id = 0;
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

/* The names are few, so that a name is sometimes in use already. */
void fuzz_play_register(struct fuzz_caller *caller)
{
	u32 number = (u32)atomic_inc_return(&next_registration) % REGISTRATIONS;
	struct fuzz_registration *reg = &registrations[number];
	struct fuzz_thing *driver = fuzz_thing_reserve(FUZZ_DRIVER);
	struct fuzz_thing *target;
	char name[D2D_NAME_SIZE];
	int err;

	if (!driver)
		return;
	snprintf(name, sizeof(name), "%s.%u", THIS_MODULE->name, fuzz_below(caller, 12));
	memset(reg, 0, sizeof(*reg));
	reg->object = fuzz_driver_object(name, reg);
	if (fuzz_chance(caller, 50))
		reg->object.flags |= D2D_DISPATCH_ATOMIC;
	if (fuzz_chance(caller, 40))
		reg->object.flags |= D2D_DISPATCH_IN_PLACE;
	if (fuzz_chance(caller, 10))
		reg->object.returned = NULL;
	if (fuzz_chance(caller, 10))
		reg->object.completed = NULL;
	if (fuzz_chance(caller, 10))
		reg->object.cancelled = NULL;
	err = d2d_register(&reg->object, &reg->handle);
	fuzz_judge(caller, FUZZ_REGISTER, err, NULL, 0, false);
	if (err) {
		fuzz_thing_unreserve(driver);
		return;
	}
	err = d2d_lookup(name, &reg->target);
	fuzz_judge(caller, FUZZ_LOOKUP, err, NULL, 0, false);
	if (err)
		fuzz_violation("driver-not-found", "name=%s err=%d", name, err);
	target = fuzz_thing_reserve(FUZZ_TARGET);
	if (target)
		fuzz_thing_publish(target, reg->target, reg);
	fuzz_thing_publish(driver, reg->handle, reg);
}

/* As soon as d2d_leave() begins, the owner may refuse waits and sends. */
int fuzz_driver_leave(struct fuzz_caller *caller, struct fuzz_pick *driver)
{
	struct fuzz_registration *reg = driver->thing ? driver->thing->reg : NULL;
	struct fuzz_watch watch = {
		.call = FUZZ_LEAVE,
		.handle = driver->handle,
		.limit = FUZZ_LONGEST_MS,
		.player = caller->player,
	};
	int err;

	if (reg)
		atomic_inc(&reg->leaving);
	fuzz_watch_begins(&watch);
	err = d2d_leave(driver->handle);
	fuzz_watch_ended(&watch);
	fuzz_judge(caller, FUZZ_LEAVE, err, driver, 1, false);
	if (reg && !err)
		fuzz_note_left(reg);
	return err;
}

static int unregister_driver(struct fuzz_caller *caller, struct fuzz_pick *driver)
{
	struct fuzz_registration *reg = driver->thing ? driver->thing->reg : NULL;
	struct fuzz_watch watch = {
		.call = FUZZ_UNREGISTER,
		.handle = driver->handle,
		.limit = FUZZ_LONGEST_MS,
		.player = caller->player,
	};
	int err;

	if (reg) {
		/* Unregistering gives back the context of a handshake that has timed out. */
		fuzz_close_context(reg);
		atomic_inc(&reg->leaving);
		atomic_inc(&reg->unregistering);
	}
	fuzz_watch_begins(&watch);
	err = d2d_unregister(driver->handle);
	fuzz_watch_ended(&watch);
	fuzz_judge(caller, FUZZ_UNREGISTER, err, driver, 1, true);
	if (!reg)
		return err;
	if (err) {
		atomic_dec(&reg->unregistering);
		atomic_dec(&reg->leaving);
	} else {
		if (atomic_read(&reg->inside))
			fuzz_violation("inside-after-unregister", "name=%s handle=0x%llx inside=%d",
				       reg->object.name, reg->handle,
				       atomic_read(&reg->inside));
		fuzz_end_things_of(reg);
	}
	fuzz_open_context(reg);
	return err;
}

void fuzz_play_unregister(struct fuzz_caller *caller)
{
	struct fuzz_pick driver = fuzz_pick(caller, FUZZ_DRIVER, false);

	if (fuzz_chance(caller, 30)) {
		fuzz_driver_leave(caller, &driver);
		fuzz_detach(caller, &driver);
	}
	unregister_driver(caller, &driver);
	fuzz_unpick(&driver);
}

/*
 * Sends a request before d2d_leave(). If the receiver does not complete it, d2d_leave() must cancel
 * it: no other caller knows its handle, so none cancels it.
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
		unregister_driver(caller, &driver);
	}
	fuzz_unpick(&driver);
}

/*
 * For each driver, exactly one call of d2d_unregister() returns 0. If this function gets -ESTALE,
 * another thread's call has succeeded, and reg->unregistering counts that call.
 */
void fuzz_unregister_all(struct fuzz_caller *caller)
{
	for (u32 n = 0; n < REGISTRATIONS; n++) {
		struct fuzz_registration *reg = &registrations[n];
		struct fuzz_pick driver;
		int err = -EBUSY;

		if (!reg->handle || READ_ONCE(reg->unregistered))
			continue;
		driver = fuzz_pick_of(FUZZ_DRIVER, reg->handle);
		if (!driver.thing)
			continue;
		/* Try longer than a handshake may be pending. Each try takes at least 1 ms. */
		for (int tries = 0; tries < FUZZ_MARGIN_MS; tries++) {
			err = unregister_driver(caller, &driver);
			if (!err || err == -ESTALE)
				break;
			if (err == -EBUSY)
				fuzz_detach(caller, &driver);
			usleep_range(1000, 1500);
		}
		if (err == -ESTALE && atomic_read(&reg->unregistering))
			err = 0;
		if (err)
			fuzz_violation("driver-not-unregistered", "name=%s err=%d",
				       reg->object.name, err);
		fuzz_unpick(&driver);
	}
}
