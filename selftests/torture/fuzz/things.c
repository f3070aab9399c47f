// SPDX-License-Identifier: GPL-2.0
/*
 * Part of the fuzzer (fuzz.h). A thing is what a handle names. It becomes live before a play can
 * get its handle. It stops being live when a call begins that ends it. So if a thing is live before
 * and after a call, it existed during the call.
 */
#include <linux/spinlock.h>
#include <linux/string.h>

#include "fuzz.h"

#define DEAD	128
/*
 * The first dead handles of each kind are never replaced. So the fuzzer also tries old handles,
 * whose places in the owner's tables have a new use.
 */
#define NEVER_REPLACED	32
#define FOREIGN	64

/* Places for things. The requests and offers that drivers hold are in `kept`. */
static const u32 counts[FUZZ_KINDS] = {
	[FUZZ_DRIVER] = FUZZ_DRIVERS,
	[FUZZ_TARGET] = FUZZ_DRIVERS,
	[FUZZ_REQUEST] = FUZZ_REQUESTS,
	[FUZZ_EVENT] = FUZZ_EVENTS,
	[FUZZ_ITEM] = 16,
};

static struct fuzz_thing things[FUZZ_KINDS][FUZZ_REQUESTS];
static struct fuzz_kept kept[FUZZ_KEPT];
static d2d_handle dead[FUZZ_KINDS][DEAD];
static u32 dead_count[FUZZ_KINDS];
static struct {
	d2d_handle handle;
	enum fuzz_kind kind;
} foreign[FOREIGN];
static u32 foreign_count;
static DEFINE_SPINLOCK(lock);

/*
 * The owner must have called the completion routine once for each send that asked for it, unless
 * the request was freed. The caller makes sure that no thread is sending the request.
 */
static void check_completions(struct fuzz_thing *thing)
{
	int due = atomic_read(&thing->completions_due);

	if (thing->kind == FUZZ_REQUEST && due && !thing->freed)
		fuzz_violation("sent-without-completion", "request=0x%llx due=%d",
			       thing->handle, due);
}

/* Returns NULL if no place is free. */
struct fuzz_thing *fuzz_thing_reserve(enum fuzz_kind kind)
{
	struct fuzz_thing *found = NULL;
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	for (u32 n = 0; n < counts[kind] && !found; n++) {
		struct fuzz_thing *thing = &things[kind][n];

		if (thing->state == FUZZ_IS_DEAD && !atomic_read(&thing->users)) {
			check_completions(thing);
			thing->state = FUZZ_IS_FREE;
		}
		if (thing->state == FUZZ_IS_FREE)
			found = thing;
	}
	if (found) {
		found->kind = kind;
		found->state = FUZZ_IS_RESERVED;
		found->handle = 0;
		found->reg = NULL;
		found->freed = false;
		found->sharing = FUZZ_FOR_ALL;
		found->nth++;
		atomic_set(&found->ending, 0);
		atomic_set(&found->completions_due, 0);
	}
	spin_unlock_irqrestore(&lock, flags);
	return found;
}

/* Makes a reserved thing live, or dead if its driver has unregistered. */
void fuzz_thing_publish(struct fuzz_thing *thing, d2d_handle handle, struct fuzz_registration *reg)
{
	unsigned long flags;

	fuzz_note_seen(handle, thing->kind);
	spin_lock_irqsave(&lock, flags);
	thing->handle = handle;
	thing->reg = reg;
	if (reg && reg->unregistered)
		thing->state = FUZZ_IS_DEAD;
	else
		thing->state = FUZZ_IS_LIVE;
	spin_unlock_irqrestore(&lock, flags);
}

void fuzz_thing_unreserve(struct fuzz_thing *thing)
{
	WRITE_ONCE(thing->state, FUZZ_IS_FREE);
}

/* The caller has counted its call in thing->ending. */
void fuzz_thing_ended(struct fuzz_thing *thing, u32 nth, bool freed)
{
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	if (thing->nth == nth) {
		if (thing->state == FUZZ_IS_LIVE)
			thing->state = FUZZ_IS_DEAD;
		/* Even if the thing is dead: its driver may have unregistered. */
		thing->freed |= freed;
	}
	spin_unlock_irqrestore(&lock, flags);
}

/* The caller holds the lock. */
static void note_dead(enum fuzz_kind kind, d2d_handle handle)
{
	u32 n = dead_count[kind]++;

	dead[kind][n < DEAD ? n : NEVER_REPLACED + n % (DEAD - NEVER_REPLACED)] = handle;
}

/* The caller holds the lock. */
static void end_things_of_kind(struct fuzz_registration *reg, enum fuzz_kind kind)
{
	for (u32 n = 0; n < counts[kind]; n++) {
		struct fuzz_thing *thing = &things[kind][n];

		if (thing->state == FUZZ_IS_LIVE && thing->reg == reg) {
			thing->state = FUZZ_IS_DEAD;
			note_dead(kind, thing->handle);
		}
	}
}

/* The driver is unregistered, so all its things are dead. */
void fuzz_end_things_of(struct fuzz_registration *reg)
{
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	WRITE_ONCE(reg->unregistered, true);
	for (int kind = 0; kind < FUZZ_KINDS; kind++)
		end_things_of_kind(reg, kind);
	for (struct fuzz_kept *k = kept; k < kept + FUZZ_KEPT; k++) {
		if (k->handle && k->reg == reg) {
			note_dead(k->is_offer ? FUZZ_OFFER : FUZZ_HOLD, k->handle);
			k->handle = 0;
		}
	}
	spin_unlock_irqrestore(&lock, flags);
}

/* If no live thing has this handle, the pick has no thing. */
struct fuzz_pick fuzz_pick_of(enum fuzz_kind kind, d2d_handle handle)
{
	struct fuzz_pick pick = { .origin = FUZZ_ZERO };
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	for (u32 n = 0; n < counts[kind] && !pick.thing; n++) {
		struct fuzz_thing *thing = &things[kind][n];

		if (thing->handle != handle || thing->state != FUZZ_IS_LIVE)
			continue;
		atomic_inc(&thing->users);
		pick = (struct fuzz_pick){ handle, FUZZ_LIVE, thing, thing->nth,
					   thing->reg && thing->reg->has_left };
	}
	spin_unlock_irqrestore(&lock, flags);
	return pick;
}

/*
 * Returns whether the picked thing is live, and no other call has begun to end it.
 * @call_ends_thing: the caller's own call ends it.
 */
bool fuzz_is_live(const struct fuzz_pick *pick, bool call_ends_thing)
{
	struct fuzz_thing *thing = pick->thing;
	struct fuzz_registration *reg;

	if (pick->origin != FUZZ_LIVE || !thing)
		return false;
	reg = READ_ONCE(thing->reg);
	if (READ_ONCE(thing->nth) != pick->nth || READ_ONCE(thing->state) != FUZZ_IS_LIVE)
		return false;
	if (thing->kind == FUZZ_EVENT && reg && atomic_read(&reg->leaving))
		return false;
	if (thing->kind == FUZZ_DRIVER || thing->kind == FUZZ_TARGET)
		return atomic_read(&reg->unregistering) == call_ends_thing &&
		       !READ_ONCE(reg->unregistered);
	if (atomic_read(&thing->ending) != call_ends_thing)
		return false;
	return !reg || (!atomic_read(&reg->unregistering) && !READ_ONCE(reg->unregistered));
}

static bool is_for(const struct fuzz_thing *thing, u32 player)
{
	switch (thing->sharing) {
	case FUZZ_FOR_ONE:
		return thing->sharing_player == player;
	case FUZZ_FOR_TWO:
		return thing->sharing_player / 2 == player / 2;
	default:
		return true;
	}
}

static struct fuzz_pick pick_live(struct fuzz_caller *caller, enum fuzz_kind kind)
{
	u32 first = counts[kind] ? fuzz_below(caller, counts[kind]) : 0;
	struct fuzz_pick pick = { .origin = FUZZ_ZERO };
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	for (u32 n = 0; n < counts[kind]; n++) {
		struct fuzz_thing *thing = &things[kind][(first + n) % counts[kind]];

		if (thing->state != FUZZ_IS_LIVE || !is_for(thing, caller->player))
			continue;
		atomic_inc(&thing->users);
		pick = (struct fuzz_pick){ thing->handle, FUZZ_LIVE, thing, thing->nth,
					   thing->reg && thing->reg->has_left };
		break;
	}
	spin_unlock_irqrestore(&lock, flags);
	return pick;
}

static struct fuzz_pick pick_dead(struct fuzz_caller *caller, enum fuzz_kind kind)
{
	u32 count = min(READ_ONCE(dead_count[kind]), DEAD);
	struct fuzz_pick pick = { .origin = FUZZ_ZERO };

	if (count) {
		pick.handle = READ_ONCE(dead[kind][fuzz_below(caller, count)]);
		pick.origin = pick.handle ? FUZZ_DEAD : FUZZ_ZERO;
	}
	return pick;
}

static struct fuzz_pick pick_foreign(struct fuzz_caller *caller, enum fuzz_kind kind, bool harmless)
{
	u32 count = min(READ_ONCE(foreign_count), FOREIGN);
	struct fuzz_pick pick = { .origin = FUZZ_ZERO };
	u32 n;

	if (!count)
		return pick;
	n = fuzz_below(caller, count);
	if (foreign[n].kind != kind)
		pick.origin = FUZZ_OTHER;
	else if (harmless)
		pick.origin = FUZZ_FOREIGN;
	else
		return pick;
	pick.handle = READ_ONCE(foreign[n].handle);
	return pick;
}

static struct fuzz_pick alter(struct fuzz_caller *caller, struct fuzz_pick pick, bool harmless)
{
	fuzz_unpick(&pick);
	pick.thing = NULL;
	pick.origin = FUZZ_ALTERED;
	switch (fuzz_below(caller, harmless ? 3 : 2)) {
	case 0:
		/* An index that is too large */
		pick.handle |= 0xffff0000ull >> fuzz_below(caller, 4) & 0x0fff0000;
		break;
	case 1:
		/* A generation that is far in the future */
		pick.handle ^= 1ull << (59 + fuzz_below(caller, 4));
		break;
	default:
		pick.handle ^= 1ull << (24 + fuzz_below(caller, 8));
		pick.origin = FUZZ_GUESSED;
		break;
	}
	return pick;
}

/*
 * @harmless: the function does not end the thing, so the handle may also be one of another module.
 */
struct fuzz_pick fuzz_pick(struct fuzz_caller *caller, enum fuzz_kind kind, bool harmless)
{
	u32 chance = fuzz_below(caller, 100);
	struct fuzz_pick pick;
	enum fuzz_kind other;

	if (chance < 82)
		return pick_live(caller, kind);
	if (chance < 88)
		return pick_dead(caller, kind);
	if (chance < 91)
		return pick_foreign(caller, kind, harmless);
	if (chance < 92)
		return (struct fuzz_pick){ .origin = FUZZ_ZERO };
	if (chance < 95)
		return alter(caller, pick_live(caller, kind), harmless);
	other = (kind + 1 + fuzz_below(caller, FUZZ_KINDS - 1)) % FUZZ_KINDS;
	pick = fuzz_chance(caller, 50) ? pick_live(caller, other) : pick_dead(caller, other);
	fuzz_unpick(&pick);
	pick.thing = NULL;
	if (pick.handle)
		pick.origin = FUZZ_OTHER;
	return pick;
}

void fuzz_unpick(struct fuzz_pick *pick)
{
	if (pick->thing)
		atomic_dec(&pick->thing->users);
}

void fuzz_note_dead(enum fuzz_kind kind, d2d_handle handle)
{
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	note_dead(kind, handle);
	spin_unlock_irqrestore(&lock, flags);
}

void fuzz_note_foreign(enum fuzz_kind kind, d2d_handle handle)
{
	unsigned long flags;
	u32 n;

	if (kind >= FUZZ_KINDS)
		return;
	spin_lock_irqsave(&lock, flags);
	n = foreign_count++ % FOREIGN;
	foreign[n].handle = handle;
	foreign[n].kind = kind;
	spin_unlock_irqrestore(&lock, flags);
}

/* Returns whether there was room. */
bool fuzz_keep(const struct fuzz_kept *request)
{
	unsigned long flags;
	bool has_room = false;

	spin_lock_irqsave(&lock, flags);
	for (struct fuzz_kept *k = kept; k < kept + FUZZ_KEPT && !has_room; k++) {
		if (!k->handle && !READ_ONCE(request->reg->unregistered)) {
			*k = *request;
			has_room = true;
		}
	}
	spin_unlock_irqrestore(&lock, flags);
	return has_room;
}

/* Copies a kept request, and removes it unless @leave_it. */
bool fuzz_take_kept(struct fuzz_caller *caller, struct fuzz_kept *request, bool leave_it)
{
	u32 first = fuzz_below(caller, FUZZ_KEPT);
	unsigned long flags;
	bool found = false;

	spin_lock_irqsave(&lock, flags);
	for (u32 n = 0; n < FUZZ_KEPT && !found; n++) {
		struct fuzz_kept *k = &kept[(first + n) % FUZZ_KEPT];

		if (!k->handle || (k->for_ever && !leave_it))
			continue;
		*request = *k;
		if (!leave_it)
			k->handle = 0;
		found = true;
	}
	spin_unlock_irqrestore(&lock, flags);
	return found;
}

void fuzz_things_check(void)
{
	for (u32 n = 0; n < FUZZ_REQUESTS; n++)
		if (things[FUZZ_REQUEST][n].state == FUZZ_IS_DEAD)
			check_completions(&things[FUZZ_REQUEST][n]);
}

void fuzz_things_reset(void)
{
	for (int kind = 0; kind < FUZZ_KINDS; kind++)
		for (u32 n = 0; n < counts[kind]; n++)
			things[kind][n].state = FUZZ_IS_FREE;
	memset(kept, 0, sizeof(kept));
}
