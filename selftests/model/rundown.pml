// SPDX-License-Identifier: GPL-2.0
/*
 * Models rundown protection (shared/d2d/rundown.rs, shared/d2d/readers.rs) on the kernel's sleepable RCU (SRCU). Two
 * peers use a context, one after the other: each attaches and detaches. At any moment, two tasks and an interrupt may
 * call the peer that is attached. A task's call is recursive. Most inlines model the function of the same name.
 *
 * A thread in such a call is a fast reader of SRCU (srcu_read_lock_fast()), without a memory barrier. Grace periods are
 * those of kernel/rcu/srcutree.c. SRCU counts a reader under one of two indexes. An index has no reader if the sum of
 * its unlock counts, read first, equals the sum of its lock counts.
 *
 * Memory is sequentially consistent in the model. In the code, these things order the accesses:
 *   - After it has read the unlock counts, the kernel waits for a grace period of RCU (at the comment X in srcutree.c),
 *     and so for all increments that began before. The litmus tests reader-missed-by-the-grace-period and
 *     reader-inside-after-the-grace-period check this.
 *   - Before and after it changes the index, the kernel has smp_mb() (at the comments E and D).
 *   - Readers::enter() counts the reader, and then loads the pointer `open` by an acquire. Rundown::open() stores this
 *     pointer, and then OPEN, by releases.
 *   - Rundown::close_and_end_waits() stores null by a relaxed store, which the grace period orders. It stores CLOSED by
 *     a release.
 *
 * While an interrupt runs, the tasks of its CPU do not run ("provided"). So an interrupt that waits for one of these
 * tasks is a deadlock.
 */

#define CPUS	2
#define PEERS	2

/* struct srcu_struct; the arrays have the counts of an index and a CPU at [index * CPUS + cpu]. */
byte srcu_idx;
byte srcu_locks[2 * CPUS];
byte srcu_unlocks[2 * CPUS];

/*
 * struct Rundown. If is_open, its pointer `open` leads to the value, otherwise the pointer is null. The value has two
 * words, each 0 or the number of a peer.
 */
mtype = { CLOSED, OPENING, OPEN, CLOSING };
mtype state = CLOSED;
bool is_open;
byte value_ops, value_self;

/* For each peer, from 1 */
bool loaded[PEERS + 1];
bool closed[PEERS + 1];		/* Rundown::close_and_end_waits() has returned */
byte inside[PEERS + 1];		/* calls that run in the peer */

bool irq_runs;

inline readers_enter(cpu, idx)
{
	idx = srcu_idx;
	srcu_locks[(idx) * CPUS + cpu]++
}

inline readers_leave(cpu, idx)
{
	srcu_unlocks[(idx) * CPUS + cpu]++;
	idx = 0
}

/* Includes srcu_readers_active_idx_check() */
inline try_check_zero(idx)
{
	do
	:: out = srcu_unlocks[(idx) * CPUS];
	   out = out + srcu_unlocks[(idx) * CPUS + 1];
	   in = srcu_locks[(idx) * CPUS];
	   in = in + srcu_locks[(idx) * CPUS + 1];
	   if
	   :: in == out -> break
	   /* The code polls; here the process waits until a reader has left. */
	   :: else -> srcu_unlocks[(idx) * CPUS] + srcu_unlocks[(idx) * CPUS + 1] > out
	   fi
	od;
	atomic { in = 0; out = 0 }
}

/* Includes srcu_advance_state() */
inline synchronize_srcu()
{
	try_check_zero(1 - srcu_idx);
	srcu_idx = 1 - srcu_idx;
	try_check_zero(1 - srcu_idx)
}

inline open(peer)
{
	d_step { assert(state == CLOSED); state = OPENING };
#ifdef OPEN_BEFORE_VALUE
	is_open = true;
#endif
	value_ops = peer;
	value_self = peer;
	is_open = true;
	state = OPEN
}

inline take_value()
{
	value_ops = 0;
	value_self = 0
}

inline close_and_end_waits()
{
	d_step { assert(state == OPEN); state = CLOSING };
#ifdef CLEARED_AFTER_WAIT
	synchronize_srcu();
#endif
#ifndef CALL_AFTER_DETACH
	is_open = false;
#endif
#ifdef TAKEN_BEFORE_WAIT
	take_value();
#endif
#if !defined(NO_RUNDOWN_WAIT) && !defined(CLEARED_AFTER_WAIT)
	synchronize_srcu();
#endif
	take_value();
	state = CLOSED
}

/* The caller may use the value only if `entered`. */
inline enter(cpu, idx, entered)
{
#ifdef WAIT_IN_ENTER
	state != CLOSING;
#endif
#ifdef CHECK_BEFORE_ENTER
	entered = is_open;
	readers_enter(cpu, idx);
#else
	readers_enter(cpu, idx);
	entered = is_open;
#endif
	if
	:: entered
	:: else -> readers_leave(cpu, idx)
	fi
}

inline call_begins(peer)
{
	peer = value_ops;
	d_step {
		assert(peer != 0 && value_self == peer);
		assert(loaded[peer] && !closed[peer]);
		inside[peer]++
	}
}

inline call_ends(peer)
{
	d_step { assert(loaded[peer]); inside[peer]--; peer = 0 }
}

/* For each peer in turn: loads and attaches it, detaches and unloads it */
active proctype detacher() provided (!irq_runs)
{
	byte peer, in, out;

	for (peer : 1 .. PEERS) {
		loaded[peer] = true;
		open(peer);
		close_and_end_waits();
		d_step { closed[peer] = true; assert(inside[peer] == 0) };
		loaded[peer] = false
	}
}

/* A task calls the peer; the peer calls the owner, and the owner the peer. The calls end on CPU cpu_later. */
inline recursive_call(cpu, cpu_later)
{
	enter(cpu, outer, entered);
	if
	:: entered ->
		call_begins(peer);
		enter(cpu, inner, entered);
		if
		:: entered ->
			call_begins(peer2);
			assert(peer2 == peer);
			call_ends(peer2);
			readers_leave(cpu_later, inner)
		:: else
		fi;
		call_ends(peer);
		readers_leave(cpu_later, outer)
	:: else
	fi
}

/* Starts on CPU 0, as the detacher and the interrupt, and moves to CPU 1 during the call */
active proctype caller_0() provided (!irq_runs)
{
	byte outer, inner, peer, peer2;
	bool entered;

	recursive_call(0, 1)
}

active proctype caller_1()
{
	byte outer, inner, peer, peer2;
	bool entered;

	recursive_call(1, 1)
}

active proctype interrupt()
{
	byte idx, peer;
	bool entered;

	irq_runs = true;
	enter(0, idx, entered);
	if
	:: entered ->
		call_begins(peer);
		call_ends(peer);
		readers_leave(0, idx)
	:: else
	fi;
	irq_runs = false
}
