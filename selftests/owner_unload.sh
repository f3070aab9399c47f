#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# An owner is unloaded, or its loading fails, while its dispatch routine and one of its jobs wait for events without a
# time limit, and while it has pended a request. The owner is unloading_owner (peers/unloading_owner.rs). Its
# parameters:
# - hook: with hook=1, the owner ends the waits and the request in its hook Owner::leaving(). Otherwise the library must
#   end them.
# - job: with job=thread, a thread waits, otherwise a work item. With these values, the owner also starts jobs that do
#   not wait:
#     delayed      work that is due in an hour
#     bottom-half  work that starts itself again and again
#     timer        a timer that expires again and again in softirq
#     leaked       the three jobs above; the owner leaks them
# - fail: with fail=1 loading fails once the dispatch routine and the job have begun.
# - wait: with wait=1 loading waits until a signal interrupts the wait, and then fails.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

OWNER=unloading_owner
FILES=/sys/kernel/debug/d2d-$OWNER

both_wait()
{
	await waits_for unloading.served "$OWNER" && await waits_for unloading.job "$OWNER" &&
		[ "$(wc -l <"$FILES/state/requests")" = 2 ]
}

# line_of KEY=VALUE... - prints the number of the line of the trace that has these words, in this order
line_of()
{
	words=$(printf '%s .*' "$@")
	trace | grep -n "${words% .\*}" | cut -d: -f1
}

# in_order NUMBER... - succeeds if each number is greater than the one before. If line_of has found no line, its number
# is empty, and in_order fails
in_order()
{
	last=0
	for line; do
		[ "${line:-0}" -gt "$last" ] || return
		last=$line
	done
}

has_unloaded()
{
	! loaded "$OWNER" && [ ! -e "$FILES" ] &&
		in_order "$(line_of step=unregister)" "$(line_of step=free)" "$(line_of step=unload)"
}

# library_ends STATUS - succeeds if both waits ended with STATUS (a regular expression): the dispatch routine's before
# the owner unregistered, and the job's before the contexts were freed
library_ends()
{
	in_order "$(line_of step=event-wait by=dispatch "status=$1\$")" "$(line_of step=unregister)" &&
		in_order "$(line_of step=event-wait by=job "status=$1\$")" "$(line_of step=free)"
}

# library_stops JOB REGEX - succeeds if JOB (delayed, bottom-half or timer) has run as often as REGEX says, and the
# library dropped its function before the owner freed the contexts. A job that ran later would execute freed code
library_stops()
{
	in_order "$(line_of step=completion "via=$1" "n=$2\$")" "$(line_of step=free)"
}

# hook_ends - succeeds if both waits and both requests ended in the owner's hook. The hook traces the requests' outputs:
# 0 from the dispatch routine, and 7 (PENDED in peers/unloading_owner.rs) from the hook itself
hook_ends()
{
	in_order "$(line_of step=completion via=hook serving=0 pending=7)" "$(line_of step=unregister)" &&
		[ -n "$(line_of step=event-wait by=dispatch status=0)" ] &&
		[ -n "$(line_of step=event-wait by=job status=0)" ] && ! trace | grep -q step=refuse
}

begin 11
fresh_trace
load "$OWNER" && both_wait && unload "$OWNER" && library_ends "-$ECANCELED" && has_unloaded && ! trace | grep -q step=refuse
verdict "the owner is unloaded: the library ends its waits"

fresh_trace
load "$OWNER" job=thread && both_wait && unload "$OWNER" && library_ends "-$ECANCELED" && has_unloaded && ! trace | grep -q step=refuse
verdict "the owner is unloaded while its thread waits: the library ends its waits"

fresh_trace
load "$OWNER" job=delayed && both_wait && unload "$OWNER" && library_stops delayed 0 && has_unloaded
verdict "the owner is unloaded: its delayed work, which is due in an hour, never runs"

fresh_trace
load "$OWNER" job=bottom-half && both_wait && unload "$OWNER" && library_stops bottom-half "[1-9][0-9]*" && has_unloaded
verdict "the owner is unloaded while its bottom-half work starts itself again and again: the library stops it"

fresh_trace
load "$OWNER" job=timer && both_wait && unload "$OWNER" && library_stops timer "[1-9][0-9]*" && has_unloaded
verdict "the owner is unloaded while its timer expires again and again in softirq: the library stops it"

name="the owner, which has leaked its jobs, is unloaded: the library stops them"
if ! skips_leak "$name" "the owner never drops them"; then
	fresh_trace
	load "$OWNER" job=leaked && both_wait && unload "$OWNER" && library_stops delayed 0 && library_stops bottom-half "[1-9][0-9]*" &&
		library_stops timer "[1-9][0-9]*" && has_unloaded
	verdict "$name"
fi

fresh_trace
load "$OWNER" hook=1 && both_wait && unload "$OWNER" && hook_ends && has_unloaded
verdict "the owner is unloaded: its hook is called while its link and handles still work"

# If loading fails before one of the waits begins, this wait finds its event closed, and fails with another errno than
# ECANCELED. So accept any errno.
fresh_trace
fails EIO load "$OWNER" fail=1 && library_ends "-[0-9]*" && has_unloaded
verdict "the owner's loading fails: the library ends its waits"

fresh_trace
fails EIO load "$OWNER" fail=1 hook=1 && hook_ends && has_unloaded
verdict "the owner's loading fails: its hook is called"

fresh_trace
load "$OWNER" && both_wait && unload "$OWNER" && has_unloaded
verdict "the owner can be loaded and unloaded again"

# If the initialization of a module fails, the kernel frees the module even while one of its files is open. So no
# process may open an event's file before the end of the initialization.
fresh_trace
find_module "$OWNER"
./one_call load "$path" wait=1 2>/dev/null &
loader=$!
await [ -e "$FILES/events/unloading.event" ]
(exec 3<"$FILES/events/unloading.event") 2>/dev/null && opened=yes || opened=no
kill -TERM "$loader"
! wait "$loader" && [ "$opened" = no ] && await traced reason=module-is-loading && has_unloaded
verdict "module-is-loading: an event's file cannot be opened before the owner's initialization is over"
ktap_finished
