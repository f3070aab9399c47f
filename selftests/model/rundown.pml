// SPDX-License-Identifier: GPL-2.0
/*
 * Rundown protection, from shared/d2d/rundown.rs, on the kernel's sleepable RCU (SRCU). Two peers
 * use a context, one after the other. Two tasks, with recursive calls, and an interrupt make calls
 * into each peer while it detaches.
 *
 * SRCU is modelled after kernel/rcu/srcutree.c. A reader reads the current index, 0 or 1, and
 * increments this index's lock count of its CPU. When it leaves, it increments the index's unlock
 * count, perhaps of another CPU. A grace period waits until the index that is not current has no
 * reader, flips the current index, and waits until the index that was current before has none. To
 * wait, it adds up the unlock counts of all CPUs and then their lock counts, while readers enter and leave,
 * until the sums are equal.
 *
 * Spin interleaves whole accesses, so memory is sequentially consistent here. In the code this
 * rests on: smp_mb() after a reader increments the lock count and before it increments the unlock
 * count (B and C in srcutree.c); smp_mb() between the two sums and around the flip (A, D, E); Full
 * ordering of both cmpxchg of the state; Release for the stores of OPEN and CLOSED; Acquire for the
 * load in enter().
 *
 * While an interrupt runs, the tasks of its CPU do not ("provided"), so an interrupt that waits for
 * one of them is a deadlock. Spin reports each run in which a process waits for ever (an invalid
 * end state), and each run that goes on for ever (a non-progress cycle). If it reports none, every
 * run ends, with all its processes.
 */

#define CPUS	2
#define PEERS	2

/* struct srcu_struct: [index * CPUS + cpu] */
byte srcu_idx;
byte srcu_locks[2 * CPUS];
byte srcu_unlocks[2 * CPUS];

/* struct Rundown; the value is an endpoint of two words, 0 or the peer's */
mtype = { CLOSED, OPENING, OPEN, CLOSING };
mtype state = CLOSED;
byte value_ops, value_self;

/* For the assertions, for each peer (peers are numbered from 1) */
bool text[PEERS + 1];		/* its code is loaded */
bool closed[PEERS + 1];		/* close() has returned */
byte inside[PEERS + 1];		/* calls that run in it */

bool irq_runs;

inline srcu_read_lock(cpu, idx)
{
	idx = srcu_idx;
	srcu_locks[(idx) * CPUS + cpu]++
}

inline srcu_read_unlock(cpu, idx)
{
	srcu_unlocks[(idx) * CPUS + cpu]++;
	idx = 0
}

/* Repeats srcu_readers_active_idx_check() until it finds no reader */
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

/* synchronize_srcu(), by srcu_advance_state() */
inline synchronize_srcu()
{
	try_check_zero(1 - srcu_idx);
	srcu_idx = 1 - srcu_idx;
	try_check_zero(1 - srcu_idx)
}

/* Rundown::open() */
inline open(peer)
{
	d_step { assert(state == CLOSED); state = OPENING };
#ifdef OPEN_BEFORE_VALUE
	state = OPEN;
#endif
	value_ops = peer;
	value_self = peer;
	state = OPEN
}

/* Option::take() */
inline take()
{
	value_ops = 0;
	value_self = 0
}

/* Rundown::close() */
inline close()
{
#ifdef STATE_AFTER_WAIT
	synchronize_srcu();
#endif
	d_step { assert(state == OPEN); state = CLOSING };
#ifdef FREE_BEFORE_WAIT
	take();
#endif
#if !defined(NO_RUNDOWN_WAIT) && !defined(STATE_AFTER_WAIT)
	synchronize_srcu();
#endif
	take();
	state = CLOSED
}

/* Rundown::enter(); may is whether the caller may call the peer */
inline enter(cpu, idx, may)
{
#ifdef WAIT_IN_ENTER
	state != CLOSING;
#endif
#ifdef CHECK_BEFORE_ENTER
	may = (state == OPEN);
	srcu_read_lock(cpu, idx);
#else
	srcu_read_lock(cpu, idx);
#ifdef CALL_AFTER_DETACH
	may = (state == OPEN || state == CLOSING);
#else
	may = (state == OPEN);
#endif
#endif
	if
	:: may
	:: else -> srcu_read_unlock(cpu, idx)
	fi
}

/* PeerCall::ops(), and the peer's code begins to run */
inline call_begins(peer)
{
	peer = value_ops;
	d_step {
		assert(peer != 0 && value_self == peer);
		assert(text[peer] && !closed[peer]);
		inside[peer]++
	}
}

inline call_ends(peer)
{
	d_step { assert(text[peer]); inside[peer]--; peer = 0 }
}

/* Attaches a peer, detaches it and frees its code; then the next peer */
active proctype detacher() provided (!irq_runs)
{
	byte peer, in, out;

	for (peer : 1 .. PEERS) {
		text[peer] = true;
		open(peer);
		close();
		d_step { closed[peer] = true; assert(inside[peer] == 0) };
		text[peer] = false
	}
}

/* A task calls the peer; the peer calls the owner, and the owner the peer. */
inline recursive_call(cpu, cpu_later)
{
	enter(cpu, outer, may);
	if
	:: may ->
		call_begins(peer);
		enter(cpu, inner, may);
		if
		:: may ->
			call_begins(peer2);
			assert(peer2 == peer);
			call_ends(peer2);
			srcu_read_unlock(cpu_later, inner)
		:: else
		fi;
		call_ends(peer);
		srcu_read_unlock(cpu_later, outer)
	:: else
	fi
}

/* Starts on the detacher's CPU, and is moved to the other one during the call */
active proctype caller_0() provided (!irq_runs)
{
	byte outer, inner, peer, peer2;
	bool may;

	recursive_call(0, 1)
}

active proctype caller_1()
{
	byte outer, inner, peer, peer2;
	bool may;

	recursive_call(1, 1)
}

active proctype interrupt()
{
	byte idx, peer;
	bool may;

	irq_runs = true;
	enter(0, idx, may);
	if
	:: may ->
		call_begins(peer);
		call_ends(peer);
		srcu_read_unlock(0, idx)
	:: else
	fi;
	irq_runs = false
}
