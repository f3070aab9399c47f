#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A peer's module is unloaded while a thread is inside the module: in an operation that the owner has called, in the
# dispatch routine, or in the work item of a pended handshake. The module pause_calls keeps the thread there until the
# test has seen that unloading waits for the thread. So the result does not depend on timing.

# A call that is paused in an interrupt occupies its CPU: the CPU takes no other interrupt and runs no process. So the
# test pauses such calls on CPU 1. Everything that the test waits for runs on CPU 0:
# - The test itself, from its start. When a process unmaps memory, the kernel interrupts each CPU on which the process
#   has run, and waits until each of them answers. If the test had ever run on CPU 1, it would wait for the
#   paused call, and this call waits for the test.
# - The workers of unbound work queues, and kthreadd, which creates a worker when all workers of a queue sleep.
if [ -z "${D2D_PINNED-}" ] && command -v taskset >/dev/null; then
	D2D_PINNED=1 exec taskset 1 "$0" "$@"
fi
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

WORKER_CPUS=/sys/devices/virtual/workqueue/cpumask
EVENTS=/sys/kernel/tracing/events/workqueue
OLD_WORKER_CPUS=$(cat "$WORKER_CPUS")
KTHREADD=2 # the process ID
OLD_KTHREADD_CPUS=$(taskset -p "$KTHREADD" | sed 's/.*: //')
# Each of these files has a time in seconds. The kernel reports a CPU that takes no interrupts or runs no workers for
# this time.
WATCHDOGS=$(ls /proc/sys/kernel/watchdog_thresh /sys/module/rcupdate/parameters/rcu_cpu_stall_timeout \
	/sys/module/workqueue/parameters/watchdog_thresh 2>/dev/null)
# shellcheck disable=SC2086 # a list
OLD_WATCHDOG_SECONDS=$(cat $WATCHDOGS </dev/null | xargs)

# restore - undoes what this test has changed for the whole machine
restore()
{
	rm -f "$NOTES"
	echo "$OLD_WORKER_CPUS" >"$WORKER_CPUS"
	taskset -p "$OLD_KTHREADD_CPUS" "$KTHREADD" >/dev/null
	! loaded pause_calls || resume
	# shellcheck disable=SC2086 # a list
	set_watchdogs $OLD_WATCHDOG_SECONDS
}
trap restore EXIT

# set_watchdogs SECONDS... - writes one of these times to each of the files $WATCHDOGS, in this order
set_watchdogs()
{
	for watchdog in $WATCHDOGS; do
		echo "$1" >"$watchdog"
		shift
	done
}

# waits_in PID FUNCTION - succeeds if a process sleeps in FUNCTION, or in a function that FUNCTION calls
waits_in()
{
	grep -q '^State:.*D (disk sleep)' "/proc/$1/status" && grep -q "] $2+" "/proc/$1/stack"
}

# unloading_steps_are STEP... - succeeds if the trace has these steps of the handshake and of unloading, in this order
unloading_steps_are()
{
	[ "$(trace | sed -nE 's/.* step=(pend|cancel|attached|detach|rundown|unregister|unload|refuse).*/\1/p' | xargs)" = "$*" ]
}

# op_calls - prints how often the owner has called an operation of the peer
op_calls()
{
	trace | grep -c 'module_a: d2d: .* step=op-call to=peer'
}

# new_request_fails - succeeds if the owner refuses a new request to the peer
new_request_fails()
{
	fails ESHUTDOWN act "send r1 paused_peer" && trace | grep -q "step=refuse reason=target-is-leaving"
}

# new_exercise_makes_no_call - succeeds if the owner's exercise returns without calling the peer
new_exercise_makes_no_call()
{
	before=$(op_calls)
	exercise module_a && [ "$(op_calls)" = "$before" ]
}

# unloading_waits FUNCTION STEP... - begins to unload the peer, in the process $remover. Succeeds if $remover takes
# these steps, and then waits in FUNCTION (waits_in)
unloading_waits()
{
	./one_call unload paused_peer 2>"$NOTES" &
	remover=$!
	await waits_in "$remover" "$1" || return
	shift
	# In an earlier step, the process may wait in the same function. So check which steps it has made.
	grep -q '^paused_peer .* Unloading ' /proc/modules && await unloading_steps_are "$@"
}

# unloaded - succeeds if unloading has ended and succeeded
unloaded()
{
	wait "$remover" && ! loaded paused_peer
}

# watch 1|0 - starts or stops recording the events of work queues, which settled() reads
watch()
{
	for event in queue_work execute_start execute_end; do
		echo "$1" >"$EVENTS/workqueue_$event/enable"
	done
	echo >/sys/kernel/tracing/trace
}

# settled - succeeds if the kernel has freed the init memory of the module that was loaded last. The kernel frees it
# in a work item, do_free_init, which waits for all CPUs. So this item would hang while the test pauses a call on a
# CPU.
#
# The trace must have the start and the end of do_free_init, but may lack its queueing. An earlier load may have queued
# the item before watch() cleared the trace. If the item still has not started when the test loads another module, the
# kernel does not queue it again. The item then frees the init memory of both modules.
#
# The trace may have the work item execmem_cache_clean, in which the kernel gives back memory of freed code. If so, this
# item must have ended, too
settled()
{
	awk '{ work = /do_free_init/ ? "free" : /execmem_cache_clean/ ? "clean" : "other" }
		/workqueue_queue_work: / { state[work] = "queued" }
		/workqueue_execute_start: / { state[work] = "started" }
		/workqueue_execute_end: / && state[work] == "started" { state[work] = "ended" }
		END { exit !(state["free"] == "ended" && state["clean"] ~ /^(ended)?$/) }' /sys/kernel/tracing/trace
}

# load_settled NAME - loads a module, and waits until the kernel has freed the module's init memory
load_settled()
{
	watch 1
	load "$1" && await settled
	loading=$?
	watch 0
	return "$loading"
}

# verdict_and_clean NAME - as verdict. If a failed case has left the peer loaded, then unloads it
verdict_and_clean()
{
	verdict "$1"
	! loaded paused_peer || unload paused_peer
}

# unload_during_call PLACE CPUS - unloads the peer while a call of the owner is inside the peer in this execution
# context. CPUS is the mask of the CPUs on which the calling process may run
unload_during_call()
{
	load_settled paused_peer || return
	reset_trace
	pause "$1"
	taskset "$2" ./one_call write /dev/module_a 1 &
	caller=$!
	await one_inside &&
		unloading_waits d2d_readers_wait detach &&
		new_exercise_makes_no_call && await waits_in "$remover" d2d_readers_wait && unloading_steps_are detach && one_inside
	seen=$?
	resume
	wait "$caller" && unloaded && [ "$seen" = 0 ] && unloading_steps_are detach rundown unregister unload &&
		trace | grep -q "paused_peer: d2d: .* in=$1 step=op-return from=owner op=bounce status=-$ESHUTDOWN"
}

# unload_during_request - unloads the peer while its dispatch routine runs in the sending process. Unloading first
# detaches the peer, which cancels the request. Detaching does not wait for the routine: the trace has the step rundown
# while the routine is paused. Then unloading unregisters the driver, which waits until the routine has returned. The
# request ends with ECANCELED
unload_during_request()
{
	load_settled paused_peer && act "lookup paused_peer" || return
	reset_trace
	pause task
	./one_call write "$ACTOR" "send r0 paused_peer $CODE_ADD atomic; wait r0; expect r0 status=-$ECANCELED" &
	caller=$!
	await one_inside &&
		unloading_waits cleanup_module detach rundown &&
		new_request_fails && await waits_in "$remover" cleanup_module &&
		unloading_steps_are detach rundown refuse && one_inside
	seen=$?
	resume
	wait "$caller" && unloaded && [ "$seen" = 0 ] && unloading_steps_are detach rundown refuse unregister unload
}

# unload_during_request_in PLACE CPUS - as unload_during_request, for a request that is sent in an interrupt. In this
# case detaching waits, too: it waits for a grace period. The grace period ends only when the interrupt with the paused
# routine has ended
unload_during_request_in()
{
	load_settled paused_peer && act "lookup paused_peer" || return
	reset_trace
	pause "$1"
	taskset "$2" ./one_call write "$ACTOR" "in $1 send r0 paused_peer $CODE_ADD atomic; wait r0; expect r0 status=-$ECANCELED" &
	caller=$!
	await one_inside &&
		unloading_waits d2d_readers_wait detach &&
		new_exercise_makes_no_call && await waits_in "$remover" d2d_readers_wait && unloading_steps_are detach && one_inside
	seen=$?
	resume
	wait "$caller" && unloaded && [ "$seen" = 0 ] && unloading_steps_are detach rundown unregister unload
}

if [ ! -d "$EVENTS" ]; then
	ktap_print_header
	ktap_skip_all "needs tracefs, with the events of work queues"
	exit 4
fi
begin 8
load pause_calls
set_watchdogs 60 60 60
[ ! -f "$WORKER_CPUS" ] || echo 1 >"$WORKER_CPUS"
taskset -p 1 "$KTHREADD" >/dev/null
# The timeout of a handshake must be longer than the time for which pause_calls pauses a call.
load module_a completion=1 timeout=600000
load actor
fresh alice
act "alloc r1 alice"

fresh_trace
unload_during_call task 3
verdict_and_clean "unloading waits for a call in a process, and the owner makes no new calls"

for place in softirq hardirq; do
	if [ "$(nproc --all)" -lt 2 ]; then
		ktap_test_skip "unloading waits for a call in $place: needs a second CPU"
		continue
	fi
	fresh_trace
	unload_during_call "$place" 2
	verdict_and_clean "unloading waits for a call in $place, and the owner makes no new calls"
done

for place in task softirq hardirq; do
	if [ -e /sys/kernel/debug/kmemleak ] || [ "$(nproc --all)" -lt 2 ]; then
		# On a debugging kernel such a case can take longer than pause_calls pauses a call.
		ktap_test_skip "unloading waits for a request in $place: needs a second CPU, and a kernel without debugging"
		continue
	fi
	fresh_trace
	if [ "$place" = task ]; then
		unload_during_request
	else
		unload_during_request_in "$place" 2
	fi
	verdict_and_clean "unloading waits for a request in $place, and the owner refuses new ones"
done

fresh_trace
pause handshake
load paused_peer deferred=1 && await one_inside && unloading_waits cleanup_module pend &&
	await waits_in "$remover" cleanup_module && unloading_steps_are pend && one_inside
seen=$?
resume
unloaded && [ "$seen" = 0 ] && unloading_steps_are pend attached detach rundown unregister unload
verdict_and_clean "unloading waits for a pended handshake"

fresh_trace
load paused_peer && unload paused_peer && unloading_steps_are attached detach rundown unregister unload
verdict "no thread is inside the peer: unloading does not wait"
unload actor
unload module_a
unload pause_calls
ktap_finished
