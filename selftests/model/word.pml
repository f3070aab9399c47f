/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Models one request between a sender S and a receiver R (shared/owner/request/, shared/owner/slot.rs).
 *
 * S sends the request, waits for it, and frees it. R's dispatch routine runs in S's thread and uses the buffers in
 * place. It completes the request, pends it, or does neither. Most inlines model the function of the same name.
 * run.sh chooses by -D:
 *
 *   SENDS=N	S sends the request N times
 *   COPIES	R does not use the buffers in place
 *   SENDS_AGAIN	another thread of S sends the request, to another driver
 *   CANCEL	another thread of S cancels the request
 *   WAITS	another thread of S waits for the request, too
 *   ROUTINE	S has a completion routine, and does not wait for the request
 *   UNREGISTERS_R, UNREGISTERS_S	R or S unregisters
 *   REUSED	after S has freed the request, another driver uses the request's record
 *
 * What must hold, with the variables that check it:
 *   - no thread writes to buffers, or frees them, while another thread uses them;
 *   - of all threads that try to complete or cancel the request after one send, one succeeds (claims);
 *   - one thread delivers the request at a time (delivering);
 *   - the request comes home once for each send (homes);
 *   - a waiting thread gets the result of the send that it has waited for (result);
 *   - no routine of a driver is called after the driver has unregistered (gone_R, gone_S);
 *   - every process ends, so every thread that sleeps is woken.
 *
 * Memory is sequentially consistent in the model. The litmus tests check the orderings.
 */
#include "word.inc"

#ifndef SENDS
#define SENDS	1
#endif

#ifdef ROUTINE
#define HAS_ROUTINE	true
#else
#define HAS_ROUTINE	false
#endif

/*
 * The cells of R and S. The index is the thread: 0 sender(), 1 waiter() or resender(), 2 completer(), 3 canceller(),
 * 4 clear_and_free_of_R() or clear_and_free_of_S().
 */
#define THREADS	5
bool cell_R[THREADS], cell_S[THREADS];
bool leaving_R, gone_R, leaving_S, gone_S;
#define EMPTY_R	(!cell_R[0] && !cell_R[1] && !cell_R[2] && !cell_R[3] && !cell_R[4])
#define EMPTY_S	(!cell_S[0] && !cell_S[1] && !cell_S[2] && !cell_S[3] && !cell_S[4])

byte claims;		/* since the last send */
byte delivering;
byte sending;		/* the number of the last send */
byte homes;
byte result;		/* of the last send: 0 none; 1 completed; 2 cancelled */
byte in_place;		/* in-place calls that use the buffers */
byte copying;		/* threads that copy from or to the buffers */
bool filling;		/* S writes to the buffers, or frees them */
byte fields_for;		/* the receiver for which the request is filled in: 1 R, 2 another driver */
byte routines;		/* calls of S's completion routine */

byte pended;		/* the generation of the handle of the pending request, or 0 */
bool woken[2];		/* [0] sender(), [1] waiter() */
bool sender_done, waiter_done = true, resender_done = true;
byte id;		/* the generation of the sender's handle: 1 while the request belongs to S */

inline unmake()
{
	filling = true;
	assert(in_place == 0 && copying == 0);
	filling = false;
	word = FREED(w)
}

inline reclaim()
{
	GO(RECLAIM);
	if
	:: ok -> unmake()
	:: else
	fi
}

/* Without Requests::cancel_for(), which sender() calls afterwards */
inline discard()
{
	do
	:: true ->
		w = word;
		if
		:: PHASE_OF(w) == Free || PHASE_OF(w) == Fill || (w & ORPHAN) -> break
		:: else
		fi;
		TRANSITION(RECLAIM);
		if
		:: ok -> unmake(); break
		:: else
		fi;
		w = word;
		if
		:: PHASE_OF(w) != Free && PHASE_OF(w) != Fill && !(w & ORPHAN) && !CAN_RECLAIM(w) ->
			TRANSITION(ORPHANED);
			if
			:: ok -> break
			:: else
			fi
		:: else
		fi
	od
}

/* Includes Requests::bring_home() */
inline deliver(me)
{
	delivering++;
	assert(delivering == 1);
	assert(OVER(w) && LEVEL_OF(w) == 1);
	do
	:: true ->
		w = word;
		assert(OVER(w));
		if
		:: PHASE_OF(w) == Cancelled -> result = 2
		:: else -> result = 1
		fi;
		assert(claims == 1);
#ifndef HOME_BEFORE_ENTER
		/* bring_home() enters S, whose routine it will call, before it makes the transition. */
		if
		:: HAS_ROUTINE && !(w & ORPHAN) -> cell_S[me] = true
		:: else
		fi;
#endif
		old = w;
		atomic {
			if
			:: word == w && CAN_HOME(w) -> word = HOME(w); w = word; ok = true; homes++; delivering--
			:: else -> ok = false
			fi
		};
		if
		:: ok -> break
		:: else -> cell_S[me] = false
		fi
	od;
#ifdef HOME_BEFORE_ENTER
	cell_S[me] = HAS_ROUTINE && !(old & ORPHAN);
#endif
	if
#ifndef SENDER_NOT_WOKEN
	:: old & ASLEEP -> d_step { woken[0] = true; woken[1] = true }
#endif
	:: else
	fi;
	if
	:: UNUSED(w) -> reclaim()
	:: else
	fi;
	if
	:: cell_S[me] -> assert(!gone_S); routines++; discard(); cell_S[me] = false
	:: else
	fi
}

/* Thread 4 cancels for a driver that unregisters, the other threads for S. */
inline cancel_for(me)
{
	do
	:: true ->
		w = word;
		if
#ifndef CANCELLED_BY_STALE_HANDLE
		:: me != 4 && id != 1 -> ok = false; break
		:: (me == 4 || id == 1) && PHASE_OF(w) == Held ->
#else
		:: PHASE_OF(w) == Held ->
#endif
			atomic {
				if
				/* Requests::cancel_held(): a request that S cancels stays parked until the in-place call ends. */
				:: word == w ->
					word = ((w & IN_PLACE) && me != 4 -> CANCEL_HELD(w) | PARKED : CANCEL_HELD(w));
					w = word; ok = true; claims++
				:: else -> ok = false
				fi
			};
			if
			:: ok && OVER(w) -> deliver(me); break
			:: ok && !OVER(w) -> break
			:: else
			fi
		:: PHASE_OF(w) == Cancelled && (w & PARKED) && me == 4 ->
			TRANSITION(CANCEL_PARKED);
			if
			:: ok && OVER(w) -> deliver(me); break
			:: ok && !OVER(w) -> break
			:: else
			fi
		:: else -> ok = false; break
		fi
	od
}

/* The thread has a holder's handle of generation h. If `inside`, it is in the in-place call. */
inline complete(me, h, inside)
{
	do
	:: true ->
		w = word;
		if
#ifdef NO_GENERATION
		:: PHASE_OF(w) != Held || !CAN_COMPLETE(w) -> break
#else
		:: GENERATION_OF(w) != h || !CAN_COMPLETE(w) -> break
#endif
		:: else
		fi;
		atomic {
			if
			:: word == w -> word = (inside -> COMPLETE(w) & ~IN_PLACE : COMPLETE(w)); w = word; ok = true; claims++
			:: else -> ok = false
			fi
		};
		if
		:: ok ->
			assert(GENERATION_OF(w) == h);
			if
			:: inside -> in_place--
			:: else
			fi;
			if
			:: !(w & (ORPHAN | ASLEEP)) && !HAS_ROUTINE ->
				result = 1;
				atomic {
					if
					:: word == w && CAN_HOME(w) -> word = HOME(w); homes++; ok = true
					:: else -> ok = false
					fi
				}
			:: else -> ok = false
			fi;
			if
			:: !ok ->
				GO(COMPLETED);
				if
				:: OVER(w) -> deliver(me)
				:: else
				fi
			:: else
			fi;
			break
		:: else
		fi
	od
}

/* Requests::read() or Requests::write(), with a holder's handle of generation h */
inline copy(me, h)
{
	w = word;
	if
	:: GENERATION_OF(w) == h && CAN_PINNED(w) && PHASE_OF(w) == Held ->
#ifdef NO_PIN
		ok = true;
#else
		TRANSITION(PINNED);
#endif
		if
		:: ok ->
			copying++;
			assert(!filling && !gone_S);
			copying--;
#ifndef NO_PIN
			atomic { assert(CAN_UNPINNED(word)); word = UNPINNED(word); w = word };
			if
			:: OVER(w) -> deliver(me)
			:: UNUSED(w) -> reclaim()
			:: else
			fi
#endif
		:: else
		fi
	:: else
	fi
}

inline give_up_buffers()
{
	atomic { assert(CAN_IN_PLACE_END(word)); parked = ((word & PARKED) != 0); word = IN_PLACE_END(word); w = word };
	if
	:: parked && OVER(w) -> deliver(0)
	:: !(parked && OVER(w)) && UNUSED(w) -> reclaim()
	:: else
	fi
}

/* Part of Requests::end_dispatch() */
inline fail_uncompleted(h)
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
			:: word == w -> word = COMPLETE(w) & ~IN_PLACE; w = word; ok = true; claims++
			:: else -> ok = false
			fi
		};
		if
		:: ok ->
			result = 1;
			GO(COMPLETED);
			if
			:: OVER(w) -> deliver(0)
			:: else
			fi;
			break
		:: else
		fi
	od
}

/* The dispatch routine has returned without giving up the buffers. */
inline end_dispatch(h)
{
	assert(!filling);
	in_place--;
	if
	:: pended != h -> fail_uncompleted(h)
	:: else
	fi;
	w = word;
	if
	:: w & IN_PLACE -> give_up_buffers()
	:: else
	fi
}

/* Requests::wait(), with a time limit */
inline wait_for_request(me)
{
	do
	:: true ->
		w = word;
		if
		/* The request was freed, or never sent. */
		:: !CAN_WAIT(w) || sending == 0 -> goto waited
		:: else
		fi;
		TRANSITION(WAIT);
		if
		:: ok -> break
		:: else
		fi
	od;
	h = sending;
	do
	:: true ->
		w = word;
		if
		:: PHASE_OF(w) == Idle -> break
		:: else
		fi;
		if
		:: me == 0 -> cancel_for(me)
		/* d2d_word_wait(): a thread that has joined the sleepers looks at the word once more. */
		:: woken[me] = false;
		   TRANSITION(SLEEP);
		   if
		   :: ok ->
			w = word;
			if
			:: PHASE_OF(w) == Idle
			:: else -> woken[me]
			fi
		   :: else
		   fi
		fi
	od;
	assert(h == sending && result != 0);
	GO(WAITED);
	assert(ok);
	if
	:: UNUSED(w) -> reclaim()
	:: else
	fi;
waited:
	skip
}

proctype sender()
{
	int w, old;
	bool ok, in_call, parked;
	byte h, v;

	atomic { GO(ALLOC); id = 1 };
	GO(MADE);
#ifdef UNREGISTERS_S
	if
	:: leaving_S -> discard(); goto sent
	:: else
	fi;
#endif
	do
	:: sending < SENDS ->
		w = word;
		TRANSITION(CLAIM);
		if
		:: !ok -> break
		:: else
		fi;
#ifndef NO_LEAVING_CHECK
		if
		:: leaving_S -> word = UNCLAIM(w); break
		:: else
		fi;
#endif
		filling = true;
		assert(in_place == 0 && copying == 0 && !gone_S);
		filling = false;
		/* Slot::enter() */
#ifdef CHECK_BEFORE_ENTER
		ok = !leaving_R;
		cell_R[0] = true;
#else
		cell_R[0] = true;
		ok = !leaving_R;
#endif
		if
		:: !ok -> cell_R[0] = false; word = UNCLAIM(w); break
		:: else
		fi;
		d_step { sending++; claims = 0; result = 0; fields_for = 1 };
		h = GENERATION_OF(SEND(w));
#ifdef COPIES
		word = SEND(w);
		/* Requests::dispatch(): another thread may have cancelled the request and sent it again. */
		v = fields_for;
#ifndef CANCELLED_REQUEST_DISPATCHED_WHILE_HELD
		/* Record::is_still() */
		w = word;
#ifdef CANCELLED_REQUEST_DISPATCHED_WHILE_HOME
		ok = GENERATION_OF(w) == h;
#else
		ok = GENERATION_OF(w) == h && ON_ITS_WAY(w);
#endif
		if
		:: !ok -> goto returned
		:: else
		fi;
#endif
		assert(v == 1 && !gone_R);
		/* The dispatch routine */
		if
		:: complete(0, h, false)
		:: pended = h
		fi;
#else
		word = SEND(w) | IN_PLACE;
		in_place++;
		assert(!gone_R);
		in_call = true;
		/* The dispatch routine */
		if
		:: complete(0, h, true)
		:: pended = h
		:: true
		fi;
#endif
		/* A routine that has completed the request has given up the buffers. */
		w = word;
		if
		:: (w & IN_PLACE) && GENERATION_OF(w) == h -> end_dispatch(h)
		:: else
		fi;
returned:
		cell_R[0] = false;
#ifdef ROUTINE
		/* S frees the request at once, or the library frees it after S's routine. */
		if
		:: goto sent
		:: break
		fi
#else
		wait_for_request(0)
#endif
	:: break
	od;
	/* While the other thread of S sends the request, the owner refuses to free it. */
	(resender_done);
#ifdef UNREGISTERS_S
	/* If S is leaving, it may leave the request to Requests::free_all(). */
	if
	:: leaving_S -> goto sent
	:: true
	fi;
#endif
	discard();
	/* Requests::discard() cancels a request that is still on its way. */
	if
	:: w & ORPHAN -> cancel_for(0)
	:: else
	fi;
sent:
	sender_done = true
}

proctype waiter()
{
	int w, old;
	bool ok;
	byte h;

	wait_for_request(1);
	waiter_done = true
}

proctype resender()
{
	int w, old;
	bool ok;
	byte h;

	w = word;
	TRANSITION(CLAIM);
	if
	:: ok ->
		/* Requests::publish() writes the fields one by one */
		fields_for = 2;
		d_step { sending++; claims = 0; result = 0 };
		h = GENERATION_OF(SEND(w));
		word = SEND(w);
		complete(1, h, false)
	:: else
	fi;
	resender_done = true
}

/* Completes the request that R's dispatch routine has pended, or is about to pend. */
proctype completer()
{
	int w, old;
	bool ok;
	byte h;

	do
	:: pended != 0 ->
		atomic { h = pended; pended = 0 };
		copy(2, h);
		complete(2, h, false)
	:: sender_done && waiter_done && pended == 0 -> break
	od
}

proctype canceller()
{
	int w, old;
	bool ok;

#ifdef REUSED
	/* Requests::sent() */
	if
	:: id == 1 && PHASE_OF(word) != Free -> cancel_for(3)
	:: id == 2
	fi
#else
	cancel_for(3)
#endif
}

/* Another driver uses the record for a request to R. */
proctype stranger()
{
	int w, old;
	bool ok;
	byte h;

	id == 1 && PHASE_OF(word) == Free;
	GO(ALLOC);
	id = 2;
	GO(MADE);
	GO(CLAIM);
	h = GENERATION_OF(SEND(w));
	word = SEND(w);
	GO(COMPLETE);
	assert(ok && GENERATION_OF(w) == h);
	GO(HOME);
	assert(ok);
	GO(RECLAIM);
	assert(ok);
	word = FREED(w)
}

proctype clear_and_free_of_R()
{
	int w, old;
	bool ok, clear;

	leaving_R = true;
	do
	:: true ->
		(EMPTY_R);
		w = word;
		clear = !ON_ITS_WAY(w);
		if
		:: PHASE_OF(w) == Held || (w & PARKED) -> cancel_for(4)
		:: else
		fi;
		if
		:: clear && EMPTY_R -> break
		:: else -> (EMPTY_R && !ON_ITS_WAY(word)) || PHASE_OF(word) == Held || (word & PARKED)
		fi
	od;
	gone_R = true
}

proctype clear_and_free_of_S()
{
	int w, old;
	bool ok, clear;

	leaving_S = true;
	do
	:: true ->
		(EMPTY_S);
		w = word;
		if
		:: PHASE_OF(w) == Held || (w & PARKED) -> cancel_for(4)
		:: else
		fi;
		w = word;
		clear = PHASE_OF(w) == Free || (PHASE_OF(w) == Idle && !(w & (PINS | WAITERS)));
		ok = EMPTY_S;
		if
		:: clear && ok -> break
		:: else -> (EMPTY_S && !ON_ITS_WAY(word) && PHASE_OF(word) != Fill && !(word & (PINS | WAITERS))) || PHASE_OF(word) == Held || (word & PARKED)
		fi
	od;
	/* Requests::free_all() */
	do
	:: true ->
		w = word;
		if
		:: PHASE_OF(w) == Free || (w & ORPHAN) -> break
		:: PHASE_OF(w) == Fill && !(w & ORPHAN) ->
#ifdef CLAIMED_REQUEST_NEVER_FREED
			break
#else
			PHASE_OF(word) != Fill
#endif
		:: PHASE_OF(w) != Free && PHASE_OF(w) != Fill && !(w & ORPHAN) -> discard()
		fi
	od;
	gone_S = true
}

init {
	atomic {
#ifdef WAITS
		waiter_done = false;
		run waiter();
#endif
		run sender();
		run completer();
#ifdef REUSED
		run stranger();
#endif
#ifdef SENDS_AGAIN
		resender_done = false;
		run resender();
#endif
#ifdef CANCEL
		run canceller();
#endif
#ifdef UNREGISTERS_R
		run clear_and_free_of_R();
#endif
#ifdef UNREGISTERS_S
		run clear_and_free_of_S();
#endif
	}
	(_nr_pr == 1);
	assert(delivering == 0 && in_place == 0 && copying == 0);
	assert(EMPTY_R && EMPTY_S);
	assert(homes == sending && routines <= sending);
	assert(PHASE_OF(word) == Free)
}
