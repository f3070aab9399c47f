# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# The functions that requests.sh, request_refusals.sh, forwarding.sh and peer_requests.sh share. In most cases alice
# sends r0 to bob. bob may forward r0 to carol, and carol to dave. act.sh documents the commands of these actors.
# shellcheck disable=SC2034,SC2154 # variables that the programs or act.sh use or set

REQUESTS=/sys/kernel/debug/d2d-module_a/state/requests
PEERS="module_b handle_peer c_peer"

background_sleeps()
{
	await grep -q '^State:.*D (disk sleep)' "/proc/$background/status"
}

has_exited()
{
	! kill -0 "$1" 2>/dev/null || grep -qs '^State:.*Z' "/proc/$1/status"
}

# exit_in_time PID... - waits for these processes; fails if one hangs or exits with an error
exit_in_time()
{
	for pid; do
		await has_exited "$pid" && wait "$pid" || return
	done
}

# resume_and_await PID... - resumes, and then does what exit_in_time does. With D2D_CASE, programs also call this
# function after a case that did not run and so has not set $sender. So they pass ${sender:+"$sender"}
resume_and_await()
{
	resume
	exit_in_time "$@"
}

# steps_are DRIVER:STEP... - succeeds if the trace has exactly these steps, in this order
steps_are()
{
	[ "$(trace | sed -nE 's/.*(^|[] ])([a-z_0-9]+): d2d: .* step=([a-z-]+).*/\2:\3/p' | xargs)" = "$*" ]
}

refusals_are_only()
{
	! trace | grep step=refuse | grep -qv "reason=$1 "
}

no_refusal()
{
	! trace | grep -q step=refuse
}

# may_pend COMMAND... - as act, but also succeeds if the receiver pends the request of the last command
may_pend()
{
	act "$@" || grep -q "^errno=$EINPROGRESS " "$NOTES"
}

# cancelled_called NAME TIMES - succeeds if the owner has called NAME's routine `cancelled` TIMES times, each time for
# the request that NAME has pended
cancelled_called()
{
	[ "$(trace | grep -c "$1: d2d: .* step=cancel what=pended")" = "$2" ] &&
		! trace | grep -q what=another
}

# got_back NAME STATUS TIMES - succeeds if NAME's routine `returned` was called TIMES times with this status
got_back()
{
	[ "$(trace | grep -c "$1: d2d: .* step=completion via=returned status=$2\$")" = "$3" ]
}

# took_step NAME STEP CONTEXT - succeeds if NAME has taken the step once in this execution context
took_step()
{
	[ "$(trace | grep -c "$1: d2d: .* in=$3 step=$2 ")" = 1 ]
}

each_peer()
{
	for peer in $PEERS; do
		"$@" "$peer" || return
	done
}

fresh_with_peers()
{
	each_peer load_unless_loaded
	fresh "$@"
}
