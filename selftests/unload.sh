#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A peer's module is unloaded while a thread is inside it: in an operation, in the dispatch routine, or in the work item
# of a pended handshake. pause_calls keeps the thread there until unloading has begun to wait for it. So the result does
# not depend on timing.

# A call that is paused in an interrupt occupies its CPU. So the test pauses such calls on CPU 1, and these run only on
# CPU 0:
# - The test itself, from its start. When a process unmaps memory, it waits until each CPU on which it has run answers
#   an interrupt. If the test had ever run on CPU 1, it would wait for the paused call, which waits for the test.
# - The workers of unbound work queues, and kthreadd, which creates such workers.
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
# Each of these files has a number of seconds. The kernel reports a CPU that takes no interrupts, or runs no workers,
# for so long.
WATCHDOGS=$(ls /proc/sys/kernel/watchdog_thresh /sys/module/rcupdate/parameters/rcu_cpu_stall_timeout \
	/sys/module/workqueue/parameters/watchdog_thresh 2>/dev/null)
# shellcheck disable=SC2086 # a list
OLD_WATCHDOG_SECONDS=$(cat $WATCHDOGS </dev/null | xargs)

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

set_watchdogs()
{
	for watchdog in $WATCHDOGS; do
		echo "$1" >"$watchdog"
		shift
	done
}

waits_in()
{
	grep -q '^State:.*D (disk sleep)' "/proc/$1/status" && grep -q "] $2+" "/proc/$1/stack"
}

unloading_steps_are()
{
	[ "$(trace | sed -nE 's/.* step=(pend|cancel|attached|detach|rundown|unregister|unload|refuse).*/\1/p' | xargs)" = "$*" ]
}

op_calls()
{
	trace | grep -c 'module_a: d2d: .* step=op-call to=peer'
}

new_request_fails()
{
	fails ESHUTDOWN act "send r1 paused_peer" && trace | grep -q "step=refuse reason=target-is-leaving"
}

new_exercise_makes_no_call()
{
	before=$(op_calls)
	exercise module_a && [ "$(op_calls)" = "$before" ]
}

# unloading_waits FUNCTION STEP... - begins to unload the peer, in the process $remover. Succeeds if $remover takes
# these steps, and then waits in FUNCTION
unloading_waits()
{
	./one_call unload paused_peer 2>"$NOTES" &
	remover=$!
	await waits_in "$remover" "$1" || return
	shift
	# The process may wait in FUNCTION in an earlier step, too.
	grep -q '^paused_peer .* Unloading ' /proc/modules && await unloading_steps_are "$@"
}

unloaded()
{
	wait "$remover" && ! loaded paused_peer
}

watch()
{
	for event in queue_work execute_start execute_end; do
		echo "$1" >"$EVENTS/workqueue_$event/enable"
	done
	echo >/sys/kernel/tracing/trace
}

# settled - succeeds if the kernel has freed the init memory of the module that was loaded last. The work item that
# frees it, do_free_init, waits for all CPUs, and would hang while a call is paused in an interrupt.
#
# do_free_init must have started and ended. The trace need not show that it was queued: an earlier load may have queued
# it. The work item execmem_cache_clean gives back the memory of freed code. If it was queued, it must have ended, too
settled()
{
	awk '{ work = /do_free_init/ ? "free" : /execmem_cache_clean/ ? "clean" : "other" }
		/workqueue_queue_work: / { state[work] = "queued" }
		/workqueue_execute_start: / { state[work] = "started" }
		/workqueue_execute_end: / && state[work] == "started" { state[work] = "ended" }
		END { exit !(state["free"] == "ended" && state["clean"] ~ /^(ended)?$/) }' /sys/kernel/tracing/trace
}

load_settled()
{
	watch 1
	load "$1" && await settled
	loading=$?
	watch 0
	return "$loading"
}

# verdict_and_clean NAME - as verdict; then unloads the peer if a failed case has left it loaded
verdict_and_clean()
{
	verdict "$1"
	! loaded paused_peer || unload paused_peer
}

# unload_during_call PLACE CPUS - unloads the peer while a call of the owner is inside it, in this execution context.
# The calling process runs on CPUS, a mask
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

# unload_during_request - unloads the peer while a sending process is inside its dispatch routine. Detaching cancels the
# request, and does not wait for the routine: the trace has step=rundown. Unregistering waits
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

# unload_during_request_in PLACE CPUS - as unload_during_request, but the process sends the request in an interrupt.
# Detaching waits, too: its grace period ends only after the interrupt
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
		# On a debugging kernel, a case can take longer than pause_calls pauses a call.
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
