#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Drivers in safe Rust that try to cause undefined behaviour. The library may refuse what they do,
# but nothing else may happen, and the owner has nothing of them once they are unloaded.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# does NUMBER - runs this misuse of hostile_peer (hostile_peer.rs, `control`); fails if the library
# accepts what it should refuse
does()
{
	./kmod write /sys/kernel/debug/d2d-hostile_peer/exercise "$1" 2>"$NOTES"
}

# whole NAME - whether a driver can be loaded, calls the owner, and detaches and unregisters when it
# is unloaded; tried twice
whole()
{
	for _ in 1 2; do
		start_trace
		load "$1" && trace | grep -q "$1: d2d: .* step=op-return from=owner op=ping value=42" &&
			unload "$1" && trace | grep -q "step=rundown of=$1 " &&
			trace | grep -q "$1: d2d: .* step=unregister " || return
	done
}

start 13

load module_a
for name in rebinds_core rebinds_kernel; do
	fresh_trace
	whole "$name"
	verdict "$name is an ordinary peer, though it redefines names that macros of the library use"
done

start_trace
load hostile_peer && loaded hostile_peer
verdict "a driver initializes itself again inside its initialization: it is loaded all the same"

number=0
for what in "makes numbers up" "forgets what it should drop" "calls itself" "nests what has locks" \
	"makes what the library makes"; do
	number=$((number + 1))
	does "$number"
	verdict "hostile_peer $what: nothing happens"
done

load pause_calls && load actor && act "register alice; lookup module_a; alloc r0 alice" &&
	act "send r0 module_a $ADD value=9; wait r0; expect r0 output=10" && unload actor && unload pause_calls
verdict "a driver in C is served while hostile_peer is loaded"

unload hostile_peer && owner_is_idle
verdict "hostile_peer is unloaded: the owner has no context, event or request of it"

load hostile_peer && does 2 && does 6
verdict "hostile_peer forgets what it should drop, calls d2d_leave(), and goes on"

unload hostile_peer && owner_is_idle
verdict "hostile_peer is unloaded after that: the owner has no context, event or request of it"

unload module_a
verdict "module_a can be unloaded"
ktap_finished
