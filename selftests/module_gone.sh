#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A module goes away and leaves registered drivers behind (forgetful.c): the owner removes
# them before the module's text is freed, others go on, and all of it can be loaded again.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# The code of a request that held_peer completes
ADD=0x222004
DEBUG=/sys/kernel/debug/d2d-module_a
trap 'rm -f "$NOTES"; ! loaded hold_calls || hold none' EXIT

# What forgetful leaves behind
left_behind()
{
	echo registered context handshake sent held event
}

# go LEAVES AT - the module comes and goes
go()
{
	if [ "$2" = init ]; then
		fails ENOTRECOVERABLE load forgetful "leaves=$1" at=init && ! loaded forgetful
	else
		load forgetful "leaves=$1" at=exit && unload forgetful
	fi
}

# names REASON - the drivers that were refused for it, in order
names()
{
	trace | sed -n "s/.*step=refuse reason=$1 errno=-[0-9]* name=//p" | sort | xargs
}

# expelled - whether both drivers of forgetful were removed and none of its routines was called
expelled()
{
	[ "$(names module-gone)" = "forgetful forgetful_too" ] && [ "$(trace | grep -c 'step=unregister name=forgetful')" = 2 ] &&
		! dmesg | grep "of a module that is gone"
}

# nothing_left - whether the owner has no request, no event of forgetful, and a free context
nothing_left()
{
	! grep -q . "$DEBUG/state/requests" && [ ! -e "$DEBUG/events/forgotten" ] && grep -q 'state=free' "$DEBUG/state/contexts"
}

# another_works - whether a driver that does nothing wrong can come, call, and go
another_works()
{
	load module_b && echo 1 >/sys/kernel/debug/d2d-module_b/exercise && echo 1 >"$DEBUG/exercise" && unload module_b
}

# comes_back - whether forgetful can be loaded again, and nothing is refused if it forgets nothing
comes_back()
{
	mark
	load forgetful at=exit && unload forgetful && ! trace | grep step=refuse
}

unloading()
{
	grep -q "^$1 .* Unloading " /proc/modules
}

start 28
load hold_calls
load stranger
load module_a timeout=100
for at in init exit; do
	for leaves in $(left_behind); do
		mark
		go "$leaves" "$at" && expelled && nothing_left && another_works && comes_back
		verdict "$at leaves behind what is $leaves"
	done
done

# With completion=1 the handshake goes on while it is pending.
unload module_a
load module_a completion=1
for at in init exit; do
	mark
	go handshake "$at" && expelled && nothing_left && another_works && comes_back
	verdict "$at leaves behind a handshake that goes on"
done

mark
fails EINPROGRESS load bad_peer sin=never-completed && [ -z "$(names module-gone)" ] && nothing_left && another_works
verdict "bad_peer takes back a handshake that goes on"
unload module_a
load module_a timeout=100

mark
go registered exit && [ "$(names module-is-going)" = forgetful_anew ]
verdict "a module that goes away registers no driver"

# A request of another driver's, which waits for it
load actor
mark
load forgetful leaves=registered at=exit && act "register x; alloc r1 x; lookup forgetful"
fails EINPROGRESS act "send r1 forgetful"
act "wait r1" &
waiter=$!
unload forgetful && wait "$waiter" && expelled && act "expect r1 status=-$ECANCELED" && nothing_left && another_works
verdict "the sender of a request that it has gets it back"

# A call that is inside. Others come and go meanwhile.
mark
load forgetful leaves=registered at=exit && act "lookup forgetful" && hold task
act "send r1 forgetful" &
sender=$!
await one_inside
unload forgetful &
remover=$!
await unloading forgetful && await traced reason=module-gone
fails ESHUTDOWN act "register y; alloc r2 y; send r2 forgetful"
load bad_peer sin=none && unload bad_peer && unloading forgetful
verdict "others come and go while somebody is inside its driver"
hold none
wait "$remover"
gone=$?
wait "$sender"
[ "$gone" = 0 ] && expelled && act "wait r1; expect r1 status=-$ECANCELED" && another_works
verdict "who is inside comes out before the module goes"
unload actor

# The same of a driver in Rust, that another module is unregistering already.
load actor
load held_peer
act "register x; alloc r1 x; lookup held_peer; forge-handle held_peer; detach held_peer" && hold task
mark
act "send r1 held_peer $ADD" &
sender=$!
await one_inside
act "unregister held_peer" &
thief=$!
await fails ESHUTDOWN act "alloc r2 held_peer"
unload held_peer &
remover=$!
await unloading held_peer
hold none
wait "$sender"
wait "$thief" && wait "$remover" && ! loaded held_peer && another_works
verdict "a driver in Rust that somebody else unregisters stays until that is done"
unload actor

# A module that does not import the owner's symbols
mark
load forgetful leaves=stranger && unload forgetful && [ -e "$DEBUG/events/strange" ] && ! trace | grep step=refuse
verdict "a driver that another module has registered stays when that one goes"

mark
unload stranger && [ "$(names module-gone)" = stranger ] && [ ! -e "$DEBUG/events/strange" ] && another_works
verdict "it goes with the module that its routines are in"

# The context that stays is a leak to a kernel that looks for leaks.
kinds=stranger
[ -e /sys/kernel/debug/kmemleak ] || kinds="stranger stranger-attached"
for kind in stranger stranger-attached; do
	case " $kinds " in
	*" $kind "*) ;;
	*)
		ktap_test_skip "the owner's emergency exit with a driver that is $kind"
		continue
		;;
	esac
	load stranger
	mark
	load forgetful "leaves=$kind" && unload forgetful && unload module_a && [ "$(names drivers-left)" = stranger ] &&
		[ ! -e "$DEBUG" ] && [ ! -e /sys/kernel/tracing/events/d2d ] && unload stranger &&
		load module_a timeout=100 && [ -e "$DEBUG/state/contexts" ] && nothing_left && another_works && load stranger &&
		comes_back
	verdict "the owner's emergency exit with a driver that is $kind"
	unload stranger
done
unload module_a

# An event that another module's thread waits for
load torture_owner
load torture_peer0
load stranger
PEER=/sys/kernel/debug/d2d-torture_peer0/torture
EVENT=/sys/kernel/debug/d2d-torture_owner/events/forgotten
./eventctl write "$PEER" "event create 0 forgotten 0 0" 2>"$NOTES"
./eventctl write "$PEER" "event wait any 0 - 0 0" &
waiter=$!
waits()
{
	# Reading on would wait for the next set.
	read -r line <"$EVENT" && [ "${line#*waiters=1}" != "$line" ]
}
await waits
for at in init exit; do
	mark
	go event "$at" && expelled && waits
	verdict "$at leaves an event open that another module waits for: it still waits"
done
./eventctl write "$PEER" "event set 0 0 0" && wait "$waiter" 2>"$NOTES"
verdict "and gets it when it is set"
./eventctl write "$PEER" "event close 0" 2>"$NOTES"
[ ! -e "$EVENT" ]
verdict "the last one that has it open takes it along"
unload_all
ktap_finished
