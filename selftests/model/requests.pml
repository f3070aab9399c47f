// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a request, from shared/owner/{requests,recall,entry}.rs and visit.rs, with drivers that do
 * everything that d2d.h allows.
 *
 * The sender S sends a request to H, or to F. F may forward it to H, and may get it back. A driver
 * that has the request completes it at once, later from another thread, or never. S waits with a
 * time limit, or has a completion routine. At any moment S may cancel the request, send it again,
 * or free it. -D chooses:
 *
 *   ROUTINE	S has a completion routine, which may send the request again or free it; otherwise S
 *		waits
 *   FORWARD	S sends the request to F; otherwise to H
 *   EARLY	the drivers that are unregistered at any moment: 1 for S, 2 for F, 4 for H, or a
 *		sum. The others are unregistered in the end, when S has ended and the early ones are
 *		gone. So no wait of S ends because one of those others is unregistered
 *   CANCEL	S also cancels the request in another thread
 *   QUIET	with ROUTINE: S cancels the request only by being unregistered
 *   SHARED	without ROUTINE: another thread of S waits as well, or frees the request, or sends
 *		it
 *   SENDS	how often the request is sent at most; once if it is not given
 *
 * Assertions say what must hold:
 *
 * - Of all threads that complete or cancel a request, one at a time gives it back, level by level,
 *   to the drivers that forwarded it and to the sender (carrier).
 * - A driver can complete it only by a handle that it was given and has not given up (mine).
 * - It comes back to S once for each time that it was sent (ended), by one call of the routine
 *   (called).
 * - If S was told that it has cancelled the request, the request ends as cancelled.
 * - The owner enters a driver only while its code is loaded (text), and is not inside it when it
 *   has been unregistered (visits).
 * - Unregistering a driver takes a request from that driver and from those below it, to which it
 *   has forwarded the request, but from no driver above it (level).
 * - When the owner removes the request (remove), S has it, and no thread waits for it.
 * - Each waiting thread gets the result of the sending that it waited for.
 * - In the end the request does not exist any more.
 *
 * Spin reports each run in which a process waits for ever (an invalid end state). If it reports
 * none, each waiting thread wakes up, even without a time limit, and even if S is unregistered.
 *
 * The model leaves out, for these reasons:
 * - Generations of handles, which keep a handle from being used twice: here no handle is.
 * - Spinlocks: code under a spinlock is one step. The exception is the lock of the requests in send
 *   and forward (locked): there another driver may begin to unregister, as that takes only the
 *   registry's lock.
 * - A dispatch routine that the thread of S runs itself: here another process runs it, as a worker
 *   does, and S goes on.
 * - A dispatch routine that returns 0 and has not completed the request: the owner completes it
 *   then, which the driver can do as well.
 * - The packet's reference count: it keeps the packet's memory until its work item has run, and the
 *   work item does nothing if the request is gone.
 * - A second request: two requests have only their drivers in common, and unregistering a driver
 *   deals with one request after the other.
 * - A request with a completion routine that another thread frees or sends again, or that the
 *   routine sends again and then frees: these are faults of the driver.
 * - Busy waiting: a process waits for the condition that the code polls.
 */

#define S	0
#define F	1
#define H	2
#define NOBODY	3
#define LEVELS	2

#ifdef FORWARD
#define FIRST	F
/* A worker dispatches to H, so that F and H can be in their routines at the same time. */
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
/* Whether the drivers of EARLY are unregistered, so that the others may be */
#define GONE(d)		(!(EARLY & (1 << (d))) || !registered[d])
#define EARLY_GONE	(GONE(S) && GONE(F) && GONE(H))
/* The number of handles: one each time the request is sent, forwarded and given back */
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
byte carrier;		/* the process that carries the request up, from 1; 0: none */
byte waiters;
bool is_queued, orphan, cancelled;
bool is_done;		/* Packet.done */
bool work;		/* Packet.work is queued */
byte holds;		/* Inner.holds */
bool locked;		/* Requests.inner, where that takes more than one step */

/* What must hold */
bool text[3];
bool mine[HOLDS];	/* the driver that was given this handle may use it */
bool given_up[HOLDS];	/* its driver has forwarded the request by this handle */
bool ended, called, told_cancelled;
bool s_done;

/* State of the drivers: the handles to dispatch, and the one that each has pended */
chan inbox = [2] of { byte };	/* for FIRST */
byte kept[3];
bool again;		/* F has forwarded the request again, from its returned routine */

#define TOP	(depth - 1)
#define ME	(_pid + 1)
#define HELD_AS(h)	(in_table && phase == Held && hold[TOP] == (h))
/* Entry::level_of() of a driver other than the sender: the first level that leads to it, or LEVELS */
#define LEVEL_OF(d)	(depth > 0 && to[0] == (d) -> 0 : (depth > 1 && to[1] == (d) -> 1 : LEVELS))
/* A thread is inside the driver's routines, or waits for its request. */
#define STAYS(d)	(visits[d] > 0 || ((d) == S && waiters > 0))
#define CONCERNS(d)	(in_table && phase != Idle && ((d) == S || LEVEL_OF(d) != LEVELS))

/* Inner::next_hold(): the handle of the driver that gets the request */
inline next_hold(h)
{
	holds++;
	h = holds
}

/*
 * Entry::claim(); ours is true if this process has to carry the request up. It is false if another
 * process is already giving the request back to a driver: that process carries it further up.
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

/* Also clears the variable d, which names the driver: fewer states */
inline end_visit(d)
{
	d_step { assert(text[d] && registered[d]); visits[d]--; d = NOBODY }
}

/* Entry::pop(); also clears what is not read any more: fewer states */
inline pop()
{
	depth--;
	mine[hold[depth]] = false;
	to[depth] = 0;
	hold[depth] = 0;
	returns[depth] = false;
	tells[depth] = false
}

/* Requests::receiver(), and the same check of the sending driver d; t is the target */
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

/* Requests::hand_over() and call(): dispatches in this process, or leaves it to the worker */
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

/* Requests::finish_held() up to the claim; ours is whether this process has to carry the request up */
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

/* Requests::finish(), and what the completed routine may do */
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
		/* The routine frees the request: discard() without the cancelling. */
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

/* Requests::deliver(), and what F's returned routine may do */
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
			/* The request is taken from F too (recall): F is only told the result. */
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
		/* F wrongly keeps the handle, which is not valid. */
		if
		:: kept[F] == NONE -> kept[F] = hold[TOP]
		:: true
		fi;
		end_visit(call)
	   :: call != NOBODY && h != NONE ->
		assert(text[call] && call == F);
		if
		/* F lets it go up, */
		:: true
		/* keeps it pending, for ever or for later, */
		:: h = NONE
		:: kept[F] == NONE -> kept[F] = h; h = NONE
		/* or forwards it again. */
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
			/* F has the request now, unless it was completed or cancelled meanwhile. */
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
 * Requests::take(): takes the request back for d. d is S, which cancels it, or a driver that is
 * being unregistered. n is the number of the sending to take back. took is true unless d has to
 * wait for another process to give the request up.
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
			/* Entry::can_be_recalled(): F will only be told the result. */
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
			/* d has sent it, or has it, or has forwarded it. */
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
			/* If not ours, d has to wait for the process that carries the request up. */
			took = ours
#endif
		fi
	};
	if
	:: call != NOBODY ->
		/* Driver::cancelled(); the handle is stale already. */
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

/* Driver::dispatch() */
inline dispatch(d)
{
	assert(text[d]);
	if
	/* The driver pends it, for ever or for later, and asks for its cancelled routine or does not; */
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
	/* completes it; */
	:: complete(got)
#ifdef FORWARD
	/* or forwards it. */
	:: d == F ->
		if
		:: forward(got, H, true, sent)
		:: forward(got, H, false, sent)
		fi;
		if
		/* It wrongly keeps the handle that it gave up. */
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

/* Threads of F and H that complete pended requests later */
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

/* Requests::wait(), with a time limit; without one if S may be unregistered meanwhile */
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
		/* The wait times out. */
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
			/* The request is still pending; S can wait for it again. */
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
		/* S cancels the request; the owner calls S's routine after that. */
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
		/* S does not wait. */
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
	/* Registry::remove(); then the module's code is freed. */
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
	/* In the end nothing is left. */
	s_done && !registered[S] && !registered[F] && !registered[H];
	assert(!in_table && !is_queued && carrier == 0);
	for (d : S .. H) {
		assert(visits[d] == 0)
	}
}
