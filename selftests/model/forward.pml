/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Models a request that a sender S sends to F. F forwards it to R, and then gets it back. Most inlines model the
 * function of the same name.
 *
 * F forwards the request in S's thread. R's dispatch routine runs there, too, and uses the buffers in place. R
 * completes or pends the request. If F gets the request back, F also completes or pends it. run.sh chooses by -D:
 *
 *   CANCEL	another thread of S cancels the request
 *   UNREGISTERS_S, UNREGISTERS_F, UNREGISTERS_R	S, F or R unregisters
 *   FORWARDS_LATER	F pends the request, and forwards it from another thread
 *   NOT_RETURNED	F does not want the request back
 *   HEARS	R has asked for cancelled(). S does not wait for the request: there would be too many states
 *
 * What must hold, with the variables that check it:
 *   - one thread delivers the request at a time (delivering), and the request comes home at most once (homes);
 *   - a request that S has cancelled (cancelled) ends as cancelled, unless F gets it back and completes it;
 *   - if S fails to cancel the request, F does not get the request back later;
 *   - F does not get the request back while R's dispatch routine uses the buffers (in_place);
 *   - a cancelled request does not go home while an in-place call uses the buffers, unless a driver unregisters;
 *   - F is notified of the cancellation (notified) or gets the request back (returned), not both, and at most once;
 *   - a driver is unregistered (gone) only if no thread is inside it and the request does not concern it (CONCERNS).
 */
#include "word.inc"

#if defined(UNREGISTERS_S) || defined(UNREGISTERS_F) || defined(UNREGISTERS_R)
#define UNREGISTERS	true
#else
#define UNREGISTERS	false
#endif

#define S	0
#define F	1
#define R	2

/* The numbers of the threads: 0 sender(), 1 completer(), 2 canceller(), 3 + d clear_and_free(d) */
#define THREADS	6
bool cell[THREADS * 3];
#define INSIDE(d, me)	cell[(d) * THREADS + (me)]
#define EMPTY(d)	(!cell[(d) * THREADS] && !cell[(d) * THREADS + 1] && !cell[(d) * THREADS + 2] && \
			 !cell[(d) * THREADS + 3] && !cell[(d) * THREADS + 4] && !cell[(d) * THREADS + 5])
bool leaving[3], gone[3];

bool forwarded;		/* completer() has forwarded the request */
#ifdef NOT_RETURNED
#define RETURNS	false
#else
#define RETURNS	true
#endif
/*
 * Record::level_above(). RECEIVERS is the number of drivers that have received the request and have not given it up.
 * If the request is parked, LEVEL also counts the last receiver, which has given it up. CONCERNS(d): the request is on
 * its way, and d is S or one of the drivers that RECEIVERS counts.
 */
#define RECEIVERS	(LEVEL_OF(word) - ((word & PARKED) != 0))
#define CONCERNS(d)	(ON_ITS_WAY(word) && ((d) == S || ((d) == F && RECEIVERS >= 1) || ((d) == R && RECEIVERS >= 2)))

byte delivering;
byte homes;
byte notified, returned;	/* how often F was notified, and got the request back */
bool in_place;		/* R's in-place call uses the buffers */
bool cancelled;
bool completed_when_back;
byte pended;		/* the generation of the handle of the pending request, or 0 */
bool sender_done;

/* Afterwards, `ok` says whether the calling thread still delivers the request. */
inline give_back(me)
{
	INSIDE(F, me) = true;
#ifdef NO_PARK
	atomic { if :: word == w && !(w & RECALL) -> word = RETURN(w); w = word; ok = true :: else -> ok = false fi };
#else
	TRANSITION(RETURN);
#endif
	if
	:: !ok -> INSIDE(F, me) = false; ok = true
	:: else ->
		delivering--;
		assert(!gone[F] && !in_place);
		d_step { returned++; assert(notified + returned <= 1) };
		h = GENERATION_OF(w);
		if
		/* returned() returns a status, or pends the request. */
		:: INSIDE(F, me) = false;
		   do
		   :: true ->
			w = word;
			if
			:: GENERATION_OF(w) != h || PHASE_OF(w) != Held -> break
			:: else
			fi;
			TRANSITION(COMPLETE);
			if
			:: ok -> completed_when_back = true; GO(COMPLETED); break
			:: else
			fi
		   od
		:: pended = h; INSIDE(F, me) = false
		fi;
		atomic {
			assert(CAN_CARRIED(word));
			word = CARRIED(word);
			w = word;
			ok = OVER(w);
			if
			:: ok -> delivering++; assert(delivering == 1)
			:: else
			fi
		}
	fi
}

inline deliver(me)
{
	delivering++;
	assert(delivering == 1);
	do
	:: true ->
		w = word;
		assert(OVER(w));
		if
		:: w & RECALL ->
			atomic {
				if
				:: word == w && CAN_RECALLED(w) ->
#ifdef RECALLED_BEFORE_THE_IN_PLACE_CALL_ENDS
					word = RECALLED(w);
#else
					word = ((w & IN_PLACE) -> RECALLED(w) | PARKED : RECALLED(w));
#endif
					w = word;
					delivering = delivering - ((w & PARKED) != 0)
				:: else
				fi
			};
			if
			:: w & PARKED -> break
			:: else
			fi
		:: !(w & RECALL) && LEVEL_OF(w) == 1 ->
			/* bring_home() */
			atomic {
				if
				:: word == w && CAN_HOME(w) ->
					assert(!cancelled || PHASE_OF(w) == Cancelled || completed_when_back);
					/* After a cancel, S may send the request again: no call may use its buffers. */
					assert(UNREGISTERS || PHASE_OF(w) != Cancelled || !(w & IN_PLACE));
					word = HOME(w); w = word; homes++; delivering--; ok = true
				:: else -> ok = false
				fi
			};
			if
			:: ok -> break
			:: else
			fi
		:: !(w & RECALL) && LEVEL_OF(w) == 2 && !RETURNS -> TRANSITION(PASS)
		:: !(w & RECALL) && LEVEL_OF(w) == 2 && RETURNS && PHASE_OF(w) == Cancelled && RETURN_LEVEL_OF(w) < 1 ->
			/* Requests::notify() */
			INSIDE(F, me) = true;
			TRANSITION(NOTIFY);
			if
			:: ok ->
				assert(!gone[F]);
				d_step { notified++; assert(notified + returned <= 1) };
				GO(CARRIED);
				assert(ok && OVER(w))
			:: else
			fi;
			INSIDE(F, me) = false
		:: !(w & RECALL) && LEVEL_OF(w) == 2 && RETURNS && !(PHASE_OF(w) == Cancelled && RETURN_LEVEL_OF(w) < 1) && (w & IN_PLACE) ->
#ifdef NO_PARK
			give_back(me);
			if
			:: !ok -> break
			:: else
			fi
#else
			atomic {
				if
				:: word == w && CAN_PARK(w) -> word = PARK(w); delivering--; ok = true
				:: else -> ok = false
				fi
			};
			if
			:: ok -> break
			:: else
			fi
#endif
		:: !(w & RECALL) && LEVEL_OF(w) == 2 && RETURNS && !(PHASE_OF(w) == Cancelled && RETURN_LEVEL_OF(w) < 1) && !(w & IN_PLACE) ->
			give_back(me);
			if
			:: !ok -> break
			:: else
			fi
		fi
	od
}

/*
 * Cancels for S, or for a driver that unregisters (for_driver). `to` is the level of the driver that gets the request
 * back: 1 (F) if R unregisters, otherwise 0 (S). Afterwards, `ok` says whether this call has cancelled or recalled the
 * request.
 */
inline cancel_for(me, to, for_driver)
{
	do
	:: true ->
		w = word;
		if
		:: PHASE_OF(w) == Held ->
			/* Requests::end_hold() */
#if defined(HEARS) && !defined(CANCELLED_ENTERS_LATE)
			if
			:: LEVEL_OF(w) == 2 -> INSIDE(R, me) = true
			:: else
			fi;
#endif
			atomic {
				if
				:: word == w ->
					word = ((w & IN_PLACE) && !for_driver -> CANCEL_HELD(w) | PARKED : CANCEL_HELD(w) | (to << 16));
#ifdef HEARS
					word = (LEVEL_OF(w) == 2 -> word + PIN : word);
#endif
					w = word; ok = true
				:: else -> ok = false
				fi
			};
#ifdef HEARS
			if
			:: ok && (w & PINS) ->
				/* The call of R's routine cancelled() */
#ifdef CANCELLED_ENTERS_LATE
				INSIDE(R, me) = true;
				if
				:: gone[R]
				:: else -> assert(!gone[R])
				fi;
#else
				assert(!gone[R]);
#endif
				INSIDE(R, me) = false;
				atomic { assert(CAN_UNPINNED(word)); word = UNPINNED(word); w = word }
			:: !ok -> INSIDE(R, me) = false
			:: else
			fi;
#endif
			if
			:: ok && OVER(w) -> deliver(me); ok = true; break
			:: ok && !OVER(w) -> break
			:: else
			fi
		:: ON_ITS_WAY(w) && PHASE_OF(w) != Held && to == 0 &&
#ifdef PARKED_REQUEST_CANNOT_BE_CANCELLED
		   !(PHASE_OF(w) == Cancelled && (w & PARKED) && !for_driver) &&
#else
		   !(PHASE_OF(w) == Cancelled && (w & PARKED) && RETURN_LEVEL_OF(w) == 0 && !for_driver) &&
#endif
		   (PHASE_OF(w) == Forward || (w & PARKED) || (LEVEL_OF(w) == 2 && RETURNS)) ->
			if
			:: w & PARKED ->
				TRANSITION_TO(CANCEL_PARKED, (for_driver -> CANCEL_PARKED(w) : CANCEL_PARKED(w) | PARKED));
				if
				:: ok && OVER(w) -> deliver(me); ok = true; break
				:: ok && !OVER(w) -> break
				:: else
				fi
			:: !(w & PARKED) && PHASE_OF(w) == Cancelled && RETURN_LEVEL_OF(w) > 0 ->
				TRANSITION(CANCEL_AGAIN);
				if
				:: ok -> break
				:: else
				fi
			:: !(w & PARKED) && PHASE_OF(w) == Cancelled && RETURN_LEVEL_OF(w) == 0 -> ok = false; break
			:: !(w & PARKED) && PHASE_OF(w) != Cancelled && !(w & RECALL) ->
				TRANSITION(CANCEL_LATER);
				if
				:: ok -> break
				:: else
				fi
			:: !(w & PARKED) && PHASE_OF(w) != Cancelled && (w & RECALL) -> ok = false; break
			fi
		:: else ->
			assert(for_driver || !RETURNS || PHASE_OF(w) != Cancelled || LEVEL_OF(w) < 2 || RETURN_LEVEL_OF(w) == 0);
			ok = false;
			break
		fi
	od
}

/* The thread has a holder's handle of generation h. If `inside`, it is in R's in-place call. */
inline complete(me, h, inside)
{
	do
	:: true ->
		w = word;
		if
		:: GENERATION_OF(w) != h || PHASE_OF(w) != Held -> break
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
			:: inside -> in_place = false
			:: LEVEL_OF(w) == 1 -> completed_when_back = true
			:: else
			fi;
			GO(COMPLETED);
			if
			:: OVER(w) -> deliver(me)
			:: else
			fi;
			break
		:: else
		fi
	od
}

/* Requests::end_recalled() */
inline recalled(me)
{
	atomic {
		assert(CAN_FORWARD_RECALLED(word));
#ifdef RECALLED_BEFORE_THE_IN_PLACE_CALL_ENDS
		word = FORWARD_RECALLED(word);
#else
		word = ((word & IN_PLACE) -> FORWARD_RECALLED(word) | PARKED : FORWARD_RECALLED(word));
#endif
		w = word
	};
	if
	:: OVER(w) -> deliver(me)
	:: else
	fi
}

inline give_up_buffers(me)
{
	do
	:: true ->
		w = word;
		was_parked = ((w & PARKED) != 0);
		atomic {
			if
			:: word == w -> assert(CAN_IN_PLACE_END(w)); word = IN_PLACE_END(w); w = word; ok = true
			:: else -> ok = false
			fi
		};
		if
		:: ok && was_parked && OVER(w) -> deliver(me); break
		:: ok && !(was_parked && OVER(w)) -> break
		:: else
		fi
	od
}

/* F forwards the request by its handle of generation f. Includes the call of R's dispatch routine. */
inline forward(me, f)
{
	w = word;
	if
	:: GENERATION_OF(w) == f && PHASE_OF(w) == Held ->
		TRANSITION(FORWARD);
		if
		:: ok ->
			INSIDE(R, me) = true;
			if
			:: leaving[R] ->
				INSIDE(R, me) = false;
				GO(FORWARD_REFUSED);
				if
				:: ok -> complete(me, f, false)
				:: else -> recalled(me)
				fi
			:: else ->
				/*
				 * R gets the buffers (own), unless an in-place call of another thread uses them.
				 * Thread 0 passes on the buffers of its own in-place call.
				 */
				do
				:: true ->
					w = word;
					if
					:: !CAN_FORWARDED(w) -> ok = false; break
					:: else
					fi;
					own = (me == 0 || !(w & IN_PLACE));
					r = GENERATION_OF(FORWARDED(w));
					atomic {
						if
						:: word == w ->
							word = (own -> FORWARDED(w) | IN_PLACE : FORWARDED(w));
							in_place = own;
							ok = true
						:: else -> ok = false
						fi
					};
					if
					:: ok -> break
					:: else
					fi
				od;
				if
				:: !ok -> INSIDE(R, me) = false; recalled(me)
				:: else ->
					assert(!gone[R]);
					if
					:: complete(me, r, own)
					:: pended = r
					fi;
					if
					:: own && in_place ->
						in_place = false;
						give_up_buffers(me)
					:: else
					fi;
					INSIDE(R, me) = false
				fi
			fi
		:: else
		fi
	:: else
	fi
}

proctype sender()
{
	int w;
	bool ok, own, was_parked;
	byte f, h, r;

	GO(ALLOC);
	GO(MADE);
	TRANSITION(CLAIM);
	INSIDE(F, 0) = true;
	if
	:: leaving[F] || leaving[S] -> INSIDE(F, 0) = false; word = UNCLAIM(w); goto done
	:: else
	fi;
	f = GENERATION_OF(SEND(w));
	word = SEND(w) | IN_PLACE;
	/* F's dispatch routine */
	assert(!gone[F]);
#ifdef FORWARDS_LATER
	pended = f;
#else
	forward(0, f);
#endif
	w = word;
	if
	:: (w & IN_PLACE) && !in_place -> give_up_buffers(0)
	:: else
	fi;
	INSIDE(F, 0) = false;
#ifndef HEARS
	/* Requests::wait() of S, with a time limit */
	if
	:: PHASE_OF(word) == Idle
	:: cancel_for(0, 0, false);
	   if
	   :: ok -> cancelled = true
	   :: else
	   fi;
	   (PHASE_OF(word) == Idle || PHASE_OF(word) == Free || gone[S])
	fi;
#endif
done:
	sender_done = true
}

/* Completes the pending request. With FORWARDS_LATER, first forwards the request, for F. */
proctype completer()
{
	int w;
	bool ok, own, was_parked;
	byte h, r, k;

	do
	:: pended != 0 ->
		atomic { k = pended; pended = 0 };
#ifdef FORWARDS_LATER
		if
		:: LEVEL_OF(word) == 1 && !forwarded -> forwarded = true; forward(1, k)
		:: else -> complete(1, k, false)
		fi
#else
		complete(1, k, false)
#endif
	:: sender_done && pended == 0 -> break
	od
}

proctype canceller()
{
	int w;
	bool ok, was_parked;
	byte h;

	cancel_for(2, 0, false);
	if
	:: ok -> cancelled = true
	:: else
	fi
}

proctype clear_and_free(byte d)
{
	int w;
	bool ok, was_parked, clear;
	byte h;

	leaving[d] = true;
	do
	:: true ->
		(EMPTY(d) || CONCERNS(d));
		if
		:: CONCERNS(d) -> cancel_for(3 + d, (d == R -> 1 : 0), true)
		:: else
		fi;
		clear = !CONCERNS(d) && !(d == S && PHASE_OF(word) == Fill);
		if
		:: clear && EMPTY(d) -> break
		:: else -> (EMPTY(d) && !CONCERNS(d)) || PHASE_OF(word) == Held || (word & PARKED)
		fi
	od;
	gone[d] = true
}

init {
	atomic {
		run sender();
		run completer();
#ifdef CANCEL
		run canceller();
#endif
#ifdef UNREGISTERS_S
		run clear_and_free(S);
#endif
#ifdef UNREGISTERS_F
		run clear_and_free(F);
#endif
#ifdef UNREGISTERS_R
		run clear_and_free(R);
#endif
	}
	(_nr_pr == 1);
	assert(delivering == 0 && !in_place && homes <= 1);
	assert(EMPTY(S) && EMPTY(F) && EMPTY(R));
#ifdef HEARS
	/* completer() does not try again to forward the request, and nobody cancels it after that. */
	assert(PHASE_OF(word) == Idle || PHASE_OF(word) == Held)
#else
	assert(PHASE_OF(word) == Idle)
#endif
}
