/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Models the handshake and detaching: shared/owner/handshake.rs and detach.rs, with the states of a driver in
 * shared/owner/registry.rs. Most inlines model the function of the same name.
 *
 * A driver asks for a context, once or twice. Its dispatch routine completes the request, pends it, or does neither.
 * Another thread completes a pending request. A third thread detaches and unregisters the driver meanwhile. run.sh
 * chooses by -D:
 *
 *   ROUTINE	the owner has a completion routine, and a timer limits a pending handshake. Without ROUTINE, the
 *		thread in d2d_attach() waits, with a time limit
 *   NEVER	a pending request is never completed
 *   ENDLESS	the time limit of a handshake never passes
 *   OWNER_UNLOADED	the owner is unloaded, and expels the driver, which does not detach
 *
 * What must hold, with the variables that check it:
 *   - the driver fills in a context only while it has the context (has_context);
 *   - a context is made free once, and not while the driver may still fill it in (filling);
 *   - the link is opened only after success, and is closed before the context is free;
 *   - when the driver is unregistered (gone), the context is free and no thread is inside the driver;
 *   - every process ends.
 */
#include "word.inc"

#ifndef ATTACHES
#define ATTACHES 2
#endif

mtype = { Detached, Attaching, Attached, Detaching, Abandoned };
/* shared/owner/registry/entry.rs */
mtype state = Detached;
byte request;		/* the request of the handshake, if state is Attaching or Abandoned; otherwise 0 */
bool attaching_task;	/* a thread is in d2d_attach() */
bool leaving;
bool gone;
bool refusal;		/* the owner has refused the last handshake */
byte due;		/* the request whose time limit the timer watches, or 0 */

bool has_context;
bool filled;
bool open;
bool filling;		/* the dispatch routine may fill in the context */
byte dispatching;	/* threads in the dispatch routine */

byte last_request;	/* the number of the last request; all use one record */
/* 0 none; 1 success; 2 failed by the driver; 3 cancelled, or completed after the time limit */
byte result;
byte pended;		/* the generation of the handle of the pending request, or 0 */
bool woken;
bool attacher_done;
bool owner_leaving, owner_gone;
byte in_completion;	/* threads in the owner's completion routine */

/* With the fault GIVEN_BACK_IF_UNCHANGED, give_back() does nothing if the state has changed since NOTE_STATE. */
#ifdef GIVEN_BACK_IF_UNCHANGED
#define NOTE_STATE	known = state
#define IS_SAME_STATE	(known == state)
#else
#define NOTE_STATE	skip
#define IS_SAME_STATE	true
#endif

inline give_back(r)
{
	atomic {
		if
		:: IS_SAME_STATE && (state == Attaching || state == Abandoned) && request == r ->
			assert(has_context && !open && !filling);
			filled = false;
#ifdef FAILED_HANDSHAKE_LEAVES_DETACHING
			state = Detaching; frees_later = true
#else
			has_context = false; state = Detached; request = 0; frees_later = false
#endif
		:: else -> frees_later = false
		fi
	};
	if
	:: frees_later -> atomic { has_context = false; state = Detached; request = 0 }
	:: else
	fi
}

inline conclude(r)
{
	if
	:: result == 1 ->
		assert(has_context && filled);
		open = true;
		atomic {
			assert(state == Attaching && request == r);
			state = Attached;
			request = 0
		}
	:: else -> NOTE_STATE; give_back(r)
	fi
}

inline reclaim()
{
	GO(RECLAIM);
	if
	:: ok -> word = FREED(w)
	:: else
	fi
}

inline discard()
{
	do
	:: true ->
		reclaim();
		if
		:: ok -> break
		:: else ->
			w = word;
			if
			:: CAN_RECLAIM(w)
			:: else ->
				TRANSITION(ORPHANED);
				if
				:: ok -> break
				:: else
				fi
			fi
		fi
	od
}

/* Includes Requests::bring_home() and the owner's completion routine */
inline deliver()
{
	do
	:: true ->
		w = word;
		assert(OVER(w));
		if
		:: PHASE_OF(w) == Cancelled || (w & LATE) -> result = 3
		:: else
		fi;
		routine = false;
#ifdef ROUTINE
		routine = true;
#endif
		if
		:: w & LATE -> routine = true
		:: else
		fi;
		if
		:: owner_gone -> routine = false
		:: else -> in_completion = in_completion + routine
		fi;
		old = last_request;
		TRANSITION(HOME);
		if
		:: ok -> break
		:: else -> in_completion = in_completion - routine
		fi
	od;
	woken = true;
	if
	:: routine ->
		/* Server::completed_handshake() */
		NOTE_STATE;
		if
		:: result == 3 ->
			/*
			 * A thread in d2d_attach() may be inside the dispatch routine. Then that thread makes the
			 * context free.
			 */
#ifdef GIVEN_BACK_EARLY
			atomic { refusal = true; by_attacher = false };
#else
			atomic { refusal = true; by_attacher = attaching_task };
#endif
			if
			:: !by_attacher ->
				give_back(old)
			:: else
			fi
		:: else -> conclude(old)
		fi;
		discard();
		in_completion--
	:: else
	fi
}

/* The thread has a holder's handle of generation h. If `inside`, it is in the in-place call. */
inline complete(h, value, inside)
{
	do
	:: true ->
		w = word;
		if
		:: GENERATION_OF(w) != h || !CAN_COMPLETE(w) -> break
		:: else
		fi;
		atomic {
			if
			:: word == w -> word = (inside -> COMPLETE(w) & ~IN_PLACE : COMPLETE(w)); w = word; ok = true
			:: else -> ok = false
			fi
		};
		if
		:: ok ->
			if
			:: inside -> filling = false
			:: else
			fi;
			result = value;
			GO(COMPLETED);
			deliver();
			break
		:: else
		fi
	od
}

inline wait_for_attach()
{
	!attaching_task
}

/* Called because the owner's driver object unregisters (for_driver), or by d2d_detach(), which cancels as the sender */
inline cancel_for(for_driver)
{
	do
	:: true ->
		w = word;
		if
		:: PHASE_OF(w) != Held -> ok = false; break
		:: else
		fi;
		TRANSITION_TO(CANCEL_HELD, ((w & IN_PLACE) && !for_driver -> CANCEL_HELD(w) | PARKED : CANCEL_HELD(w)));
		if
		:: ok ->
			if
			:: OVER(w) -> deliver()
			:: else
			fi;
			ok = true;
			break
		:: else
		fi
	od
}

proctype attacher()
{
	int w;
	bool ok, frees_later, routine, by_attacher;
	mtype known;
	byte h, r, old, n;

	do
	:: n < ATTACHES ->
		n++;
		/* Requests::alloc() */
		(word & PHASE) == Free;
		GO(ALLOC);
		GO(MADE);
		if
		:: owner_leaving -> reclaim(); goto next
		:: else
		fi;
		last_request++;
		r = last_request;
		/* Registry::reserve() */
		atomic {
			if
			:: state == Detached && !attaching_task && !leaving && !gone ->
				assert(!has_context);
				state = Attaching; request = r; attaching_task = true; has_context = true; refusal = false; ok = true
			:: else -> ok = false
			fi
		};
		if
		:: !ok -> reclaim(); goto next
		:: else
		fi;
		GO(CLAIM);
		if
		:: !ok ->
			/* The owner is leaving, and has freed the request. */
			NOTE_STATE;
			give_back(r);
			goto sent
		:: ok && (leaving || owner_leaving) ->
			word = UNCLAIM(w);
			GO(RECLAIM);
			word = FREED(w);
			NOTE_STATE;
			give_back(r);
			goto sent
		:: ok && !leaving && !owner_leaving
		fi;
		h = GENERATION_OF(SEND(w));
		result = 0;
		d_step { filling = true; dispatching++ };
		word = SEND(w) | IN_PLACE;
		if
		:: assert(has_context); filled = true; complete(h, 1, true)
		:: complete(h, 2, true)
		:: d_step { pended = h; filling = false }
		:: true
		fi;
		w = word;
		if
		:: (w & IN_PLACE) && GENERATION_OF(w) == h ->
			if
			:: pended != h -> complete(h, 2, true)
			:: else
			fi;
			w = word;
			if
			:: w & IN_PLACE ->
				atomic { ok = ((word & PARKED) != 0); word = IN_PLACE_END(word); w = word };
				if
				:: ok && OVER(w) -> deliver()
				:: !(ok && OVER(w)) && UNUSED(w) -> reclaim()
				:: else
				fi
			:: else
			fi
		:: else
		fi;
		d_step { filling = false; dispatching-- };
#ifdef ROUTINE
		/* Server::limit() */
		atomic {
			if
			:: state == Attaching && request == r -> due = r
			:: else
			fi
		};
#else
		/* Server::await_completion() */
		GO(WAIT);
		if
		:: !ok ->
			/* The owner is leaving, and has freed the request. */
#ifdef OVERDUE_BY_ANY_ERROR
			atomic {
				if
				:: state == Attaching && request == r -> state = Abandoned
				:: else
				fi
			};
#else
			NOTE_STATE;
			give_back(r);
#endif
			goto sent
		:: else
		fi;
		do
		:: PHASE_OF(word) == Idle ->
			if
			:: result == 3 -> NOTE_STATE; give_back(r)
			:: else -> conclude(r)
			fi;
			GO(WAITED);
			discard();
			break
		:: else ->
			if
#ifndef ENDLESS
			:: GO(OVERDUE);
			   if
			   :: ok ->
				atomic {
					if
					:: state == Attaching && request == r -> state = Abandoned
					:: else
					fi
				};
				GO(WAITED);
				if
				:: UNUSED(w) -> reclaim()
				:: else
				fi;
				break
			   :: else
			   fi
#endif
			:: PHASE_OF(word) == Idle
			fi
		od;
#endif
sent:
		/*
		 * Registry::end_attach(). After a refusal, this thread makes the context free, unless another has done so.
		 */
		atomic { NOTE_STATE; attaching_task = false; by_attacher = (refusal && (state == Attaching || state == Abandoned) && request == r) };
		if
		:: by_attacher ->
			give_back(r)
		:: else
		fi;
next:
		skip
	:: break
	od;
	attacher_done = true
}

proctype completer()
{
	int w;
	bool ok, frees_later, routine, by_attacher;
	mtype known;
	byte h, old;

	do
#ifndef NEVER
	:: pended != 0 ->
		atomic { h = pended; pended = 0 };
		atomic {
			if
			:: GENERATION_OF(word) == h && PHASE_OF(word) == Held -> filled = true; assert(has_context)
			:: else
			fi
		};
		if
		:: complete(h, 1, false)
		:: complete(h, 2, false)
		fi
#endif
	:: gone && attacher_done -> break
	od
}

#ifdef ROUTINE
/* Server::end_overdue() */
proctype timer()
{
	int w;
	bool ok;
	byte r;

	do
	:: due != 0 ->
		atomic { r = due; due = 0 };
		if
		:: last_request == r ->
			atomic {
				if
				:: last_request == r && CAN_OVERDUE(word) -> word = OVERDUE(word); ok = true
				:: else -> ok = false
				fi
			};
			if
			:: ok ->
				atomic {
					if
					:: state == Attaching && request == r -> state = Abandoned
					:: else
					fi
				}
			:: else
			fi
		:: else
		fi
	:: gone && attacher_done -> break
	od
}
#endif

/* Calls d2d_detach() until there is nothing to detach, and then d2d_unregister(). */
proctype detacher()
{
	int w;
	bool ok, frees_later, routine, by_attacher;
	mtype known;
	byte old, r;
	mtype before;

#ifdef OWNER_UNLOADED
	/* Server::strike_off() calls Requests::clear_and_free() for the owner's driver object. */
	owner_leaving = true;
	do
	:: true ->
		(in_completion == 0);
		cancel_for(true);
		w = word;
		if
		:: (PHASE_OF(w) == Free || PHASE_OF(w) == Idle && !(w & (PINS | WAITERS))) && in_completion == 0 -> break
		:: else -> (PHASE_OF(word) == Free || PHASE_OF(word) == Held || PHASE_OF(word) == Idle && !(word & (PINS | WAITERS)))
		fi
	od;
	if
	:: PHASE_OF(word) == Idle -> discard()
	:: else
	fi;
	owner_gone = true;
	/* Server::expel_remaining() expels the driver. */
#endif
	leaving = true;
	do
	:: true ->
		atomic {
			before = state;
			r = request;
			if
			:: before == Attached -> state = Detaching
			:: else
			fi
		};
		if
		:: before == Attached ->
			/* Server::take_context_back() */
			open = false;
			wait_for_attach();
			filled = false;
			atomic { assert(has_context); has_context = false; state = Detached }
		:: before == Attaching ->
			ok = false;
			if
			:: last_request == r -> cancel_for(false)
			:: else
			fi;
			if
			:: ok ->
				wait_for_attach();
				!((state == Attaching || state == Abandoned) && request == r);
				/* d2d_detach() returns, and d2d_unregister() must not be refused. */
				assert(state != Detaching)
#ifdef CANCELLED_ONCE
			:: else -> wait_for_attach()
#else
			:: else -> !attaching_task || state != before || request != r || PHASE_OF(word) == Held
#endif
			fi
		:: before == Abandoned ->
			if
			:: last_request == r -> cancel_for(false)
			:: else
			fi;
			!((state == Attaching || state == Abandoned) && request == r);
			assert(state != Detaching)
		:: before == Detaching -> state != Detaching
		:: before == Detached && attaching_task -> wait_for_attach()
		:: before == Detached && !attaching_task -> break
		fi
	od;
	atomic { assert(state == Detached && !attaching_task); gone = true };
	assert(!has_context && !open && dispatching == 0)
}

init {
	atomic {
		run attacher();
		run completer();
		run detacher();
#if defined(ROUTINE) && !defined(ENDLESS)
		run timer();
#endif
	}
	(_nr_pr == 1);
	assert(!has_context && !open && !filled && state == Detached && dispatching == 0);
	assert(PHASE_OF(word) == Free)
}
