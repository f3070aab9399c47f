// SPDX-License-Identifier: GPL-2.0
/*
 * Requests at any time: shared/owner/{requests,recall,entry}.rs with the visits of
 * visit.rs, and drivers that do with them what d2d.h allows.
 *
 * A driver S sends a request; a driver F may pass it on, and gets it back or does not;
 * a driver H gets it. Whoever has it completes it at once, from elsewhere later, or
 * never. S waits with a time limit, or is called, takes it back at any moment, sends it
 * again, frees it; and each of the three is unregistered at any moment, or, so that
 * nothing that S waits for is owed to that, when S is done. Chosen by -D:
 *
 *   ROUTINE	S is called, and may send again or free the request in there; else it waits
 *   FORWARD	the request is sent to F; else to H
 *   EARLY	who is unregistered at any moment: 1 S, 2 F, 4 H, and sums of
 *		these; the others follow, one after the other, when these have gone
 *   CANCEL	S also takes the request back from another thread
 *   QUIET	with ROUTINE: S never takes the request back but by leaving
 *   SHARED	without ROUTINE: another thread of S waits as well, or frees the request, or
 *		sends it
 *   SENDS	how often the request is sent at most, else once
 *
 * What must hold is asserted: of all that complete a request or take it back one carries
 * it up at a time (carrier), and nobody completes it by a handle that he was not given or
 * has given up (mine); it comes back once for each time that it was sent (ended), by one
 * call of the routine (called); if S was told that it has taken it back, that is what
 * became of it; a driver is entered only while its code is there (text), and nobody is
 * in it when it is unregistered (visits); it is only taken from who leaves and from who
 * got it from there (level); it is with its sender, and nobody waits for it, when it is
 * removed (remove); each waiter gets the result of the sending that it has waited for;
 * and the request is gone in the end. That everybody who waits wakes, without a time
 * limit, too, if S leaves, is that no run ends before its processes do.
 *
 * Left out, with the reason:
 * - Generations of handles: a handle is never used again. That is what they are for.
 * - Spinlocks: what runs under one is one step, but for that of the requests where
 *   somebody may begin to leave in the middle, which the registry's is for (locked).
 * - Whether the sender's thread is in the dispatch routine that it calls, or has gone
 *   on: it goes on here, which it might as well do by a worker.
 * - A dispatch routine that returns without having completed the request: that
 *   completes it, as the driver may.
 * - References to the packet: a work item that finds no request does nothing.
 * - More than one request: they share nothing but drivers, and who leaves looks at one
 *   after the other.
 * - A request with a completion routine that another thread frees or sends again, or
 *   that the routine frees having sent it again: who does that has to know.
 * - Waiting by looking again and again: it is for what makes looking worthwhile.
 */

#define S	0
#define F	1
#define H	2
#define NOBODY	3
#define LEVELS	2

#ifdef FORWARD
#define FIRST	F
/* So that F and H can be in their routines at the same time */
#define INLINE(d)	((d) == F)
#define QUEUED(d)	((d) == H)
#else
#define FIRST	H
#define INLINE(d)	true
#define QUEUED(d)	true
#endif
#ifndef EARLY
#define EARLY	7
#endif
#ifndef SENDS
#define SENDS	1
#endif
/* The others leave one after the other when these are gone. */
#define GONE(d)		(!(EARLY & (1 << (d))) || !registered[d])
#define EARLY_GONE	(GONE(S) && GONE(F) && GONE(H))
/* How often a handle is given in all: each time it is sent, passed on and given back */
#ifdef FORWARD
#define HOLDS	(SENDS * 5 + 1)
#else
#define HOLDS	(SENDS + 1)
#endif
#define NONE	0

/* registry.rs: Driver and Slot */
bool registered[3], leaving[3];
byte visits[3];

/* entry.rs: Entry */
mtype = { Idle, Held, Busy };
mtype phase = Idle;
bool in_table = true;
byte depth;
byte to[LEVELS], hold[LEVELS];
bool returns[LEVELS], tells[LEVELS];
byte sendings;
byte recall;		/* the level, from 1; 0: none */
byte carrier;		/* the process that carries it up, from 1 */
byte waiters;
bool is_queued, orphan, cancelled;
bool is_done;		/* Packet.done */
bool work;		/* Packet.work is queued */
byte holds;		/* Inner.holds */
bool locked;		/* Requests.inner, where that takes more than one step */

/* What must hold */
bool text[3];
bool mine[HOLDS];	/* the handle is whoever's it was given to */
bool given_up[HOLDS];	/* it was passed on under this handle */
bool ended, called, told_cancelled;
bool s_done;

/* The drivers' own: requests that they are to dispatch, and the handle they keep */
chan inbox = [2] of { byte };	/* for FIRST */
byte kept[3];
bool again;		/* F has passed it on anew */

#define TOP	(depth - 1)
#define ME	(_pid + 1)
#define HELD_AS(h)	(in_table && phase == Held && hold[TOP] == (h))
/* Entry::level_of(), for another than the sender: the first level that leads to it, or LEVELS */
#define LEVEL_OF(d)	(depth > 0 && to[0] == (d) -> 0 : (depth > 1 && to[1] == (d) -> 1 : LEVELS))
/* Somebody is in its routines, or waits for its request. */
#define STAYS(d)	(visits[d] > 0 || ((d) == S && waiters > 0))
#define CONCERNS(d)	(in_table && phase != Idle && ((d) == S || LEVEL_OF(d) != LEVELS))

/* Inner::next_hold(), of whoever has it then */
inline next_hold(h)
{
	holds++;
	h = holds
}

/*
 * Entry::claim(); ours is whether it is for this process to carry it up. If another one is
 * just giving it back to a driver, it is left to that one.
 */
inline claim(ours)
{
	assert(phase == Held);
	phase = Busy;
	is_queued = false;
	mine[hold[TOP]] = false;
	ours = (carrier == 0);
	if
	:: ours -> carrier = ME
	:: else
	fi
}

/* Inner::remove() */
inline remove()
{
	assert(in_table && phase == Idle && waiters == 0);
	in_table = false;
	orphan = false
}

/* Visit::begin() and its drop */
inline begin(d)
{
	assert(registered[d]);
	visits[d]++
}

/* The driver is named by a variable, which is wiped. */
inline end_visit(d)
{
	d_step { assert(text[d] && registered[d]); visits[d]--; d = NOBODY }
}

/* Entry::pop(); what nobody reads any more is wiped */
inline pop()
{
	depth--;
	mine[hold[depth]] = false;
	to[depth] = 0;
	hold[depth] = 0;
	returns[depth] = false;
	tells[depth] = false
}

/* Requests::receiver() and the other half of the condition, the one who sends */
inline look(t, d)
{
#ifdef PEEK_BEFORE_LOCK
	see = registered[t] && !leaving[t] && registered[d] && !leaving[d];
	atomic { !locked -> locked = true }
#else
	atomic {
		!locked -> locked = true;
		see = registered[t] && !leaving[t] && registered[d] && !leaving[d]
	}
#endif
}

/* Requests::hand_over(), and call(): inline, or by the worker */
inline hand_over(t, by_routine)
{
	to[depth] = t;
	next_hold(hold[depth]);
	mine[hold[depth]] = true;
	returns[depth] = by_routine;
	tells[depth] = false;
	depth++;
	phase = Held;
	if
	:: INLINE(t) -> begin(t); inbox!hold[TOP]
	:: QUEUED(t) -> is_queued = true; work = true
	fi
}

/* Requests::send() */
inline send(sent)
{
	look(FIRST, S);
	atomic {
		if
#ifdef SENT_WHILE_WAITED
		:: see && in_table && !orphan && phase == Idle && sendings < SENDS ->
#else
		:: see && in_table && !orphan && phase == Idle && waiters == 0 && sendings < SENDS ->
#endif
			/* fill() */
			sendings++;
			again = false;
			is_done = false;
			cancelled = false;
			ended = false;
			called = false;
			told_cancelled = false;
			hand_over(FIRST, false);
			sent = true
		:: else -> sent = false
		fi;
		see = false;
		locked = false
	}
}

/* Requests::forward(), by F */
inline forward(h, t, by_routine, sent)
{
	look(t, F);
	atomic {
		if
		:: see && HELD_AS(h) && depth < LEVELS ->
			assert(mine[h] && to[TOP] == F);
			mine[h] = false;
			given_up[h] = true;
			hand_over(t, by_routine);
			sent = true
		:: else -> sent = false
		fi;
		see = false;
		locked = false
	}
}

/* Requests::finish_held(), but for carrying it up; ours is whether that is to be done */
inline finish_held(h, ours)
{
	atomic {
		!locked ->
		if
#ifdef COMPLETED_WHILE_BUSY
		:: in_table && phase != Idle && depth > 0 && hold[TOP] == h ->
#else
		:: HELD_AS(h) ->
#endif
			assert(mine[h] && !given_up[h]);
			claim(ours);
			cancelled = false
		:: else -> ours = false
		fi
	}
}

/* Requests::finish(), with what a driver's completed() may do */
inline finish()
{
	atomic {
		!locked ->
		assert(in_table && phase == Busy && carrier == ME && depth == 0);
		assert(!ended);
		assert(!told_cancelled || cancelled);
		/* Entry::come_home() */
		ended = true;
		recall = 0;
		carrier = 0;
		phase = Idle;
#ifndef WAKE_UP_LOST
		if
		:: waiters > 0 -> is_done = true
		:: else
		fi;
#endif
		if
#ifdef FREED_WHILE_WAITED
		:: orphan -> in_table = false; orphan = false
#else
		:: orphan && waiters == 0 -> remove()
		:: orphan && waiters > 0
#endif
		:: !orphan ->
#ifdef ROUTINE
			begin(S);
			call = S
#endif
		fi
	};
#ifdef ROUTINE
	if
	:: call == S ->
		d_step { assert(text[S] && !called); called = true };
		if
		/* It is freed: discard(), of which taking it back is left out. */
		:: atomic {
			!locked ->
			if
			:: in_table -> remove()
			:: else
			fi
		   }
		:: true
		:: sendings < SENDS -> send(sent); sent = false
		fi;
#ifdef VISIT_ENDS_EARLY
		d_step { visits[S]--; call = NOBODY };
		assert(text[S])
#else
		end_visit(call)
#endif
	:: else
	fi
#endif
}

/* Requests::deliver(), with what F's returned() may do */
inline deliver()
{
	do
	:: atomic {
		!locked ->
		/* go_up() */
		assert(in_table && phase == Busy && carrier == ME && depth > 0);
		sent = returns[TOP];
		pop();
		if
		:: depth < recall -> recall = 0
		:: else
		fi;
		if
		:: depth == 0 -> sent = false; up = true; break
		:: depth > 0 && !sent
		:: depth > 0 && sent ->
			sent = false;
#ifndef OLD_HANDLE_AGAIN
			next_hold(hold[TOP]);
#endif
			begin(to[TOP]);
			call = to[TOP];
			if
			/* It is taken from F as well, which is told, and does not get it. */
			:: recall != 0
			:: recall == 0 ->
				h = hold[TOP];
				mine[h] = true;
				phase = Held
			fi
		fi
	   };
	   if
	   :: call == NOBODY
	   :: call != NOBODY && h == NONE ->
		assert(text[call] && call == F);
		/* It tries to keep what is not its own. */
		if
		:: kept[F] == NONE -> kept[F] = hold[TOP]
		:: true
		fi;
		end_visit(call)
	   :: call != NOBODY && h != NONE ->
		assert(text[call] && call == F);
		if
		/* It goes on up, */
		:: true
		/* F keeps it, for ever or for later, or */
		:: h = NONE
		:: kept[F] == NONE -> kept[F] = h; h = NONE
		/* passes it on anew. */
		:: !again ->
			again = true;
			if
			:: forward(h, H, true, sent)
			:: forward(h, F, true, sent)
			fi;
			if
			:: sent -> atomic { sent = false; h = NONE }
			:: else
			fi
		fi;
		atomic {
			!locked ->
			/* after_return() */
			assert(in_table && carrier == ME);
			if
			:: h != NONE && HELD_AS(h) ->
				assert(mine[h] && !given_up[h]);
				claim(sent);
				cancelled = false
			:: else
			fi;
			sent = false;
			h = NONE;
			/* Unless it was completed meanwhile, or taken back, F has it. */
			if
			:: phase == Busy
			:: phase == Held -> carrier = 0; sent = true
			fi
		};
		if
		:: sent -> sent = false; end_visit(call); break
		:: else -> end_visit(call)
		fi
	   fi
	od;
	if
	:: up -> up = false; finish()
	:: else
	fi
}

/* Requests::complete() */
inline complete(with)
{
	finish_held(with, sent);
	if
	:: sent -> sent = false; deliver()
	:: else
	fi
}

/*
 * Requests::take(), for S or whoever leaves; took is whether nothing is left to wait
 * for. Its n-th sending is meant, or any.
 */
inline take(d, n)
{
	atomic {
		!locked ->
#ifndef TAKE_BY_OLD_LEVEL
		at = (d == S -> 0 : LEVEL_OF(d));
#endif
		if
		:: !in_table || phase == Idle || sendings != n || depth <= at -> took = (at == LEVELS)
		:: in_table && phase == Busy && sendings == n && depth > at ->
			took = false;
#ifndef TIMEOUT_LOST_BETWEEN_LEVELS
			if
			/* Entry::can_be_recalled(): F would get it back, but will only be told. */
			:: at == 0 && recall != 1 && depth > 1 && returns[1] ->
#ifdef RECALLED_IS_DONE
				took = true;
#endif
				recall = 1;
				cancelled = true;
				told_cancelled = told_cancelled || (d == S)
			:: else
			fi
#endif
		:: in_table && phase == Held && sendings == n && depth > at ->
			/* It is his, or it is below him. */
			assert(d == S || to[at] == d);
			cancelled = true;
			told_cancelled = told_cancelled || (d == S);
			recall = at + 1;
			if
			:: tells[TOP] -> begin(to[TOP]); call = to[TOP]
			:: else
			fi;
#ifdef CLAIMED_BY_TWO
			mine[hold[TOP]] = false;
			ours = true;
			carrier = ME;
#else
			claim(ours);
#endif
#ifdef RETURNING_IS_DONE
			took = true
#else
			/* Else it is, when the one is through who carries it up. */
			took = ours
#endif
		fi
	};
	if
	:: call != NOBODY ->
		/* Driver::cancelled(): the handle is stale. */
		assert(text[call]);
		end_visit(call)
	:: else
	fi;
	if
	:: ours ->
		ours = false;
#ifdef CLAIMED_BY_TWO
		phase = Busy;
#endif
		deliver()
	:: else
	fi;
	at = 0
}

/* Driver::dispatch(), which has been entered */
inline dispatch(d)
{
	assert(text[d]);
	if
	/* It is kept, for ever or for later, and its driver wants to be told, or does not; */
	:: true
	:: atomic { kept[d] == NONE -> kept[d] = got }
	:: atomic {
		kept[d] == NONE && d == H && !locked ->
		kept[d] = got;
		if
		:: HELD_AS(got) -> tells[TOP] = true
		:: else
		fi
	   }
	/* it is completed; */
	:: complete(got)
#ifdef FORWARD
	/* it is passed on. */
	:: d == F ->
		if
		:: forward(got, H, true, sent)
		:: forward(got, H, false, sent)
		fi;
		if
		/* What was given up is used, too. */
		:: sent && kept[d] == NONE -> kept[d] = got; sent = false
		:: sent -> sent = false
		:: !sent -> complete(got)
		fi
#endif
	fi;
	d_step { assert(text[d] && registered[d]); visits[d]--; got = NONE }
}

proctype dispatcher()
{
	byte got, h, call = NOBODY;
	bool see, sent, up;

end:	do
	:: inbox?got -> dispatch(FIRST)
	od
}

/* Packet::run(), Requests::dispatch_queued() */
proctype worker()
{
	byte d = NOBODY, got, h, call = NOBODY;
	bool see, sent, up;

end:	do
	:: atomic {
		work && !locked ->
		work = false;
		if
		:: in_table && is_queued ->
			is_queued = false;
			d = to[TOP];
			got = hold[TOP];
			begin(d)
		:: else
		fi
	   };
	   if
	   :: d != NOBODY && !leaving[d] -> dispatch(d)
	   :: d != NOBODY && leaving[d] -> visits[d]--; got = NONE
	   :: else
	   fi;
	   d = NOBODY
	od
}

/* What completes later what a driver has kept */
proctype completer()
{
	byte got, h, call = NOBODY;
	bool see, sent, up;

end:	do
	:: atomic {
		if
		:: kept[F] != NONE -> got = kept[F]; kept[F] = NONE
		:: kept[H] != NONE -> got = kept[H]; kept[H] = NONE
		fi
	   };
	   complete(got);
	   got = NONE
	od
}

/* Requests::wait(), with a time limit, or for ever if S may leave */
inline wait_for()
{
	atomic {
		!locked ->
		/* begin_to_wait() */
		if
		:: in_table && !orphan && phase != Idle -> waiters++; n = sendings
		:: else -> n = 0
		fi
	};
	if
	:: n != 0 ->
		if
#if EARLY & 1
		:: true -> is_done
#endif
		:: is_done
		/* Its time is over, and a moment later so is that for who completes it. */
		:: take(S, n); took = false
		fi;
		atomic {
			!locked ->
			/* end_to_wait() */
			assert(in_table && sendings == n);
			waiters--;
			n = 0;
			if
			:: phase == Idle -> assert(ended)
			/* It is still on its way, and can be waited for again. */
			:: else
			fi;
			if
			:: orphan && phase == Idle && waiters == 0 -> remove()
			:: else
			fi
		}
	:: else
	fi
}

/* Requests::discard() */
inline discard()
{
	atomic {
		!locked ->
		if
		:: in_table && !orphan && phase == Idle && waiters == 0 -> remove()
		:: in_table && !orphan && (phase != Idle || waiters > 0) -> orphan = true; n = sendings
		:: else
		fi
	};
	if
	:: n != 0 -> take(S, n); took = false; n = 0
	:: else
	fi
}

/* S: Requests::send(), wait(), free() */
proctype sender()
{
	byte h, at, call = NOBODY, n;
	bool see, sent, up, took, ours;

#ifdef ROUTINE
	send(sent);
	n = 1;
	if
	:: sent ->
		sent = false;
		if
		:: true
#ifndef QUIET
		/* It is taken back: then the routine is called. */
		:: take(S, n); took = false; !in_table || phase == Idle || sendings != n
#endif
		fi
	:: else
	fi;
#else
	do
	:: true ->
		send(sent);
		if
		:: sent -> sent = false
		:: else -> break
		fi;
		if
		:: wait_for()
		/* It is not waited for. */
		:: break
		fi
	od;
	discard();
	!in_table;
#endif
	n = 0;
	s_done = true
}

#ifdef SHARED
/* Another thread of S */
proctype other()
{
	byte h, at, call = NOBODY, n;
	bool see, sent, up, took, ours;

	if
	:: wait_for()
	:: discard()
	:: send(sent); sent = false
	fi
}
#endif

#ifdef CANCEL
/* Another thread of S: Requests::cancel() */
proctype canceller()
{
	byte h, at, call = NOBODY, n;
	bool see, sent, up, took, ours;

	n = sendings;
	take(S, n)
}
#endif

/* Server::unregister() */
proctype leaver(byte d)
{
	byte h, at, call = NOBODY, n;
	bool see, sent, up, took, busy, ours;

	if
	:: EARLY & (1 << d)
	:: !(EARLY & (1 << d)) && s_done && EARLY_GONE && (d == S || !registered[S]) && (d != H || !registered[F])
	fi;
	leaving[d] = true;
	/* Requests::run_down() */
	do
	/* take_back() */
	:: atomic {
		!locked ->
		busy = CONCERNS(d);
		if
		:: busy -> n = sendings; at = (d == S -> 0 : LEVEL_OF(d))
		:: else
		fi
	   };
	   if
	   :: busy -> take(d, n); busy = !took; took = false
	   :: else
	   fi;
	   n = 0;
	   if
	   :: busy -> busy = false; !CONCERNS(d) || phase == Held
#ifdef NO_VISITS_WAIT
	   :: else -> break
#else
	   :: !busy && STAYS(d) -> !STAYS(d) || CONCERNS(d)
	   :: !busy && !STAYS(d) -> break
#endif
	   fi
	od;
	if
	:: d == S ->
		atomic {
			!locked ->
			if
			:: in_table -> remove()
			:: else
			fi
		}
	:: else
	fi;
	/* Registry::remove(), and the module goes. */
	d_step {
		assert(visits[d] == 0 && !CONCERNS(d));
		registered[d] = false;
		text[d] = false
	}
}

init
{
	byte d;

	atomic {
		for (d : S .. H) {
			registered[d] = true;
			text[d] = true;
			run leaver(d)
		}
		run sender();
		run worker();
		run dispatcher();
		run completer();
#ifdef CANCEL
		run canceller();
#endif
#ifdef SHARED
		run other()
#endif
	};
	/* Nothing of all that stays. */
	s_done && !registered[S] && !registered[F] && !registered[H];
	assert(!in_table && !is_queued && carrier == 0);
	for (d : S .. H) {
		assert(visits[d] == 0)
	}
}
