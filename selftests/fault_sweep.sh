#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Out of memory. This program loads, uses and unloads modules again and again. Each time, a different allocation of the
# modules fails. If a system call then fails, it must fail with ENOMEM, add one line to the log, and leak nothing.
# Needs a kernel with failslab and its stack filter.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh
# shellcheck source=selftests/sweep_lib.sh
. ./sweep_lib.sh

# fresh_state STATE [ARGUMENT...] - sets up a state: STATE is one of the functions from unloaded() to event()
fresh_state()
{
	unload_all
	"$@"
	reset_trace
}

unloaded()
{
	:
}

owner()
{
	load module_a "$@"
}

pair()
{
	load module_a && load module_b
}

c_owner()
{
	load c_owner
}

c_pair()
{
	c_owner && load module_b
}

middle()
{
	load module_a && load middle
}

chain()
{
	middle && load lower1
}

two_owners()
{
	load module_a && load other_a
}

actors()
{
	load pause_calls && load module_a && load actor && act "register alice; register bob"
}

torture()
{
	load torture_owner contexts=1
}

event()
{
	torture && load event_faults fault=none
}

# sweep NAME LEAST STATE FAIL_NTH_ARGUMENT... - the case NAME: sweep_allocations (sweep_lib.sh) in this STATE
sweep()
{
	case_name=$1 least=$2 state=$3
	shift 3
	runs_case "$case_name" || return 0
	# shellcheck disable=SC2086 # words
	fresh_state $state
	sweep_allocations "$case_name" "$least" "$@"
}

set_up_failslab 34

# The items of a queue are in chunks. failslab cannot make an allocation of more than two pages fail. With a capacity of
# 200 items, the last chunk of a queue is small enough.
a=$(module_path module_a)
sweep "loading module_a" 20 unloaded load "$a" contexts=2 capacity=200
sweep "unloading module_a" 0 unloaded unload "$a"

b=$(module_path module_b)
for completion in 0 1 2; do
	for deferred in 0 1; do
		sweep "loading module_b, completion=$completion deferred=$deferred" 6 "owner completion=$completion timeout=$LONG_TIMEOUT" \
			load "$b" "deferred=$deferred"
	done
done
sweep "unloading module_b" 0 owner unload "$b"
sweep "loading a peer that has a thread" 10 owner load "$(module_path waiting_peer)" \
	"$(in_numbers waiting_peer waits_in=thread)"

# At least 2 allocations: the first d2d_request_alloc() also allocates records. Lookup and send allocate nothing.
sweep "the first request, to module_a and then to bob" 2 actors write "$ACTOR" \
	"alloc r0 alice; lookup module_a; send r0 module_a; wait r0; expect r0 output=42; send r0 bob; wait r0; free r0"
sweep "a request that is sent in hardirq to a driver that may sleep" 1 actors write "$ACTOR" \
	"alloc r0 alice; lookup module_a; in hardirq send r0 module_a $CODE_ADD atomic; wait r0; expect r0 output=42; free r0"
sweep "loading a peer in C" 0 owner load "$(module_path bad_peer)" fault=none
sweep "unloading a peer in C" 0 owner unload "$(module_path bad_peer)" fault=none
sweep "creating and opening events, and waiting for them" 15 torture load "$(module_path event_faults)" fault=none
sweep "watching an event" 2 event read /sys/kernel/debug/d2d-torture_owner/events/fault0
sweep "closing events" 0 torture unload "$(module_path event_faults)" fault=none
sweep "the exercise of module_b" 3 pair write /dev/module_b 1
sweep "the exercise of module_a" 3 pair write /dev/module_a 1

c=$(module_path c_owner)
sweep "loading an owner in C" 20 unloaded load "$c" contexts=2 capacity=200
sweep "unloading an owner in C" 0 unloaded unload "$c"
sweep "loading a peer in Rust of an owner in C" 4 c_owner load "$b"
sweep "loading a peer in C of an owner in C" 1 c_owner load "$(module_path bad_peer)" fault=none
sweep "the exercise of an owner in C" 1 c_pair write /dev/c_owner 1

m=$(module_path middle)
sweep "loading a module in two roles: a thread of the module waits" 40 owner load "$m" contexts=1 \
	"$(in_numbers middle waits=owner)"
sweep "unloading a module in two roles" 0 owner unload "$m"
sweep "loading a peer of a module in two roles" 6 middle load "$(module_path lower1)"
sweep "the exercise of a peer of a module in two roles" 3 chain write /dev/lower1 1

t=$(module_path bridge)
sweep "loading a peer of two owners" 12 two_owners load "$t" "$(in_numbers bridge waits=inside)"
sweep "loading a peer of two owners: a thread of the peer waits" 12 two_owners load "$t" \
	"$(in_numbers bridge waits=started-thread)"
sweep "unloading a peer of two owners" 0 two_owners unload "$t"
sweep "loading a module in three roles: threads of the module wait" 40 two_owners load "$(module_path junction)" contexts=1 waits=1

# In the cases above, fail_nth makes allocations of one task fail. Here failslab makes the first allocation of any task
# or interrupt fail. This shows that failslab's settings work.
fresh_state pair
setting probability 100 interval 1 times 1
! exercise module_b 1 2>"$NOTES" && trace | grep -q 'step=refuse reason=out-of-memory'
verdict "failslab makes the first allocation of any task fail: a write to a device fails with the reason out-of-memory"
setting probability 0

# Here failslab ignores allocations inside system calls. Any other allocation fails, and lowers `times` from 1 to 0.
# Workers and interrupts must not allocate.
fresh_state unloaded
ignore_calls_of "$SYSCALL"
setting probability 100 interval 1 times 1
load module_a completion=1 "timeout=$LONG_TIMEOUT" && load module_b deferred=1 &&
	exercise module_b 10 && exercise module_a 10 && unload module_b && unload module_a &&
	[ "$(cat "$FAILSLAB/times")" = 1 ]
verdict "workers, softirq and hardirq do not allocate"
ktap_finished
