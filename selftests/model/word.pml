/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One request between a sender S and a receiver R: shared/owner/request/ with the cells of
 * shared/owner/slot.rs. forward.pml models a request that is forwarded.
 *
 * S sends the request, waits for it, sends it again, and frees it. R's dispatch routine
 * runs in S's thread and uses the buffers in place. It completes the request, leaves it
 * pending, or returns without having done either. Chosen by -D:
 *
 *   SENDS	how often S sends the request
 *   COPIES	R does not use the buffers in place
 *   RESENDS	another thread of S sends the request, to another driver
 *   CANCEL	another thread of S cancels the request
 *   WAITS	another thread of S waits for the request, too
 *   LEAVE_R, LEAVE_S	R or S unregisters meanwhile
 *   REUSED	when S has freed the request, another driver gets the record and sends a
 *		request of its own
 *
 * The assertions say what must hold:
 *   - no thread writes to buffers, or frees them, while another thread uses them;
 *   - of all threads that try to complete or take the request, one succeeds (claims), and
 *     one delivers it (delivering);
 *   - the request comes home once for each send;
 *   - a waiting thread gets the result of the send that it has waited for;
 *   - R and S are entered only while they are registered.
 * Spin checks that every process comes to its end, so every thread that sleeps is woken.
 *
 * Memory is sequentially consistent in the model. The last column of the table in
 * shared/owner/request/word.rs says how each transition is ordered, and the comments there
 * say what needs full ordering.
 */
#include "word.inc"

#ifndef SENDS
#define SENDS	1
#endif

/* The slots of R and S, with a cell for each thread that may be inside */
#define THREADS	5
bool cellR[THREADS], cellS[THREADS];
bool leavingR, goneR, leavingS, goneS;
#define EMPTY_R	(!cellR[0] && !cellR[1] && !cellR[2] && !cellR[3] && !cellR[4])
#define EMPTY_S	(!cellS[0] && !cellS[1] && !cellS[2] && !cellS[3] && !cellS[4])

/* For the assertions */
byte claims;		/* threads that have claimed or taken the request, in this send */
byte delivering;	/* threads that deliver the request */
byte sending;		/* the number of this send */
byte homes;		/* how often the request has come home, in all sends */
byte result;		/* of this send: 0 none; 1 completed; 2 taken; 3 late */
byte inplace;		/* frames that use the buffers */
byte copying;		/* copies by handle that run */
bool filling;		/* S writes to the buffers, or frees them */
byte view;		/* the receiver that the fields of the request are for: 1 is R */
byte routines;		/* calls of S's completion routine */

byte kept;		/* the hold that R has left pending, for the completer; or 0 */
bool woken[2];		/* whether a waiting thread was woken: 0 the sender, 1 the waiter */
bool sender_done, waiter_done = true, resender_done = true;
byte id;		/* the generation of the sender's handle: 1 while the request is that of S */

inline unmake()
{
	filling = true;
	assert(inplace == 0 && copying == 0);
	filling = false;
	word = FREED(w)
}

/* Requests::reclaim() */
inline reclaim()
{
	GO(RECLAIM);
	if
	:: ok -> unmake()
	:: else
	fi
}

/* Requests::discard() */
inline free()
{
	do
	:: true ->
		w = word;
		if
		:: PH(w) == Free || PH(w) == Fill || (w & ORPHAN) -> break
		:: else
		fi;
		STEP(RECLAIM);
		if
		:: ok -> unmake(); break
		:: else
		fi;
		w = word;
		if
		:: PH(w) != Free && PH(w) != Fill && !(w & ORPHAN) && !CAN_RECLAIM(w) ->
			STEP(ABANDONED);
			if
			:: ok -> break
			:: else
			fi
		:: else
		fi
	od
}

inline deliver(me)
{
	delivering++;
	assert(delivering == 1);
	assert(OVER(w) && LV(w) == 1);
	do
	:: true ->
		w = word;
		assert(OVER(w));
		if
		:: PH(w) == Taken -> result = (w & LATE -> 3 : 2)
		:: else -> if :: w & LATE -> result = 3 :: else -> result = 1 fi
		fi;
		assert(claims == 1);
		/* bring_home(): first enters S if it will call S's routine, then makes the transition */
		if
		:: w & LATE && !(w & ORPHAN) -> cellS[me] = true
		:: else
		fi;
		old = w;
		atomic {
			if
			:: word == w && CAN_HOME(w) -> word = HOME(w); w = word; ok = true; homes++; delivering--
			:: else -> ok = false
			fi
		};
		if
		:: ok -> break
		:: else -> cellS[me] = false
		fi
	od;
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
	:: cellS[me] -> assert(!goneS); routines++; free(); cellS[me] = false
	:: else
	fi
}

/* Requests::take(), for a driver that leaves if me is 4, otherwise for S */
inline take(me)
{
	do
	:: true ->
		w = word;
		if
#ifndef TAKEN_BY_STALE_HANDLE
		:: me != 4 && id != 1 -> ok = false; break
		:: (me == 4 || id == 1) && PH(w) == Held ->
#else
		:: PH(w) == Held ->
#endif
			atomic {
				if
				/* A request that S cancels stays parked until the frame ends. */
				:: word == w ->
					word = ((w & RUN) && me != 4 -> TAKE(w) | PARKED : TAKE(w));
					w = word; ok = true; claims++
				:: else -> ok = false
				fi
			};
			if
			:: ok && OVER(w) -> deliver(me); break
			:: ok && !OVER(w) -> break
			:: else
			fi
		:: PH(w) == Taken && (w & PARKED) && me == 4 ->
			STEP(TAKE_PARKED);
			if
			:: ok && OVER(w) -> deliver(me); break
			:: ok && !OVER(w) -> break
			:: else
			fi
		:: else -> ok = false; break
		fi
	od
}

/*
 * Requests::complete() by the handle of hold h; inside is whether the caller is in the frame that
 * uses the buffers
 */
inline complete(me, h, inside)
{
	do
	:: true ->
		w = word;
		if
#ifdef NO_SEQ
		:: PH(w) != Held || !CAN_COMPLETE(w) -> break
#else
		:: SQ(w) != h || !CAN_COMPLETE(w) -> break
#endif
		:: else
		fi;
		atomic {
			if
			:: word == w -> word = (inside -> COMPLETE(w) & ~RUN : COMPLETE(w)); w = word; ok = true; claims++
			:: else -> ok = false
			fi
		};
		if
		:: ok ->
			assert(SQ(w) == h);
			if
			:: inside -> inplace--
			:: else
			fi;
			/* Usually the next transition brings the request home. */
			if
			:: !(w & (ORPHAN | ASLEEP | LATE)) ->
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

/* Requests::read() or Requests::write(), by the handle of hold h */
inline copy(me, h)
{
	w = word;
	if
	:: SQ(w) == h && CAN_PINNED(w) && PH(w) == Held ->
#ifdef NO_PIN
		ok = true;
#else
		STEP(PINNED);
#endif
		if
		:: ok ->
			copying++;
			assert(!filling && !goneS);
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

/* Requests::end_frame(), of a routine that has neither completed nor pended the request */
inline complete_uncompleted(h)
{
	do
	:: true ->
		w = word;
		if
		:: SQ(w) != h || !CAN_COMPLETE(w) -> break
		:: else
		fi;
		atomic {
			if
			:: word == w -> word = COMPLETE(w) & ~RUN; w = word; ok = true; claims++
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

/* Requests::wait(), with a time limit that may pass at any moment */
inline wait_for_it(me)
{
	do
	:: true ->
		w = word;
		if
		/* The request was freed, or never sent. */
		:: !CAN_WAIT(w) || sending == 0 -> goto waited
		:: else
		fi;
		STEP(WAIT);
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
		:: PH(w) == Idle -> break
		:: else
		fi;
		if
		:: me == 0 -> take(me)
		/* d2d_word_wait(): after the thread has joined the sleepers, it looks at the word once more. */
		:: woken[me] = false;
		   STEP(SLEEP);
		   if
		   :: ok ->
			w = word;
			if
			:: PH(w) == Idle
			:: else -> woken[me]
			fi
		   :: else
		   fi
		fi
	od;
	/* The result is that of the send that the thread has waited for. */
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
	bool ok, in_frame, parked;
	byte h, v;

	/* d2d_request_alloc() */
	atomic { GO(ALLOC); id = 1 };
	GO(MADE);
	do
	:: sending < SENDS ->
		w = word;
		STEP(CLAIM);
		if
		:: !ok -> break
		:: else
		fi;
#ifndef NO_LEAVING_CHECK
		if
		:: leavingS -> word = UNCLAIM(w); break
		:: else
		fi;
#endif
		filling = true;
		assert(inplace == 0 && copying == 0 && !goneS);
		filling = false;
		/* Slot::enter() */
#ifdef CHECK_BEFORE_ENTER
		ok = !leavingR;
		cellR[0] = true;
#else
		cellR[0] = true;
		ok = !leavingR;
#endif
		if
		:: !ok -> cellR[0] = false; word = UNCLAIM(w); break
		:: else
		fi;
		d_step { sending++; claims = 0; result = 0; view = 1 };
		h = SQ(SEND(w));
#ifdef COPIES
		word = SEND(w);
		/* Requests::dispatch(): another thread may have taken the request and sent it again. */
		v = view;
#ifndef VIEW_NOT_CHECKED
		/* Record::is_still() */
		w = word;
#ifdef IS_STILL_IGNORES_THE_PHASE
		ok = SQ(w) == h;
#else
		ok = SQ(w) == h && ON_ITS_WAY(w);
#endif
		if
		:: !ok -> goto returned
		:: else
		fi;
#endif
		assert(v == 1 && !goneR);
		/* The dispatch routine completes the request at once, or leaves it pending. */
		if
		:: complete(0, h, false)
		:: kept = h
		fi;
#else
		word = SEND(w) | RUN;
		inplace++;
		assert(!goneR);
		in_frame = true;
		/* The dispatch routine completes the request, pends it, or does neither. */
		if
		:: complete(0, h, true)
		:: kept = h
		:: true
		fi;
#endif
		/* The routine returns. If it has completed the request, it has given up the buffers. */
		w = word;
		if
		:: (w & RUN) && SQ(w) == h ->
			assert(!filling);
			inplace--;
			if
			:: kept != h -> complete_uncompleted(h)
			:: else
			fi;
			w = word;
			if
			:: w & RUN ->
				atomic { assert(CAN_FRAME_END(word)); parked = ((word & PARKED) != 0); word = FRAME_END(word); w = word };
				if
				:: parked && OVER(w) -> deliver(0)
				:: !(parked && OVER(w)) && UNUSED(w) -> reclaim()
				:: else
				fi
			:: else
			fi
		:: else
		fi;
returned:
		cellR[0] = false;
		wait_for_it(0)
	:: break
	od;
	/* Freeing would be refused while the other thread of S sends the request. */
	(resender_done);
	free();
	/* Requests::discard() takes a request that is still on its way. */
	if
	:: w & ORPHAN -> take(0)
	:: else
	fi;
	sender_done = true
}

/* Another thread of S waits for the request, too. */
proctype waiter()
{
	int w, old;
	bool ok;
	byte h;

	wait_for_it(1);
	waiter_done = true
}

/* Another thread of S sends the request to another driver, which completes it at once. */
proctype resender()
{
	int w, old;
	bool ok;
	byte h;

	w = word;
	STEP(CLAIM);
	if
	:: ok ->
		/* Requests::publish() writes the fields one by one */
		view = 2;
		d_step { sending++; claims = 0; result = 0 };
		h = SQ(SEND(w));
		word = SEND(w);
		complete(1, h, false)
	:: else
	fi;
	resender_done = true
}

/* A thread of R completes what R's dispatch routine has left pending, or is about to leave pending. */
proctype completer()
{
	int w, old;
	bool ok;
	byte h;

	do
	:: kept != 0 ->
		atomic { h = kept; kept = 0 };
		copy(2, h);
		complete(2, h, false)
	:: sender_done && waiter_done && kept == 0 -> break
	od
}

proctype canceller()
{
	int w, old;
	bool ok;

#ifdef REUSED
	/* Requests::sent() */
	if
	:: id == 1 && PH(word) != Free -> take(3)
	:: id == 2
	fi
#else
	take(3)
#endif
}

/* Another driver gets the record, and sends a request of its own to R, which completes it. */
proctype stranger()
{
	int w, old;
	bool ok;
	byte h;

	id == 1 && PH(word) == Free;
	GO(ALLOC);
	id = 2;
	GO(MADE);
	GO(CLAIM);
	h = SQ(SEND(w));
	word = SEND(w);
	/* Nobody takes this request. */
	GO(COMPLETE);
	assert(ok && SQ(w) == h);
	GO(HOME);
	assert(ok);
	GO(RECLAIM);
	assert(ok);
	word = FREED(w)
}

/* Requests::run_down() of R */
proctype leaver_of_R()
{
	int w, old;
	bool ok, clear;

	leavingR = true;
	do
	:: true ->
		(EMPTY_R);
		w = word;
		clear = !ON_ITS_WAY(w);
		if
		:: PH(w) == Held || (w & PARKED) -> take(4)
		:: else
		fi;
		if
		:: clear && EMPTY_R -> break
		:: else -> (EMPTY_R && !ON_ITS_WAY(word)) || PH(word) == Held || (word & PARKED)
		fi
	od;
	goneR = true
}

/* Requests::run_down() of S */
proctype leaver_of_S()
{
	int w, old;
	bool ok, clear;

	leavingS = true;
	do
	:: true ->
		(EMPTY_S);
		w = word;
		if
		:: PH(w) == Held || (w & PARKED) -> take(4)
		:: else
		fi;
		w = word;
		clear = PH(w) == Free;
		if
		:: PH(w) == Idle && !(w & (PINS | WAITERS)) -> free(); clear = true
		:: else
		fi;
		ok = EMPTY_S;
		if
		:: clear && ok -> break
		:: else -> (EMPTY_S && !ON_ITS_WAY(word) && PH(word) != Fill && !(word & (PINS | WAITERS))) || PH(word) == Held || (word & PARKED)
		fi
	od;
	goneS = true
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
#ifdef RESENDS
		resender_done = false;
		run resender();
#endif
#ifdef CANCEL
		run canceller();
#endif
#ifdef LEAVE_R
		run leaver_of_R();
#endif
#ifdef LEAVE_S
		run leaver_of_S();
#endif
	}
	(_nr_pr == 1);
	assert(delivering == 0 && inplace == 0 && copying == 0);
	assert(EMPTY_R && EMPTY_S);
	assert(homes == sending && routines <= sending);
	assert(PH(word) == Free)
}
