/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A request that is forwarded: a sender S sends it to F, which forwards it to R and gets it
 * back. This models shared/owner/request/ with the cells of shared/owner/slot.rs. word.pml
 * models a request between a sender and one receiver.
 *
 * F forwards the request in S's thread. R's dispatch routine runs in S's thread, too, and
 * uses the buffers in place. R completes the request at once, or leaves it pending. F does
 * the same with what it gets back. Chosen by -D:
 *
 *   CANCEL	another thread of S cancels the request
 *   LEAVE_S, LEAVE_F, LEAVE_R	S, F or R unregisters meanwhile
 *   OTHER	F forwards the request from another thread than that of its dispatch routine
 *   RELEASED	F does not get the request back
 *
 * The assertions say what must hold:
 *   - only one thread delivers the request at a time (delivering), and the request comes
 *     home once;
 *   - a request whose cancel has succeeded (granted) ends as cancelled, unless F has got it
 *     back and completed it;
 *   - a cancel does not fail while F would still get the request back;
 *   - while R's dispatch routine uses the buffers, F does not hold the request, and S does not
 *     either if the request was cancelled and no driver leaves;
 *   - F is told of the cancellation, or gets the request back, at most once;
 *   - a driver is unregistered only when no thread is inside and no request is with it.
 */
#include "word.inc"

#if defined(LEAVE_S) || defined(LEAVE_F) || defined(LEAVE_R)
#define LEAVES	true
#else
#define LEAVES	false
#endif

#define S	0
#define F	1
#define R	2

#define THREADS	6
bool cell[THREADS * 3];
#define INSIDE(d, me)	cell[(d) * THREADS + (me)]
#define EMPTY(d)	(!cell[(d) * THREADS] && !cell[(d) * THREADS + 1] && !cell[(d) * THREADS + 2] && \
			 !cell[(d) * THREADS + 3] && !cell[(d) * THREADS + 4] && !cell[(d) * THREADS + 5])
bool leaving[3], gone[3];

bool second;		/* OTHER: the completer has forwarded the request to R, which is at the second level */
#ifdef RELEASED
#define RETURNS	false
#else
#define RETURNS	true
#endif
/* Record::level_of(): the levels at which the request is, and whether it concerns driver d */
#define LEVELS		(LV(word) - ((word & PARKED) != 0))
#define CONCERNS(d)	(ON_ITS_WAY(word) && ((d) == S || ((d) == F && LEVELS >= 1) || ((d) == R && LEVELS >= 2)))

/* For the assertions: threads that deliver; times that the request came home, F was told, F got it back */
byte delivering, homes, told, back;
bool inplace;		/* R's frame uses the buffers */
bool granted;		/* a cancel has succeeded */
bool completed_after;	/* F has completed the request after it got it back */
byte kept;		/* the hold that the completer will complete, or 0 */
byte result;		/* 0 none, 1 completed, 2 taken */
bool sender_done;
byte carrier;		/* the thread that is inside F's returned() */

/* Requests::give_back(); ok is whether the caller still delivers the request */
inline give_back(me)
{
	INSIDE(F, me) = true;
	carrier = me + 1;
#ifdef NO_PARK
	atomic { if :: word == w && !(w & RECALL) -> word = RETURN(w); w = word; ok = true :: else -> ok = false fi };
#else
	STEP(RETURN);
#endif
	if
	:: !ok -> INSIDE(F, me) = false; ok = true
	:: else ->
		delivering--;
		assert(!gone[F] && !inplace);
		d_step { back++; assert(told + back <= 1) };
		h = SQ(w);
		if
		/* returned() returns a status: the request is completed with it. */
		:: INSIDE(F, me) = false;
		   do
		   :: true ->
			w = word;
			if
			:: SQ(w) != h || PH(w) != Held -> break
			:: else
			fi;
			STEP(COMPLETE);
			if
			:: ok -> completed_after = true; GO(COMPLETED); break
			:: else
			fi
		   od
		/* returned() keeps the request. */
		:: kept = h; INSIDE(F, me) = false
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

/* Requests::deliver() */
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
#ifdef RECALLED_BEFORE_THE_FRAME_ENDS
					word = RECALLED(w);
#else
					word = ((w & RUN) -> RECALLED(w) | PARKED : RECALLED(w));
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
		:: !(w & RECALL) && LV(w) == 1 ->
			if
			:: PH(w) == Taken -> result = 2
			:: else -> result = 1
			fi;
			atomic {
				if
				:: word == w && CAN_HOME(w) ->
					assert(!granted || PH(w) == Taken || completed_after);
					/* A sender that has cancelled the request may send it again at once. */
					assert(LEAVES || PH(w) != Taken || !(w & RUN));
					word = HOME(w); w = word; homes++; delivering--; ok = true
				:: else -> ok = false
				fi
			};
			if
			:: ok -> break
			:: else
			fi
		:: !(w & RECALL) && LV(w) == 2 && !RETURNS -> STEP(PASS)
		:: !(w & RECALL) && LV(w) == 2 && RETURNS && PH(w) == Taken && TOLEVEL(w) < 1 ->
			/* tell() */
			INSIDE(F, me) = true;
			carrier = me + 1;
			STEP(TELL);
			if
			:: ok ->
				assert(!gone[F]);
				d_step { told++; assert(told + back <= 1) };
				GO(CARRIED);
				assert(ok && OVER(w))
			:: else
			fi;
			INSIDE(F, me) = false
		:: !(w & RECALL) && LV(w) == 2 && RETURNS && !(PH(w) == Taken && TOLEVEL(w) < 1) && (w & RUN) ->
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
		:: !(w & RECALL) && LV(w) == 2 && RETURNS && !(PH(w) == Taken && TOLEVEL(w) < 1) && !(w & RUN) ->
			give_back(me);
			if
			:: !ok -> break
			:: else
			fi
		fi
	od
}

/*
 * Requests::take(): if leaves is false, S cancels the request (level is 0). If leaves is true, S or F
 * unregisters (level is 0), or R does (level is 1). ok is whether this call has taken the request.
 */
inline take(me, level, leaves)
{
	do
	:: true ->
		w = word;
		if
		:: PH(w) == Held ->
			atomic {
				if
				:: word == w ->
					word = ((w & RUN) && !leaves -> TAKE(w) | PARKED : TAKE(w) | (level << 16));
					w = word; ok = true
				:: else -> ok = false
				fi
			};
			if
			:: ok && OVER(w) -> deliver(me); ok = true; break
			:: ok && !OVER(w) -> break
			:: else
			fi
		:: ON_ITS_WAY(w) && PH(w) != Held && level == 0 &&
#ifdef PARKED_FOR_A_FORWARDER
		   !(PH(w) == Taken && (w & PARKED) && !leaves) &&
#else
		   !(PH(w) == Taken && (w & PARKED) && TOLEVEL(w) == 0 && !leaves) &&
#endif
		   (PH(w) == Forward || (w & PARKED) || (LV(w) == 2 && RETURNS)) ->
			if
			:: w & PARKED ->
				STEP_TO(TAKE_PARKED, (leaves -> TAKE_PARKED(w) : TAKE_PARKED(w) | PARKED));
				if
				:: ok && OVER(w) -> deliver(me); ok = true; break
				:: ok && !OVER(w) -> break
				:: else
				fi
			:: !(w & PARKED) && PH(w) == Taken && TOLEVEL(w) > 0 ->
				STEP(TAKE_ON);
				if
				:: ok -> break
				:: else
				fi
			:: !(w & PARKED) && PH(w) == Taken && TOLEVEL(w) == 0 -> ok = false; break
			:: !(w & PARKED) && PH(w) != Taken && !(w & RECALL) ->
				STEP(RECALL_BELOW);
				if
				:: ok -> break
				:: else
				fi
			:: !(w & PARKED) && PH(w) != Taken && (w & RECALL) -> ok = false; break
			fi
		:: else ->
			assert(leaves || !RETURNS || PH(w) != Taken || LV(w) < 2 || TOLEVEL(w) == 0);
			ok = false;
			break
		fi
	od
}

/* Requests::complete() by the handle of hold h: by R in its frame (inside), or by another thread */
inline complete(me, h, inside)
{
	do
	:: true ->
		w = word;
		if
		:: SQ(w) != h || PH(w) != Held -> break
		:: else
		fi;
		atomic {
			if
			:: word == w -> word = (inside -> COMPLETE(w) & ~RUN : COMPLETE(w)); w = word; ok = true
			:: else -> ok = false
			fi
		};
		if
		:: ok ->
			if
			:: inside -> inplace = false
			:: LV(w) == 1 -> completed_after = true
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

/* Requests::recalled() */
inline recalled(me)
{
	atomic {
		assert(CAN_FORWARD_RECALLED(word));
#ifdef RECALLED_BEFORE_THE_FRAME_ENDS
		word = FORWARD_RECALLED(word);
#else
		word = ((word & RUN) -> FORWARD_RECALLED(word) | PARKED : FORWARD_RECALLED(word));
#endif
		w = word
	};
	if
	:: OVER(w) -> deliver(me)
	:: else
	fi
}

/* Requests::give_up_buffers() */
inline give_up_buffers(me)
{
	do
	:: true ->
		w = word;
		was_parked = ((w & PARKED) != 0);
		atomic {
			if
			:: word == w -> assert(CAN_FRAME_END(w)); word = FRAME_END(w); w = word; ok = true
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

/* Requests::forward(), by F, and the call of R's dispatch routine */
inline forward(me, f)
{
	w = word;
	if
	:: SQ(w) == f && PH(w) == Held ->
		STEP(FORWARD);
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
				/* If this is the frame of F's dispatch routine, it gives up the buffers. Otherwise R cannot use them. */
				do
				:: true ->
					w = word;
					if
					:: !CAN_FORWARDED(w) -> ok = false; break
					:: else
					fi;
					own = (me == 0 || !(w & RUN));
					r = SQ(FORWARDED(w));
					atomic {
						if
						:: word == w ->
							word = (own -> FORWARDED(w) | RUN : FORWARDED(w));
							inplace = own;
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
					:: kept = r
					fi;
					/* R's dispatch routine returns. */
					if
					:: own && inplace ->
						inplace = false;
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
	STEP(CLAIM);
	INSIDE(F, 0) = true;
	if
	:: leaving[F] || leaving[S] -> INSIDE(F, 0) = false; word = UNCLAIM(w); goto done
	:: else
	fi;
	f = SQ(SEND(w));
	word = SEND(w) | RUN;
	/* F's dispatch routine */
	assert(!gone[F]);
#ifdef OTHER
	kept = f;
#else
	forward(0, f);
#endif
	w = word;
	if
	:: (w & RUN) && !inplace -> give_up_buffers(0)
	:: else
	fi;
	INSIDE(F, 0) = false;
	/* S waits, and takes the request when its time limit has passed. */
	if
	:: PH(word) == Idle
	:: take(0, 0, false);
	   if
	   :: ok -> granted = true
	   :: else
	   fi;
	   (PH(word) == Idle || PH(word) == Free || gone[S])
	fi;
done:
	sender_done = true
}

/* A thread that completes what was left pending. With OTHER, it also forwards the request, first. */
proctype completer()
{
	int w;
	bool ok, own, was_parked;
	byte h, r, k;

	do
	:: kept != 0 ->
		atomic { k = kept; kept = 0 };
#ifdef OTHER
		if
		:: LV(word) == 1 && !second -> second = true; forward(1, k)
		:: else -> complete(1, k, false)
		fi
#else
		complete(1, k, false)
#endif
	:: sender_done && kept == 0 -> break
	od
}

proctype canceller()
{
	int w;
	bool ok, was_parked;
	byte h;

	take(2, 0, false);
	if
	:: ok -> granted = true
	:: else
	fi
}

/* Requests::run_down() of driver d */
proctype leaver(byte d)
{
	int w;
	bool ok, was_parked, clear;
	byte h;

	leaving[d] = true;
	do
	:: true ->
		(EMPTY(d) || CONCERNS(d));
		if
		:: CONCERNS(d) -> take(3 + d, (d == R -> 1 : 0), true)
		:: else
		fi;
		clear = !CONCERNS(d) && !(d == S && PH(word) == Fill);
		if
		:: clear && EMPTY(d) -> break
		:: else -> (EMPTY(d) && !CONCERNS(d)) || PH(word) == Held || (word & PARKED)
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
#ifdef LEAVE_S
		run leaver(S);
#endif
#ifdef LEAVE_F
		run leaver(F);
#endif
#ifdef LEAVE_R
		run leaver(R);
#endif
	}
	(_nr_pr == 1);
	assert(delivering == 0 && !inplace && homes <= 1);
	assert(EMPTY(S) && EMPTY(F) && EMPTY(R));
	assert(PH(word) == Idle)
}
