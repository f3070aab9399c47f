#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A peer's module is removed while a call of the owner's is inside it, or while its
# handshake is. The call is held there by the module hold_calls until the removal was seen
# to wait for it, so that the window is there each time; no test here depends on
# how long anything takes.

# A call held in an interrupt takes its CPU. The tests keep off it: not even their memory
# was ever mapped there, so that nobody waits for that CPU but who has to.
if [ -z "${D2D_PINNED-}" ] && command -v taskset >/dev/null; then
	D2D_PINNED=1 exec taskset 1 "$0" "$@"
fi
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# The code of a request that the peer completes
ADD=0x222004
EXERCISE=/sys/kernel/debug/d2d-module_a/exercise
WORKERS=/sys/devices/virtual/workqueue/cpumask
EVENTS=/sys/kernel/tracing/events/workqueue
ALL_WORKERS=$(cat "$WORKERS")
# After how many seconds the kernel reports a CPU that takes no interrupts
WATCHDOGS=$(ls /proc/sys/kernel/watchdog_thresh /sys/module/rcupdate/parameters/rcu_cpu_stall_timeout 2>/dev/null)
# shellcheck disable=SC2086 # a list
ALL_SECONDS=$(cat $WATCHDOGS </dev/null | xargs)
# shellcheck disable=SC2086 # a list
trap 'rm -f "$NOTES"; echo "$ALL_WORKERS" >"$WORKERS"; ! loaded hold_calls || hold none; watchdogs $ALL_SECONDS' EXIT

# watchdogs SECONDS... - sets them, in this order
watchdogs()
{
	for watchdog in $WATCHDOGS; do
		echo "$1" >"$watchdog"
		shift
	done
}

# waits_in PID FUNCTION - whether a process sleeps in this function of the kernel, or in what it calls
waits_in()
{
	grep -q '^State:.*D (disk sleep)' "/proc/$1/status" && grep -q "] $2+" "/proc/$1/stack"
}

# steps_are STEP... - whether the handshake's and the removal's steps so far are these
steps_are()
{
	[ "$(trace | sed -nE 's/.* step=(pend|cancel|attached|detach|rundown|unregister|unload|refuse).*/\1/p' | xargs)" = "$*" ]
}

# op_calls - the owner's calls into the peer
op_calls()
{
	trace | grep -c 'module_a: d2d: .* step=op-call to=peer'
}

# new_request_refused - whether nobody can send the peer a request now
new_request_refused()
{
	fails ESHUTDOWN act "send r1 held_peer" && trace | grep -q "step=refuse reason=target-is-leaving"
}

# new_call_refused - whether the owner leaves the peer out now, at once
new_call_refused()
{
	before=$(op_calls)
	echo 1 >"$EXERCISE" && [ "$(op_calls)" = "$before" ]
}

# remove_from_under FUNCTION STEP... - begins to remove the peer, and whether that was seen
# to wait in the kernel's function, after these steps
remove_from_under()
{
	./kmod unload held_peer 2>"$NOTES" &
	remover=$!
	await waits_in "$remover" "$1" || return
	shift
	grep -q '^held_peer .* Unloading ' /proc/modules && steps_are "$@"
}

# gone - whether the removal was successful, now that it is free to go on
gone()
{
	wait "$remover" && ! loaded held_peer
}

# watch 1|0 - begins or ends to record what settled() reads
watch()
{
	echo "$1" >"$EVENTS/workqueue_queue_work/enable"
	echo "$1" >"$EVENTS/workqueue_execute_end/enable"
	echo >/sys/kernel/tracing/trace
}

# settled - whether the kernel is done with what it does after a module was loaded: to free
# the memory of its initialization, all CPUs wait for one another
settled()
{
	awk '/(do_free_init|execmem_cache_clean)/ {
			queued += /workqueue_queue_work: /
			ended += /workqueue_execute_end: /
			freed += /workqueue_execute_end: .*do_free_init/
		}
		END { exit !(freed && queued == ended) }' /sys/kernel/tracing/trace
}

# load_settled NAME - leaves nothing behind that would have to wait for a CPU which is held
load_settled()
{
	watch 1
	load "$1" && await settled
	loading=$?
	watch 0
	return "$loading"
}

# verdict_and_clean NAME - as verdict; what failed does not spoil what follows
verdict_and_clean()
{
	verdict "$1"
	! loaded held_peer || unload held_peer
}

# held_in PLACE CPUS - the whole story of a call that the owner makes there
held_in()
{
	load_settled held_peer || return
	mark
	hold "$1"
	taskset "$2" sh -c "echo 1 >$EXERCISE" &
	caller=$!
	await one_inside &&
		remove_from_under d2d_readers_wait detach &&
		new_call_refused && await waits_in "$remover" d2d_readers_wait && steps_are detach && one_inside
	seen=$?
	hold none
	wait "$caller" && gone && [ "$seen" = 0 ] && steps_are detach rundown unregister unload &&
		trace | grep -q "held_peer: d2d: .* in=$1 step=op-return from=owner op=bounce errno=-$ESHUTDOWN"
}

# request_held - as held_in, of a request that a process sends and that is dispatched inline. It is
# taken from the peer when it detaches, and the peer is told when it completes it.
request_held()
{
	load_settled held_peer && act "lookup held_peer" || return
	mark
	hold task
	./kmod write "$ACTOR" "send r0 held_peer $ADD atomic; wait r0; expect r0 status=-$ECANCELED" &
	caller=$!
	await one_inside &&
		remove_from_under d2d_unregister detach rundown &&
		new_request_refused && await waits_in "$remover" d2d_unregister &&
		steps_are detach rundown refuse && one_inside
	seen=$?
	hold none
	wait "$caller" && gone && [ "$seen" = 0 ] && steps_are detach rundown refuse unregister unload
}

# request_held_in PLACE CPUS - the same of a request that is sent in an interrupt. Detaching waits then
# already: its grace period waits until each CPU was outside its interrupts.
request_held_in()
{
	load_settled held_peer && act "lookup held_peer" || return
	mark
	hold "$1"
	taskset "$2" ./kmod write "$ACTOR" "in $1 send r0 held_peer $ADD atomic; wait r0; expect r0 status=-$ECANCELED" &
	caller=$!
	await one_inside &&
		remove_from_under d2d_readers_wait detach &&
		new_call_refused && await waits_in "$remover" d2d_readers_wait && steps_are detach && one_inside
	seen=$?
	hold none
	wait "$caller" && gone && [ "$seen" = 0 ] && steps_are detach rundown unregister unload
}

if [ ! -d "$EVENTS" ]; then
	ktap_print_header
	ktap_skip_all "needs tracefs, with the events of work queues"
	exit 4
fi
start 8
load hold_calls
watchdogs 60 60
[ ! -f "$WORKERS" ] || echo 1 >"$WORKERS"
# The time for a handshake is longer than hold_calls holds it.
load module_a completion=1 timeout=600000
load actor
act "register alice; alloc r0 alice; alloc r1 alice"

held_in task 3
verdict_and_clean "a call in a process is waited for, and new ones are refused"

for place in softirq hardirq; do
	if [ "$(nproc --all)" -lt 2 ]; then
		ktap_test_skip "a call in $place: needs a second CPU"
		continue
	fi
	held_in "$place" 2
	verdict_and_clean "a call in $place is waited for, and new ones are refused"
done

for place in task softirq hardirq; do
	if [ -e /sys/kernel/debug/kmemleak ] || [ "$(nproc --all)" -lt 2 ]; then
		# Beside other work a debugging kernel takes longer than hold_calls holds anybody.
		ktap_test_skip "a request in $place: needs a second CPU, and a kernel without debugging"
		continue
	fi
	if [ "$place" = task ]; then
		request_held
	else
		request_held_in "$place" 2
	fi
	verdict_and_clean "a request in $place is waited for, and what is new is refused"
done

hold handshake
mark
load held_peer deferred=1 && await one_inside && remove_from_under __flush_work pend && one_inside
seen=$?
hold none
gone && [ "$seen" = 0 ] && steps_are pend attached detach rundown unregister unload
verdict_and_clean "a handshake that was left pending is waited for"

mark
load held_peer && unload held_peer && steps_are attached detach rundown unregister unload
verdict "without a call inside there is nothing to wait for"
unload actor
unload module_a
unload hold_calls
ktap_finished
