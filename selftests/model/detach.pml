// SPDX-License-Identifier: GPL-2.0
/*
 * The handshake and its undoing: shared/owner/{server,registry,requests}.rs with
 * the peer's side of it, shared/d2d/{registration,request}.rs or a driver in C
 * that does what d2d.h allows.
 *
 * Two drivers want the one context; each asks for it, and leaves. The owner
 * calls whoever holds it. Chosen by -D:
 *
 *   ROUTINE	the owner learns of completion by a routine; else it waits in
 *		attach (by return and by waiting differ in the trace only)
 *   C_PEER	driver 0 is one in C that does all that d2d.h allows: a thread
 *		attaches and may detach, while another detaches and unregisters
 *		at any moment; it fills in the context before it pends, and may
 *		never complete. The other driver then only does what is right,
 *		and one caller is enough
 *   ALONE	without the other driver; the one in C may attach again instead
 *
 * Else both drivers are of the library: one thread loads and unloads, a work
 * item completes what was left pending, or leaves it pending once more.
 *
 * Left out, with the reason:
 * - Slots and generations of handles: a handle is its object's number here, and is
 *   never used again. That is what the generation is for.
 * - Spinlocks: what runs under one is one step (atomic, d_step).
 * - The inside of a rundown: rundown.pml shows what is assumed here, that closing
 *   waits for exactly those that entered before, and for nobody else.
 * - Memory ordering: whatever is shared is under a spinlock, or ordered by a
 *   completion, by flush_work() or by a Release store that an Acquire load sees.
 * - Refusals that change nothing (magic numbers, sizes, names).
 * - Gate of export.rs: the owner cannot be unloaded while there are importers.
 *
 * Nothing repeats for ever, which the search for non-progress cycles shows, so every
 * run ends; and spin reports a run that ends before its processes do.
 */

#define DRIVERS		2
#define ATTACHES	2		/* of one driver, at most */
#define REQUESTS	(DRIVERS * ATTACHES)
#define NOBODY		DRIVERS

#ifdef C_PEER
#define IN_C(d)		((d) == 0)
#define SIMPLE(d)	((d) == 1)
#define CALLERS		1
#else
#define IN_C(d)		false
#define SIMPLE(d)	false
#define CALLERS		2
#endif

/* The requests of a driver are numbered from its number times ATTACHES. */
#define FIRST(d)	((d) * ATTACHES)
/* State::context() */
#define HOLDS(d)	(registry[d] == Attaching || registry[d] == Attached || registry[d] == Detaching)
/* Requests::find(); there are two to look at */
#define ON_ITS_WAY(d)	(request[FIRST(d)].in_table || request[FIRST(d) + 1].in_table)
#define FIND(d)		(request[FIRST(d)].in_table -> FIRST(d) : FIRST(d) + 1)

/* registry.rs: State, with the one context understood; Gone is an empty slot */
mtype = { Gone, Registered, Attaching, Attached, Detaching };
mtype registry[DRIVERS] = Gone;

/* requests.rs: Slot and Pending; status and outcome are 0 before they are set */
mtype = { Ok, Failed, Cancelled };
typedef Pending {
	bool in_table, claimed, finished, left;
	mtype status, outcome;
	bool done, left_done;
};
Pending request[REQUESTS];

/* The peer's endpoint in struct d2d_context: 0, or the number of the driver from 1 */
byte ops, self;

/* OwnerLink.peer, a Rundown: the driver that can be entered, or NOBODY */
byte open_to = NOBODY;
bool entered[CALLERS], awaited[CALLERS];

/* What must hold */
byte holder = NOBODY;		/* whose context it is, by what was promised */
bool text[DRIVERS];		/* the driver's code is loaded */
byte dispatching[DRIVERS];	/* the owner is inside its dispatch routine */
byte calling[DRIVERS];		/* the owner is inside its operations */
bool telling;			/* the owner is told that a peer was attached */

/* What d2d_attach() and the like return */
mtype = { None, Eio, Ecanceled, Einprogress, Enomem, Ebusy, Ealready, Enotconn, Estale };

/* The drivers' own */
mtype = { Completed, Pended };
mtype progress[DRIVERS] = Gone;	/* registration.rs: Gone is IDLE, Attaching is UNDER_WAY */
byte pended[DRIVERS] = REQUESTS;	/* the request that waits for the work item */
bool queued[DRIVERS], disabled[DRIVERS];
byte runs_begun[DRIVERS], runs_ended[DRIVERS];
bool loaded[DRIVERS];
bool c_attacher_done;

/* Server::clear_peer() */
inline clear_peer(d)
{
	d_step { assert(holder == d); ops = 0 };
	d_step { assert(holder == d); self = 0 }
}

/* Server::abort() */
inline abort(d)
{
	clear_peer(d);
#ifndef KEEP_ON_ABORT
	d_step {
		assert(holder == d);
		assert(registry[d] == Attaching);
		holder = NOBODY;
		registry[d] = Registered
	}
#endif
}

/*
 * Requests::claim(), and of finish() that the winner notes the status, which nobody
 * else reads before the request is done
 */
inline claim(r, mine, value)
{
	d_step {
#ifdef DOUBLE_CLAIM
		mine = request[r].in_table;
#else
		mine = request[r].in_table && !request[r].claimed;
#endif
		if
		:: mine ->
			assert(request[r].status == 0);
			request[r].claimed = true;
			request[r].status = value
		:: else
		fi
	}
}

/* Requests::release(), at the end of finish() and in leave() */
inline release(r)
{
	if
	:: request[r].finished && request[r].left -> request[r].in_table = false
	:: else
	fi
}

/* Requests::finish(), what comes after the routine; only who waits reads the outcome */
inline finish(r, value)
{
	d_step {
		request[r].outcome = value;
		request[r].finished = true;
		release(r)
	};
	request[r].done = true
}

/* Server::conclude(), of a request to driver d */
inline conclude(d, r, result)
{
	if
	:: request[r].status == Ok ->
		atomic { assert(ops == d + 1 && holder == d) };
		atomic { assert(self == d + 1 && holder == d) };
		/* OwnerLink::open() */
		atomic { assert(open_to == NOBODY); open_to = d };
		d_step {
			assert(registry[d] == Attaching && !telling);
			registry[d] = Attached;
			telling = true
		};
		/* Owner::attached() */
		atomic { assert(telling); telling = false };
		result = None
	:: else ->
		abort(d);
		result = (request[r].status == Cancelled -> Ecanceled : Eio)
	fi
}

/* Server::complete(), called by driver d */
inline complete(d, r, status, result)
{
	claim(r, mine, status);
	if
	:: mine ->
#ifdef ROUTINE
		conclude(d, r, result);
		finish(r, result)
#else
		finish(r, None);
		result = None
#endif
	:: else -> result = Estale
	fi;
	mine = false
}

/* Request::adopt() and Adopted::fill(); in C, saving the address and filling in */
inline fill(d)
{
	d_step { assert(holder == d && text[d]); ops = d + 1 };
	d_step { assert(holder == d && text[d]); self = d + 1 }
}

/* Request::complete(): of a driver of the library, notes the result */
inline complete_and_note(d, r, status)
{
	complete(d, r, status, answer);
	if
	:: IN_C(d)
	:: else -> progress[d] = (status == Ok && answer == None -> Attached : Gone)
	fi;
	answer = None
}

/* Shared::defer() and queue_work(), which a disabled work item refuses */
inline pend(d, r)
{
	atomic {
		assert(IN_C(d) || pended[d] == REQUESTS);
		pended[d] = r
	};
	d_step {
		if
		:: !disabled[d] -> queued[d] = true
		:: else
		fi
	}
}

/* The driver's dispatch routine */
inline dispatch(d, r, returned)
{
	d_step { assert(text[d]); dispatching[d]++ };
	if
	/* It completes at once, */
	:: fill(d); complete_and_note(d, r, Ok); returned = Completed
	:: !SIMPLE(d) -> complete_and_note(d, r, Failed); returned = Completed
	/* or forgets to, which only C can, */
	:: IN_C(d) -> returned = Completed
	/* or leaves it pending. */
	:: !SIMPLE(d) ->
		if
		:: IN_C(d) -> fill(d)
		:: else
		fi;
		pend(d, r);
		returned = Pended
	fi;
	d_step { assert(text[d]); dispatching[d]-- }
}

/* Server::send() */
inline send(d, r, result)
{
	dispatch(d, r, returned);
	if
	:: returned == Completed -> claim(r, mine, Failed)
	:: else
	fi;
	if
	:: returned == Completed && mine ->
		mine = false;
		finish(r, Eio);
		abort(d);
		result = Eio
#ifdef ROUTINE
	:: returned == Pended -> result = Einprogress
	:: returned == Completed && !mine -> request[r].done; result = request[r].outcome
#else
	:: !mine -> request[r].done; conclude(d, r, result)
#endif
	fi
}

/* Server::attach(), of the driver's request number r */
inline attach(d, r, result)
{
	/* Registry::reserve() */
	d_step {
		if
		:: registry[d] == Gone -> result = Estale
		:: HOLDS(d) -> result = Ealready
		:: registry[d] == Registered && HOLDS(1 - d) -> result = Ebusy
		:: else ->
			assert(holder == NOBODY);
			holder = d;
			registry[d] = Attaching;
			result = None
		fi
	};
	if
	:: result != None
	/* Server::build_request(), if there is memory for it */
	:: result == None -> request[r].in_table = true;
		send(d, r, result);
		/* Requests::leave() */
		d_step { request[r].left = true; release(r) };
		request[r].left_done = true
	:: result == None && !SIMPLE(d) -> abort(d); result = Enomem
	fi;
	d_step { returned = None; mine = false }
}

/* Pending::wait() and Pending::wait_for_sender() of all requests of a driver */
inline wait_for_requests(d)
{
	do
	:: atomic { ON_ITS_WAY(d) -> r = FIND(d) };
	   request[r].done;
	   request[r].left_done
	:: else -> break
	od
}

/* OwnerLink::close(): Rundown::close(), by what rundown.pml shows of it */
inline close(d)
{
	d_step {
		assert(open_to == d);
		open_to = NOBODY;
		awaited[0] = entered[0];
		awaited[CALLERS - 1] = entered[CALLERS - 1]
	};
	!awaited[0] && !awaited[CALLERS - 1]
}

/* Server::run_down() and what detach() does after it */
inline run_down(d)
{
	close(d);
	assert(dispatching[d] == 0 && calling[d] == 0);
	clear_peer(d);
	/* Owner::detached() */
	assert(!telling);
	d_step {
		assert(holder == d && registry[d] == Detaching);
		holder = NOBODY;
		registry[d] = Registered
	}
}

/* Server::detach() */
inline detach(d, result)
{
	result = Ebusy;
	do
	:: result != Ebusy -> break
	:: else ->
		d_step {
			before = registry[d];
			if
			:: before == Attached -> registry[d] = Detaching
			:: else
			fi
		};
		if
		:: before == Attached ->
#ifndef NO_WAIT_WHEN_ATTACHED
			wait_for_requests(d);
#endif
			run_down(d);
			result = None
		:: before == Attaching ->
			/* It looks again and again; nothing comes of it until one of these. */
			ON_ITS_WAY(d) || registry[d] != Attaching;
			if
			:: atomic { ON_ITS_WAY(d) -> r = FIND(d) };
#ifndef NO_CANCEL_ON_DETACH
				/* Server::cancel() */
				claim(r, mine, Cancelled);
				if
				:: mine -> finish(r, Ecanceled)
				:: else
				fi;
#endif
				request[r].done;
#ifndef NO_SENDER_WAIT
				request[r].left_done;
#endif
				if
#ifdef ABORT_TWICE
				:: request[r].status == Cancelled ->
					abort(d);
#else
				:: mine ->
					/* Where the sender waits, it has taken the context back. */
#ifdef ROUTINE
					assert(dispatching[d] == 0);
					abort(d);
#endif
#endif
					result = None
				:: else
				fi;
				mine = false
			:: else
			fi
		:: before == Registered -> result = Enotconn
		:: before == Detaching -> result = Ealready
		:: before == Gone -> result = Estale
		fi
	od;
	atomic { before = None; r = 0 }
}

/* Server::unregister() */
inline unregister(d, result)
{
	/* Registry::remove() */
	d_step {
		if
#ifdef NO_UNREGISTER_CHECK
		:: registry[d] != Gone
#else
		:: registry[d] == Registered
#endif
			-> registry[d] = Gone; result = None
		:: else -> result = Ebusy
		fi
	};
	if
	:: result == None ->
#ifndef NO_WAIT_WHEN_UNREGISTERED
		wait_for_requests(d);
#endif
		assert(dispatching[d] == 0 && calling[d] == 0 && holder != d)
	:: else
	fi
}

/* flush_work(): waits for the run that is queued, else for the one that is under way */
inline flush_work(d)
{
	upto = runs_begun[d] + queued[d];
	runs_ended[d] >= upto;
	upto = 0
}

/* Shared::stop_work(): cancel_work_sync(), which refuses new runs while it waits */
inline stop_work(d)
{
	d_step { disabled[d] = true; queued[d] = false };
	runs_ended[d] == runs_begun[d];
	disabled[d] = false
}

/* Registration::new(), attach() and drop() */
proctype library_driver(byte d)
{
	mtype result = None, returned = None, before = None, answer = None;
	bool mine;
	byte r, upto;

	d_step { text[d] = true; registry[d] = Registered; progress[d] = Attaching };
	attach(d, FIRST(d), result);
	if
	:: result == Einprogress
	:: else ->
		flush_work(d);
		progress[d] = (result == None -> Attached : Gone)
	fi;

	flush_work(d);
#ifndef FLUSH_ONLY
	stop_work(d);
#endif
	atomic { before = progress[d]; progress[d] = Gone };
	if
	:: before != Gone -> detach(d, result)
	:: else
	fi;
	unregister(d, result);
	assert(result == None);
	stop_work(d);
	d_step { text[d] = false; loaded[d] = false }
}

/* WorkItem::run(), and what a driver's deferred() may do */
proctype library_worker(byte d)
{
	mtype answer = None;
	bool mine;
	byte r = REQUESTS;
	bool again;

end:	do
	:: atomic { queued[d] -> queued[d] = false; assert(text[d]); runs_begun[d]++ };
	   atomic { r = pended[d]; pended[d] = REQUESTS };
	   if
	   :: fill(d); complete_and_note(d, r, Ok)
	   :: complete_and_note(d, r, Failed)
	   :: !again -> again = true; pend(d, r)
	   fi;
	   atomic { assert(text[d]); runs_ended[d]++; r = REQUESTS }
	od
}

/* The thread of a driver in C that attaches, and may detach and attach again */
proctype c_attacher(byte d)
{
	mtype result = None, returned = None, before = None, answer = None;
	bool mine;
	byte r;

	attach(d, FIRST(d), result);
	result = None;
	if
	:: detach(d, result)
#ifdef ALONE
	:: attach(d, FIRST(d) + 1, result)
#endif
	fi;
	atomic { c_attacher_done = true; result = None }
}

/* Its work item: completes, or drops what it was given */
proctype c_worker(byte d)
{
	mtype answer = None;
	bool mine;
	byte r = REQUESTS;

end:	do
	:: atomic { queued[d] -> queued[d] = false; assert(text[d]); runs_begun[d]++ };
	   atomic { r = pended[d]; pended[d] = REQUESTS };
	   if
	   :: r != REQUESTS -> complete(d, r, Ok, answer)
	   :: r != REQUESTS -> complete(d, r, Failed, answer)
	   :: true
	   fi;
	   atomic { assert(text[d]); runs_ended[d]++; r = REQUESTS; answer = None }
	od
}

/* Its exit, at any moment */
proctype c_driver(byte d)
{
	mtype result = None, before = None;
	bool mine;
	byte r;

	d_step { text[d] = true; registry[d] = Registered };
	run c_attacher(d);
	do
	:: unregister(d, result);
	   if
	   :: result == None -> break
	   :: else -> detach(d, result);
	      /* Its own thread is detaching it. */
	      if
	      :: result == Ealready -> registry[d] != Detaching
	      :: else
	      fi
	   fi
	od;
	/* A module waits for its own threads and work items. */
	c_attacher_done;
	stop_work(d);
	d_step { text[d] = false; loaded[d] = false }
}

/* OwnerLink::peer(), a call, and the end of it; any context */
proctype caller(byte c)
{
	byte d = NOBODY;

	atomic {
		d = open_to;
		if
		:: d != NOBODY -> entered[c] = true; assert(text[d]); calling[d]++
		:: else -> goto refused
		fi
	};
	d_step { assert(text[d] && holder == d); calling[d]--; entered[c] = false; awaited[c] = false };
refused:
	d = NOBODY
}

init
{
	byte d;

	atomic {
		loaded[0] = true;
#ifdef C_PEER
		run c_worker(0);
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
		for (d : 0 .. CALLERS - 1) {
			run caller(d)
		}
	};
	/* Nothing of all that stays. */
	!loaded[0] && !loaded[1];
	assert(holder == NOBODY && open_to == NOBODY && ops == 0 && self == 0);
	assert(!ON_ITS_WAY(0) && !ON_ITS_WAY(1));
	for (d : 0 .. DRIVERS - 1) {
		assert(registry[d] == Gone && !text[d] && !queued[d] && runs_begun[d] == runs_ended[d])
	}
}
