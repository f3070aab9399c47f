#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The owner leaves while work of its own is under way: a request that is dispatched, one that
# is pended, and a work item; two of them wait for events without a limit
# (peers/leaving.rs). The waits end, whether or not the owner has a hook that
# ends them, and whether it is unloaded or its loading fails.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

OWNER=leaving_owner
FILES=/sys/kernel/debug/d2d-$OWNER

# waits_for EVENT - whether a thread waits for it
waits_for()
{
	grep -q ' waiters=1$' "$FILES/events/$1"
}

# under_way - whether all of that is under way, in time
under_way()
{
	await waits_for leaving.served && await waits_for leaving.item &&
		[ "$(wc -l <"$FILES/state/requests")" = 2 ]
}

# numbered KEY=VALUE... - the number of the line that has all of these words, in this order
numbered()
{
	words=$(printf '%s .*' "$@")
	trace | grep -n "${words% .\*}" | cut -d: -f1
}

# in_order NUMBER... - whether these are numbers of lines, each behind the one before
in_order()
{
	last=0
	for line; do
		[ "${line:-0}" -gt "$last" ] || return
		last=$line
	done
}

# left - whether nothing remains
left()
{
	! loaded "$OWNER" && [ ! -e "$FILES" ] &&
		in_order "$(numbered step=unregister)" "$(numbered step=free)" "$(numbered step=unload)"
}

# library_ends STATUS - whether both waits have ended with STATUS, before what they need was gone
library_ends()
{
	in_order "$(numbered step=event-wait by=dispatch "status=$1\$")" "$(numbered step=unregister)" &&
		in_order "$(numbered step=event-wait by=item "status=$1\$")" "$(numbered step=free)"
}

# hook_ends - whether the hook has ended both waits, and got the results, before the owner was
# unregistered
hook_ends()
{
	in_order "$(numbered step=completion via=hook serving=0 keeping=7)" "$(numbered step=unregister)" &&
		[ -n "$(numbered step=event-wait by=dispatch status=0)" ] &&
		[ -n "$(numbered step=event-wait by=item status=0)" ] && ! trace | grep -q step=refuse
}

start 6
mark
load "$OWNER" && under_way && unload "$OWNER" && library_ends "-$ECANCELED" && left && ! trace | grep -q step=refuse
verdict "the owner's waits end when it is unloaded"

mark
load "$OWNER" hook=1 && under_way && unload "$OWNER" && hook_ends && left
verdict "the hook is called while the link and all handles work"

# A thread that is just about to wait may find that its event is gone.
mark
fails EIO load "$OWNER" fail=1 && library_ends "-[0-9]*" && left
verdict "the owner's waits end when its loading fails"

mark
fails EIO load "$OWNER" fail=1 hook=1 && hook_ends && left
verdict "the hook is called when its loading fails"

mark
load "$OWNER" && under_way && unload "$OWNER" && left
verdict "it can be loaded and unloaded again"
# A file that is open would not keep a module whose loading fails.
mark
find_module "$OWNER"
./kmod load "$path" hold=1 2>/dev/null &
loader=$!
await [ -e "$FILES/events/leaving.held" ]
(exec 3<"$FILES/events/leaving.held") 2>/dev/null && opened=yes || opened=no
kill -TERM "$loader"
! wait "$loader" && [ "$opened" = no ] && await traced reason=module-is-loading && left
verdict "no file can be opened before it is loaded"
ktap_finished
