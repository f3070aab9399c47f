#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Drivers in safe Rust try to cause undefined behaviour. Each attempt must work as documented, or be refused. When such
# a driver is unloaded, the owner keeps nothing of it.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# misuse NUMBER - fails if the library accepts what it must refuse. `control` in misbehaving/hostile/hostile_peer.rs
# lists the misuses
misuse()
{
	write_to /dev/hostile_peer "$1"
}

works_as_peer()
{
	for _ in 1 2; do
		reset_trace
		load "$1" && trace | grep -q "$1: d2d: .* step=op-return from=owner op=ping value=42" &&
			unload "$1" && trace | grep -q "step=rundown of=$1 " &&
			trace | grep -q "$1: d2d: .* step=unregister " || return
	done
}

fresh_hostile()
{
	unload_if_loaded hostile_peer
	reset_trace
	load hostile_peer
}

begin 14

load module_a
for name in rebinds_core rebinds_kernel; do
	fresh_trace
	works_as_peer "$name"
	verdict "$name works as a peer, although it redefines names that macros of the library use"
done

fresh_hostile && loaded hostile_peer
verdict "hostile_peer calls its module's init again inside init: EEXIST, and hostile_peer is loaded"

number=0
for what in "uses made-up handles and wrong names" "leaks requests, items and events" \
	"sends itself requests inside its routines" "calls the library under the library's locks" \
	"creates a module, a debugfs directory and a rundown, which only the library may create"; do
	number=$((number + 1))
	fresh_hostile
	misuse "$number"
	verdict "hostile_peer $what: the library refuses what it must refuse"
done

fresh_hostile
load pause_calls && load actor && act "register alice; lookup module_a; alloc r0 alice" &&
	act "send r0 module_a $CODE_ADD value=9; wait r0; expect r0 output=10" && unload actor && unload pause_calls
verdict "a driver in C is served while hostile_peer is loaded"

fresh_hostile
misuse 1 && misuse 2 && misuse 3 && misuse 4 && misuse 5 && unload hostile_peer && owner_is_idle
verdict "hostile_peer is unloaded: the owner has no context, event or request of it"

fresh_hostile
misuse 2 && misuse 6
verdict "hostile_peer leaks requests, items and events, and makes the library believe that the driver leaves: the driver can still use an event"

fresh_hostile
misuse 2 && misuse 6 && unload hostile_peer && owner_is_idle
verdict "hostile_peer is unloaded after it made the library believe that the driver leaves: the owner has no context, event or request of it"

fresh_hostile
misuse 7 && misuse 1 && unload hostile_peer && owner_is_idle && load hostile_peer &&
	unload hostile_peer && ! dmesg | grep -q 'hostile_peer has '
verdict "hostile_peer has jobs that start each other, and starts jobs while it is unloaded: the library stops the running jobs, and starts no others"

fresh_trace
unload_if_loaded hostile_peer && unload module_a
verdict "module_a can be unloaded"
ktap_finished
