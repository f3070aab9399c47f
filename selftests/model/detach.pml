// SPDX-License-Identifier: GPL-2.0
/*
 * The handshake and detaching, from shared/owner/{server,registry,offers}.rs, with the peer's side: a driver
 * of the library (shared/d2d/{registration,request}.rs), or one in C that does everything that d2d.h allows.
 *
 * Drivers attach, get a context, detach and unregister. The owner calls the operations of attached
 * drivers, and a handshake may time out. Driver 1, and driver 0 without C_PEER, use the library:
 * one thread loads and unloads the driver, and a work item completes a pended handshake or leaves
 * it pending again. -D chooses:
 *
 *   ROUTINE	as completion=1: the owner has a completion routine, and attach does not wait for a
 *		pended handshake. Otherwise it waits; completion=0 and 2 differ only in the trace
 *   C_PEER	driver 0 is in C and does everything that d2d.h allows. One thread attaches it, and
 *		may detach it, also inside the dispatch routine. Another thread detaches and
 *		unregisters it at any moment. A third completes a pended handshake at any moment, or
 *		never. Driver 1 then always completes its handshake at once, with success
 *   ALONE	one driver and two contexts, of which it may get either, as if another driver used
 *		the first one. To keep the model small, a driver in C attaches in two threads, only
 *		its exit detaches it, and the owner does not call it
 *   ONCE	with ALONE: the driver attaches in one thread
 *
 * Assertions say what must hold:
 *
 * - Only the driver for which the owner has reserved a context (holder) fills it in.
 * - The owner frees a context once, for its holder, and not while a driver may still write to it:
 *   not while a request that carries the context is "owned". A request is owned from its dispatch
 *   until the driver completes it, detaches or unregisters.
 * - When detaching and unregistering return, the owner is not inside the driver.
 * - Whatever runs a driver's code ends before the code is freed.
 * - In the end nothing is left.
 *
 * The model leaves out, for these reasons:
 * - Slots and generations of handles. Generations keep a handle from being used twice; here a
 *   handle is the number of its object, and no number is used twice.
 * - Spinlocks: code under a spinlock is one step (atomic, d_step).
 * - The inside of a rundown: rundown.pml shows what is assumed here, that closing waits for exactly
 *   the calls that entered before.
 * - Memory ordering: all shared state is under a spinlock, or ordered by a completion, by
 *   flush_work(), or by a Release store that an Acquire load sees.
 * - Refusals that change nothing (magic numbers, sizes, names). If the owner refuses the operations
 *   that a driver offers, it does the same as if the driver had completed with an errno.
 * - The Gate of export.rs: the kernel does not unload the owner while it has importers.
 *
 * Spin reports each run in which a process waits for ever (an invalid end state), and each run that
 * goes on for ever (a non-progress cycle). If it reports none, every run ends, with all its
 * processes.
 */

#ifdef ALONE
#define DRIVERS		1
#ifdef ONCE
#define ATTACHES	1
#else
#define ATTACHES	2		/* how often a driver attaches at most */
#endif
#define CONTEXTS	2
#define AGAIN		2		/* how often a work item leaves a handshake pending again, at most */
#else
#define DRIVERS		2
#define ATTACHES	1
#define CONTEXTS	1
#define AGAIN		1
#endif
#define REQUESTS	(DRIVERS * ATTACHES)
#define NOBODY		DRIVERS

#ifdef C_PEER
#define IN_C(d)		((d) == 0)
#define SIMPLE(d)	((d) == 1)
#else
#define IN_C(d)		false
#define SIMPLE(d)	false
#endif

/* Driver d has the requests FIRST(d) to LAST(d). */
#define FIRST(d)	((d) * ATTACHES)
#define LAST(d)		(FIRST(d) + ATTACHES - 1)
/* State::context() */
#define HOLDS(d, c)	(registry[d] != Gone && registry[d] != Registered && has[d] == (c))
#define HELD(c)		(HOLDS(0, c) || HOLDS(DRIVERS - 1, c))
/* Offers::find(), for one request and for a driver */
#define ON_ITS_WAY(r)	(request[r].in_table && !(request[r].finished && request[r].left))
#define ANY_OF(d)	(ON_ITS_WAY(FIRST(d)) || ON_ITS_WAY(LAST(d)))
/* Offers::is_sent_by_current() */
#define SENT(r)		(request[r].in_table && request[r].sender == _pid && !request[r].left)
#define SENT_BY_ME(d)	(SENT(FIRST(d)) || SENT(LAST(d)))
/* The driver was sent the context, and is not done with it yet. */
#define OWNED(r, c)	(request[r].owned && carries[r] == (c))
#define OWNED_BY(d, c)	(OWNED(FIRST(d), c) || OWNED(LAST(d), c))

/* The check in Registry::transition(): the driver is in the state where the transition begins */
#ifdef BACK_FROM_ANY_STATE
#define IS(d, from, c, r)	(registry[d] != Gone)
#else
#define IS(d, from, c, r)	(registry[d] == from && has[d] == c && (from != Abandoned || late_with[d] == r))
#endif
/* The check in Registry::reserve(): the driver cannot ask for a context now */
#ifdef ATTACH_WHILE_SENDING
#define BUSY(d)		(registry[d] != Gone && registry[d] != Registered)
#else
#define BUSY(d)		(registry[d] != Gone && (registry[d] != Registered || sending[d]))
#endif
/* The check in Registry::remove(): the driver can be removed */
#ifdef UNREGISTER_IN_ANY_STATE
#define REMOVABLE(d)	(registry[d] != Gone && !sending[d])
#elif defined(UNREGISTER_WHILE_SENDING)
#define REMOVABLE(d)	(registry[d] == Registered)
#else
#define REMOVABLE(d)	(registry[d] == Registered && !sending[d])
#endif

/* registry.rs: State, whose context is in has; Gone is an empty slot */
mtype = { Gone, Registered, Attaching, Attached, Detaching, Abandoned };
mtype registry[DRIVERS] = Gone;
byte has[DRIVERS];
byte late_with[DRIVERS];	/* the request that timed out, in the state Abandoned */
bool sending[DRIVERS];		/* Driver.dispatching */

/* offers.rs: Slot and Offer; winner is 0 until a process has claimed the request */
mtype = { Driver, Sender, Timeout, Cancel };
mtype = { None, Failed, Einprogress, Ebusy, Ealready, Enotconn, Estale, Edeadlk };
typedef Offer {
	bool in_table, finished, left, done_with;
	mtype winner, status, outcome;
	byte sender;
	bool done, left_done;
	bool owned;
};
Offer request[REQUESTS];
byte carries[REQUESTS];		/* Offer.context */

/* The peer's endpoint in struct d2d_context: 0, or the number of the driver from 1 */
byte ops[CONTEXTS], self[CONTEXTS];

/* OwnerLink.peer, a Rundown: the driver that can be entered, or NOBODY */
byte open_to[CONTEXTS] = NOBODY;
byte call_into = CONTEXTS;	/* the context whose peer is being called */

/* What must hold */
byte holder[CONTEXTS] = NOBODY;	/* the driver for which the context is reserved */
bool text[DRIVERS];		/* the driver's code is loaded */
byte dispatching[DRIVERS];	/* the owner is inside its dispatch routine */
bool calling[DRIVERS];		/* the owner is inside its operations */
bool telling[CONTEXTS];		/* the owner is told that a peer was attached */

/* State of the drivers */
mtype = { Completed, Pended };
mtype progress[DRIVERS] = Gone;	/* registration.rs: Gone is IDLE, Attaching is UNDER_WAY */
byte pended[DRIVERS] = REQUESTS;	/* the request that waits for the work item */
bool closed[DRIVERS], queued[DRIVERS], disabled[DRIVERS];
byte runs_begun[DRIVERS], runs_ended[DRIVERS];
bool loaded[DRIVERS];
bool c_pended[REQUESTS];
byte c_threads, c_workers;
bool c_stopped;

/* Server::clear_peer() */
inline clear_peer(d, c)
{
	d_step { assert(holder[c] == d && !OWNED_BY(d, c)); ops[c] = 0 };
	d_step { assert(holder[c] == d && !OWNED_BY(d, c)); self[c] = 0 }
}

/* Makes a context free */
inline release_context(d, c)
{
	d_step {
		assert(holder[c] == d && !OWNED_BY(d, c));
		assert(registry[d] == Detaching && has[d] == c);
		holder[c] = NOBODY;
		registry[d] = Registered;
		has[d] = 0;
		late_with[d] = 0
	}
}

/* Server::give_back(); late_r is the request that timed out */
inline give_back(d, from, c, late_r)
{
	d_step {
		if
		:: IS(d, from, c, late_r) -> registry[d] = Detaching; won = true
		:: else
		fi
	};
	if
	:: won ->
		clear_peer(d, c);
		release_context(d, c)
	:: else
	fi;
	won = false
}

/* Server::abort() */
inline abort(d, c)
{
#ifdef REFUSAL_KEEPS_CONTEXT
	clear_peer(d, c)
#else
	give_back(d, Attaching, c, 0)
#endif
}

/*
 * Offers::claim(). It also stores the winner, which finish() does in the code: no other process reads it before
 * the request is done.
 */
inline claim(r, mine, who)
{
	d_step {
		if
		:: request[r].in_table && request[r].winner == 0 ->
			request[r].winner = who;
			/* After a timeout only the driver itself can be done with the context. */
			request[r].owned = request[r].owned && who == Timeout;
			mine = true
		:: else
		fi
	}
}

/* Part of Offers::release(). Also clears variables that are not read any more, to save states. */
inline release(r)
{
	if
	:: request[r].finished && request[r].left && request[r].done_with ->
		request[r].in_table = false;
		request[r].finished = false;
		request[r].left = false;
		request[r].done_with = false;
		request[r].winner = 0;
		request[r].status = 0;
		request[r].outcome = 0;
		request[r].sender = 0
	:: else
	fi
}

/* Offers::done_with(), for one request */
inline note_done_with(r)
{
	d_step {
		if
		:: request[r].in_table -> request[r].done_with = true; release(r)
		:: else
		fi
	}
}

/* Offers::finish() after the routine; only a waiting process reads the outcome */
inline finish(r, value)
{
	d_step {
		request[r].outcome = value;
		request[r].finished = true;
		request[r].done_with = request[r].done_with || request[r].winner != Timeout;
		release(r)
	};
#ifndef WAKE_UP_LOST
	request[r].done = true
#endif
}

/* Server::conclude(), for a request to driver d */
inline conclude(d, r, result)
{
	if
#ifndef WINNER_NOT_ASKED
	:: request[r].winner != Driver -> result = Failed
#endif
	:: request[r].winner == Driver && request[r].status == None ->
		atomic { assert(ops[carries[r]] == d + 1 && holder[carries[r]] == d) };
		atomic { assert(self[carries[r]] == d + 1 && holder[carries[r]] == d) };
		/* OwnerLink::open() */
		atomic {
			assert(open_to[carries[r]] == NOBODY);
			open_to[carries[r]] = d
		};
		/* Owner::attached() */
		telling[carries[r]] = true;
		d_step {
			telling[carries[r]] = false;
			assert(registry[d] == Attaching && has[d] == carries[r]);
			registry[d] = Attached
		};
		result = None
	:: else ->
		abort(d, carries[r]);
		result = Failed
	fi
}

/* Server::complete(), called by driver d; it stores the winner as claim() does */
inline complete(d, r, value, result)
{
	d_step {
		request[r].owned = false;
		if
		:: request[r].in_table && !request[r].done_with ->
			request[r].done_with = true;
			if
#ifdef COMPLETED_TWICE
			:: true ->
#else
			:: request[r].winner == 0 ->
#endif
				assert(request[r].winner == 0);
				request[r].winner = Driver;
				request[r].status = value;
				mine = true
			:: else -> late = true; release(r)
			fi
		:: else
		fi
	};
	result = Estale;
	if
	:: mine ->
#ifdef ROUTINE
		conclude(d, r, result);
#else
		result = None;
#endif
		finish(r, result)
#ifdef LATE_GIVES_BACK_THE_NEXT
	:: late -> give_back(d, Abandoned, carries[r], late_with[d])
#elif !defined(LATE_KEEPS_CONTEXT)
	:: late -> give_back(d, Abandoned, carries[r], r)
#endif
	:: else
	fi;
	d_step { mine = false; late = false }
}

/* Request::adopt() and Adopted::fill(); a driver in C saves the address and fills in its operations */
inline fill(d, r)
{
	d_step { assert(holder[carries[r]] == d && text[d]); ops[carries[r]] = d + 1 };
	d_step { assert(holder[carries[r]] == d && text[d]); self[carries[r]] = d + 1 }
}

/* Request::complete(): a driver of the library also stores the result */
inline complete_and_note(d, r, value)
{
	complete(d, r, value, answer);
	if
	:: IN_C(d)
	:: else -> progress[d] = (value == None && answer == None -> Attached : Gone)
	fi;
	answer = None
}

/* Request::pend(): Shared::defer() and queue_work(), which a disabled work item refuses */
inline pend(d, r, returned)
{
	atomic {
		if
#ifndef PEND_AFTER_STOP
		:: closed[d]
#endif
		:: else -> assert(pended[d] == REQUESTS); pended[d] = r; returned = Pended
		fi
	};
	if
	:: returned == Pended ->
		d_step {
			if
			:: !disabled[d] -> queued[d] = true
			:: else
			fi
		}
	:: else -> complete_and_note(d, r, Failed); returned = Completed
	fi
}

/* The driver's dispatch routine */
inline dispatch(d, r, returned)
{
	/*
	 * If another thread has begun to detach the driver (Cancel), the request is not owned. Only
	 * this routine may still use the context, and detaching waits for it.
	 */
	d_step { assert(text[d]); dispatching[d]++; request[r].owned = request[r].winner != Cancel };
	if
	/* The driver completes at once, */
	:: fill(d, r); complete_and_note(d, r, None); returned = Completed
	:: !SIMPLE(d) -> complete_and_note(d, r, Failed); returned = Completed
	/* or, in C only, forgets to complete, or tries to detach first, */
	:: IN_C(d) -> returned = Completed
#ifndef ALONE
	:: IN_C(d) ->
		detach(d, answer);
		assert(answer == Edeadlk);
		atomic { answer = None; returned = Completed }
#endif
	/* or pends. */
	:: !SIMPLE(d) ->
		if
		:: IN_C(d) -> fill(d, r); c_pended[r] = true; returned = Pended
		:: else -> pend(d, r, returned)
		fi
	fi;
	d_step { assert(text[d]); dispatching[d]-- }
}

/* Server::time_out() */
inline time_out(d, r)
{
	claim(r, mine, Timeout);
	if
	:: mine ->
#ifndef NOT_ABANDONED
		/* Registry::transition() */
		d_step {
			assert(registry[d] == Attaching && has[d] == carries[r]);
			registry[d] = Abandoned;
			late_with[d] = r
		};
#endif
		finish(r, Failed);
		if
#ifdef LATE_DRIVER_LOSES_CONTEXT
		:: !request[r].done_with -> give_back(d, Abandoned, carries[r], r)
#else
		:: request[r].done_with -> give_back(d, Abandoned, carries[r], r)
#endif
		:: else
		fi;
		mine = false
	:: else
	fi;
	request[r].done
}

/* Server::send() */
inline send(d, r, result)
{
	dispatch(d, r, returned);
	if
	:: returned == Completed -> claim(r, mine, Sender)
	:: else
	fi;
	if
	:: mine ->
		mine = false;
		finish(r, Failed);
		abort(d, carries[r]);
		result = Failed
#ifdef ROUTINE
	:: returned == Pended ->
		result = (request[r].outcome == 0 -> Einprogress : request[r].outcome)
	:: !mine && returned == Completed ->
#else
	:: !mine ->
#endif
		if
		:: request[r].done
		:: time_out(d, r)
		fi;
#ifdef ROUTINE
		result = request[r].outcome
#else
		conclude(d, r, result)
#endif
	fi
}

/* Server::attach(), with the driver's request r */
inline attach(d, r, result)
{
	/* Registry::reserve() */
	atomic {
		if
		:: registry[d] == Gone -> result = Estale
		:: BUSY(d) -> result = Ealready
		:: registry[d] != Gone && !BUSY(d) ->
			if
			:: !HELD(0) -> has[d] = 0; result = None
#ifdef ALONE
			:: !HELD(1) -> has[d] = 1; result = None
#endif
			:: else -> result = Ebusy
			fi;
			if
			:: result == None ->
				assert(holder[has[d]] == NOBODY);
				holder[has[d]] = d;
				carries[r] = has[d];
				registry[d] = Attaching;
				sending[d] = true
			:: else
			fi
		fi
	};
	if
	:: result != None
	/* Server::build_request(), if there is memory for it */
	:: result == None ->
		atomic { request[r].sender = _pid; request[r].in_table = true };
		send(d, r, result);
		sending[d] = false;
		/* Offers::leave() */
		d_step { request[r].left = true; release(r) };
		request[r].left_done = true
	:: result == None && !SIMPLE(d) ->
		abort(d, carries[r]);
		sending[d] = false;
		result = Failed
	fi;
	returned = 0
}

/* Offers::find(): either request may be in the first slot */
inline find(d, found)
{
	if
	:: ON_ITS_WAY(FIRST(d)) -> found = FIRST(d)
	:: ON_ITS_WAY(LAST(d)) -> found = LAST(d)
	:: else -> found = REQUESTS
	fi
}

/* Server::run_down(); its first step is Rundown::close(), as rundown.pml shows it */
inline run_down(d, c)
{
	d_step { assert(open_to[c] == d); open_to[c] = NOBODY };
	call_into != c;
#ifndef NO_SENDER_WAIT_WHEN_ATTACHED
	do
	:: atomic { find(d, q) };
	   if
	   :: q == REQUESTS -> break
	   :: else -> request[q].done; request[q].left_done
	   fi
#ifdef ONE_SENDER_WAITED_FOR
	   break
#endif
	od;
#endif
	assert(dispatching[d] == 0 && !calling[d]);
	clear_peer(d, c);
	/* Owner::detached() */
	assert(!telling[c]);
	release_context(d, c)
}

/* Server::cancel() */
inline cancel(d, c, result)
{
	atomic { find(d, q) };
	if
	:: q != REQUESTS ->
#ifndef NO_CANCEL_ON_DETACH
		claim(q, mine, Cancel);
		if
		:: mine -> finish(q, Failed)
		:: else
		fi;
#endif
		request[q].done;
#ifndef NO_SENDER_WAIT
		request[q].left_done;
#endif
		if
		:: mine ->
#ifdef CANCEL_BY_OLD_CONTEXT
			abort(d, c);
#else
			abort(d, carries[q]);
#endif
			atomic { mine = false; result = None }
		:: else
		fi
	:: else
	fi
}

/*
 * How detach() and unregister() begin. By calling them in the state Abandoned, the driver says that
 * it no longer uses the context.
 */
inline look(d)
{
	before = registry[d];
	c = has[d];
	q = late_with[d];
	if
	:: before == Abandoned -> request[q].owned = false
	:: else
	fi
}

/* Server::detach() */
inline detach(d, result)
{
	result = Ebusy;
	do
	:: result != Ebusy -> break
#ifndef DETACH_FROM_INSIDE
	:: result == Ebusy && SENT_BY_ME(d) -> result = Edeadlk
	:: result == Ebusy && !SENT_BY_ME(d) ->
#else
	:: result == Ebusy ->
#endif
		d_step {
			look(d);
			if
			:: before == Attached -> registry[d] = Detaching
			:: else
			fi
		};
		if
		:: before == Attached -> run_down(d, c); result = None
		:: before == Attaching ->
			/* The code polls; here the process waits until one of these conditions holds. */
			ANY_OF(d) || registry[d] != Attaching;
			cancel(d, c, result)
		:: before == Abandoned ->
			note_done_with(q);
			give_back(d, Abandoned, c, q);
			result = None
		:: before == Registered -> result = Enotconn
		:: before == Detaching -> result = Ealready
		:: before == Gone -> result = Estale
		fi
	od;
	atomic { before = 0; c = 0; q = 0 }
}

/* Server::unregister() */
inline unregister(d, result)
{
	d_step { look(d) };
	if
	:: before == Abandoned -> note_done_with(q); give_back(d, Abandoned, c, q)
	:: else
	fi;
	/* Registry::remove() */
	d_step {
		if
		:: REMOVABLE(d) ->
			registry[d] = Gone;
			assert(dispatching[d] == 0 && !calling[d]);
			assert(holder[0] != d && holder[CONTEXTS - 1] != d);
			result = None
		:: else -> result = Ebusy
		fi;
		before = 0;
		c = 0;
		q = 0
	}
}

/* flush_work(): waits for the run that is queued, else for the one that is under way */
inline flush_work(d)
{
	upto = runs_begun[d] + queued[d];
	runs_ended[d] >= upto;
	upto = 0
}

/* Shared::stop_work(), with cancel_work_sync(), which refuses new runs while it waits */
inline stop_work(d)
{
	atomic { closed[d] = true; q = pended[d]; pended[d] = REQUESTS };
	if
	:: q != REQUESTS -> complete(d, q, Failed, answer); answer = None; progress[d] = Gone
	:: else
	fi;
	d_step { q = 0; disabled[d] = true; queued[d] = false };
	runs_ended[d] == runs_begun[d];
	disabled[d] = false
}

/* Registration::new(), attach() and drop() */
proctype library_driver(byte d)
{
	mtype result = None, returned, before, answer = None;
	bool mine, late, won;
	byte q, c, upto;

	d_step { text[d] = true; registry[d] = Registered; progress[d] = Attaching };
	attach(d, FIRST(d), result);
	if
	:: result == Einprogress
	:: else ->
		flush_work(d);
		progress[d] = (result == None -> Attached : Gone)
	fi;

#ifndef NO_DEFERRED_WAIT
	flush_work(d);
#ifndef FLUSH_ONLY
	stop_work(d);
#endif
#endif
	/* The driver has completed all requests that it got, in time or not. */
	assert(registry[d] == Registered || registry[d] == Attached);
	atomic { before = progress[d]; progress[d] = Gone };
	if
	:: before != Gone -> detach(d, result)
	:: else
	fi;
	unregister(d, result);
	assert(result == None);
	d_step { text[d] = false; loaded[d] = false }
}

/* WorkItem::run(), and what a driver's deferred() may do */
proctype library_worker(byte d)
{
	mtype returned, answer = None;
	bool mine, late, won;
	byte r = REQUESTS, again;

end:	do
	:: atomic { queued[d] -> queued[d] = false; assert(text[d]); runs_begun[d]++ };
	   atomic { r = pended[d]; pended[d] = REQUESTS };
	   if
	   :: r == REQUESTS
	   :: r != REQUESTS -> fill(d, r); complete_and_note(d, r, None)
	   :: r != REQUESTS -> complete_and_note(d, r, Failed)
	   :: r != REQUESTS && again < AGAIN -> again++; pend(d, r, returned)
	   fi;
	   atomic { assert(text[d]); runs_ended[d]++; r = REQUESTS; returned = 0 }
	od
}

/* A thread of a driver in C that attaches, and may detach */
proctype c_attacher(byte d, r)
{
	mtype result = None, returned, before, answer = None;
	bool mine, late, won;
	byte q, c;

	/* The thread that comes first takes the first request. */
	r == FIRST(d) || registry[d] != Registered || c_threads == 1;
	attach(d, r, result);
#ifndef ALONE
	if
	:: detach(d, result)
	:: true
	fi;
#endif
	atomic { c_threads--; result = None }
}

/* Completes a request that the driver has pended, or never does */
proctype c_worker(byte d, r)
{
	mtype answer = None;
	bool mine, late, won;

end:	atomic { c_pended[r] && !c_stopped -> assert(text[d]); c_workers++ };
	if
	:: complete(d, r, None, answer)
#ifndef ALONE
	:: complete(d, r, Failed, answer)
#endif
	:: true
	fi;
	atomic { assert(text[d]); c_workers--; answer = None }
}

/* The driver's exit, at any moment */
proctype c_driver(byte d)
{
	mtype result = None, before;
	bool mine, won;
	byte r, q, c;

	atomic {
		text[d] = true;
		registry[d] = Registered;
		for (r : FIRST(d) .. LAST(d)) {
			c_threads++;
			run c_attacher(d, r);
			run c_worker(d, r)
		}
	};
	do
	:: unregister(d, result);
	   if
	   :: result == None -> break
	   :: else -> detach(d, result);
	      /* The driver's own threads are detaching or attaching it. */
	      if
	      :: result != None -> registry[d] != Detaching && !(registry[d] == Registered && sending[d])
	      :: else
	      fi
	   fi
	od;
	/* A module waits for its own threads and work items. */
	c_threads == 0;
	c_stopped = true;
	c_workers == 0;
	d_step { text[d] = false; loaded[d] = false }
}

/* OwnerLink::peer(), a call, and the end of it; any context */
proctype caller()
{
	byte d = NOBODY;

	atomic {
		if
		:: open_to[0] != NOBODY -> call_into = 0
		:: open_to[CONTEXTS - 1] != NOBODY -> call_into = CONTEXTS - 1
		:: true -> goto refused
		fi;
		d = open_to[call_into];
		assert(text[d]);
		calling[d] = true
	};
	d_step {
		assert(text[d] && holder[call_into] == d);
		calling[d] = false;
		call_into = CONTEXTS
	};
refused:
	d = NOBODY
}

init
{
	byte d;

	atomic {
		loaded[0] = true;
#ifdef C_PEER
		run c_driver(0);
#else
		run library_worker(0);
		run library_driver(0);
#endif
#ifndef ALONE
		loaded[1] = true;
#ifndef C_PEER
		run library_worker(1);
#endif
		run library_driver(1);
#endif
#if !defined(ALONE) || !defined(C_PEER)
		run caller()
#endif
	};
	/* In the end nothing is left. */
	!loaded[0] && !loaded[DRIVERS - 1];
	for (d : 0 .. CONTEXTS - 1) {
		assert(holder[d] == NOBODY && open_to[d] == NOBODY && ops[d] == 0 && self[d] == 0)
	}
	for (d : 0 .. REQUESTS - 1) {
		assert(!request[d].in_table)
	}
	for (d : 0 .. DRIVERS - 1) {
		assert(registry[d] == Gone && !text[d] && !queued[d] && runs_begun[d] == runs_ended[d])
	}
}
