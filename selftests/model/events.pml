// SPDX-License-Identifier: GPL-2.0
/*
 * Models the word of an event (shared/owner/event/state.rs). While no thread waits for the event, threads change the
 * word by one atomic step. While a thread waits, the word has the bit GUARDED. A thread that begins or ends a wait
 * holds the dispatcher's lock (shared/owner/event/wait.rs). Most inlines model the function of the same name.
 *
 * There are two synchronization events; with NOTIFICATION, the second one is a notification event. With LIMIT, the
 * waits have a time limit, which may pass at any moment.
 *
 * What must hold:
 * - While a word is guarded, only the thread that holds the lock changes it (store).
 * - If a synchronization event changes to set (gained), one thread can take it (taken). So `taken` equals `gained`, or
 *   is one less if the event is set.
 * - When no thread can go on, no wake-up was lost: each sleeping thread waits for an event that is not set. A word is
 *   then guarded if and only if a thread waits for the event.
 *
 * The model leaves out the generations of handles, RCU, files that watch an event, and the order of waiters, which is
 * fixed here. Memory is sequentially consistent in the model. The code relies only on the order of accesses to one
 * word, and on the lock.
 */

#define EVENTS	2
#define WAITERS	2

#define SET	1
#define GUARDED	2
#define COUNT	4

/* Whether a thread that takes the event resets it */
#ifdef NOTIFICATION
#define RESETS(e)	((e) == 0)
#else
#define RESETS(e)	true
#endif

/* The events of each waiter, as bits */
#define MASK(w)		((w) == 0 -> 1 : 3)
#define WAITS_FOR(w, e)	((MASK(w) >> (e)) & 1)

byte word[EVENTS];
byte users[EVENTS];
bool locked;		/* the dispatcher's lock */
bool linked[WAITERS];	/* the waiter is on the lists of its events */
bool sleeps[WAITERS];
bool finished[WAITERS];

byte gained[EVENTS];	/* how often the event was changed to set */
byte taken[EVENTS];	/* how often the event was changed to not set */
bool stopped;		/* no thread could go on: monitor() ends the waits */

inline lock()
{
	atomic { !locked -> locked = true }
}

inline unlock()
{
	locked = false
}

inline store(e, new)
{
	d_step {
		assert(locked && word[e] == old);
		gained[e] = gained[e] + (((new) & SET) && !(old & SET));
		taken[e] = taken[e] + (!((new) & SET) && (old & SET));
		word[e] = new
	}
}

/* State::update(); `done`: the word was not guarded, and is changed */
inline update(e, new)
{
	old = word[e];
	do
#ifndef GUARD_IGNORED
	:: old & GUARDED -> done = false; break
	:: !(old & GUARDED) ->
#else
	:: true ->
#endif
	   d_step {
		if
		:: word[e] == old ->
		   gained[e] = gained[e] + (((new) & SET) && !(old & SET));
		   taken[e] = taken[e] + (!((new) & SET) && (old & SET));
		   word[e] = new;
		   done = true
		:: else -> old = word[e]; done = false
		fi
	   }
	   if
	   :: done -> break
	   :: else
	   fi
	od
}

inline guard(e)
{
	d_step { assert((word[e] & GUARDED) == 0); word[e] = word[e] + GUARDED }
}

inline begin_use(e)
{
	users[e]++;
	if
	:: users[e] == 1 -> guard(e)
	:: else
	fi
}

inline end_use(e)
{
	users[e]--;
	if
#ifdef GUARDED_FOR_ONE_USER_ONLY
	:: true ->
#else
	:: users[e] == 0 ->
#endif
	   old = word[e];
	   store(e, old & ~GUARDED)
#ifndef GUARDED_FOR_ONE_USER_ONLY
	:: else
#endif
	fi
}

/* Waiter::take(); `done`: the wait ends */
inline take(w)
{
	done = (word[0] & SET) && (!WAITS_FOR(w, 1) || (word[1] & SET));
	if
	:: done ->
	   for (e : 0 .. EVENTS - 1) {
		old = word[e];
		if
		:: WAITS_FOR(w, e) && RESETS(e) -> store(e, old & ~SET)
		:: else
		fi
	   }
	:: else
	fi
}

/* Part of Waiter::end(), and of Waiter::begin() if the thread does not sleep */
inline unlink(w)
{
	linked[w] = false;
	for (e : 0 .. EVENTS - 1) {
		if
		:: WAITS_FOR(w, e) -> end_use(e)
		:: else
		fi
	}
}

inline set_with_waiters(at)
{
	begin_use(at);
	old = word[at];
	store(at, (old | SET) + COUNT);
	for (w : 0 .. WAITERS - 1) {
		if
		:: linked[w] && WAITS_FOR(w, at) ->
		   take(w);
		   if
		   :: done -> unlink(w); finished[w] = true
		   :: else
		   fi
		:: else
		fi
	}
	end_use(at)
}

inline set(at)
{
	update(at, (old | SET) + COUNT);
	if
	:: done
	:: else ->
	   lock();
	   set_with_waiters(at);
	   unlock()
	fi
}

active proctype setter_of_the_first()
{
	byte old, e, w;
	bool done;

	set(0);
	set(0)
}

active proctype setter_of_the_second()
{
	byte old, e, w;
	bool done;

	set(1)
}

/* Dispatcher::try_take(); if the word is guarded, Dispatcher::wait() with a timeout of 0 */
active proctype taker()
{
	byte old;
	bool done;

	update(0, old & ~SET);
	if
	:: done
	:: else ->
	   lock();
	   begin_use(0);
	   old = word[0];
	   store(0, old & ~SET);
	   end_use(0);
	   unlock()
	fi
}

/* Part of Waiter::begin(), which Dispatcher::wait() calls */
inline begin_uses(w)
{
	for (e : 0 .. EVENTS - 1) {
		if
		:: WAITS_FOR(w, e) -> begin_use(e)
		:: else
		fi
	}
}

inline wait(w)
{
	lock();
#ifdef SET_BEFORE_SLEEP_LOST
	done = (word[0] & SET) && (!WAITS_FOR(w, 1) || (word[1] & SET));
	begin_uses(w);
	if
	:: done -> take(w)
	:: else
	fi;
#else
	begin_uses(w);
	take(w);
#endif
	if
	:: done -> unlink(w); finished[w] = true; unlock()
	:: else ->
	   linked[w] = true;
	   unlock();
	   sleeps[w] = true;
	   if
	   :: finished[w]
	   :: stopped
#ifdef LIMIT
	   :: true ->
		lock();
		if
		:: finished[w]
		:: else -> unlink(w)
		fi;
		unlock()
#endif
	   fi;
	   sleeps[w] = false
	fi
}

active proctype waiter_for_the_first()
{
	byte old, e;
	bool done;

	wait(0)
}

active proctype waiter_for_both()
{
	byte old, e;
	bool done;

	wait(1)
}

active proctype monitor()
{
	byte e, w;

	/* True when no other process can go on */
	timeout;
	d_step {
		assert(!locked);
		for (w : 0 .. WAITERS - 1) {
			assert(!sleeps[w] || finished[w] ||
			       !((word[0] & SET) && (!WAITS_FOR(w, 1) || (word[1] & SET))))
		}
		for (e : 0 .. EVENTS - 1) {
			assert(!RESETS(e) || gained[e] == taken[e] + (word[e] & SET));
			assert(((word[e] & GUARDED) != 0) == (users[e] > 0));
			assert(users[e] == (linked[0] && WAITS_FOR(0, e)) + (linked[1] && WAITS_FOR(1, e)))
		}
		stopped = true
	}
}
