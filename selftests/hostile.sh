#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Drivers in safe Rust that do what they should not. Nothing worse than a refusal comes of it, and
# nothing of them is left behind when they are unloaded.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# A code of the pair
ADD=0x222004
STATE=/sys/kernel/debug/d2d-module_a/state

# does NUMBER - whether hostile_peer does this, see its source, and finds what it should
does()
{
	./kmod write /sys/kernel/debug/d2d-hostile_peer/exercise "$1" 2>"$NOTES"
}

# whole NAME - whether a driver comes, is called, and goes, twice
whole()
{
	for _ in 1 2; do
		mark
		load "$1" && trace | grep -q "$1: d2d: .* step=op-return from=owner op=ping value=42" &&
			unload "$1" && trace | grep -q "step=rundown of=$1 " &&
			trace | grep -q "$1: d2d: .* step=unregister " || return
	done
}

# nothing_left NAME - whether the owner knows of nothing that belongs to a driver
nothing_left()
{
	! cat "$STATE/contexts" "$STATE/events" "$STATE/requests" | grep "$1" >"$NOTES"
}

start 13

load module_a
for name in rebinds_core rebinds_kernel; do
	whole "$name"
	verdict "$name is an ordinary peer"
done

mark
load hostile_peer && loaded hostile_peer
verdict "a driver initializes itself again while it is initialized"

number=0
for what in "makes numbers up" "forgets what it should drop" "calls itself" "nests what has locks" \
	"makes what the library makes"; do
	number=$((number + 1))
	does "$number"
	verdict "it $what"
done

load hold_calls && load actor && act "register alice; lookup module_a; alloc r0 alice" &&
	act "send r0 module_a $ADD value=9; wait r0; expect r0 output=10" && unload actor && unload hold_calls
verdict "a driver in C is served all the same"

unload hostile_peer && nothing_left hostile_peer
verdict "nothing of it is left"

load hostile_peer && does 2 && does 6
verdict "it says that it has left, and goes on"

unload hostile_peer && nothing_left hostile_peer
verdict "nothing of it is left again"

unload module_a
verdict "module_a is unloaded"
ktap_finished
