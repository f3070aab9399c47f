#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Two owners are loaded, each with its peer: module_a with module_b, and other_a with other_b. The second pair is
# built from the sources of the first (peers/peers.mk). The pairs share no symbol, driver, event, file or device. The
# last cases load an owner that has the name of a loaded one.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

DEBUG=/sys/kernel/debug

fresh_pairs()
{
	unload_all
	reset_trace
	load module_a && load other_a && load module_b && load other_b
}

fresh_owner()
{
	unload_all
	reset_trace
	load "$1"
}

has_only()
{
	cat "$DEBUG/d2d-$1_a/state"/* "$DEBUG/d2d-$1_a/state.json" >"$NOTES" || return
	grep -q "\<$1_a\>" "$NOTES" && grep -q "\<$1_b\>" "$NOTES" &&
		! grep -oE '\<(module|other)_[ab]\>' "$NOTES" | grep -qv "^$1_"
}

# steps DRIVER - prints the driver's steps, sorted because two threads may trace in any order
steps()
{
	trace | sed -nE "s/^.*\<$1: d2d: .* step=/step=/p" |
		sed -E 's/\<(module|other)_([ab])\>/\2/g; s/handle=0x[0-9a-f]+/handle=N/g' | sort
}

attached()
{
	trace | grep -q "$1_a: d2d: .* step=attached"
}

# only_exports TABLE MODULE - succeeds if only MODULE exports TABLE. Always succeeds on a kernel without
# CONFIG_KALLSYMS_ALL, because such a kernel does not list symbols of data
only_exports()
{
	by=$(awk -v table="$1" '$3 == table { print $4 }' /proc/kallsyms)
	[ "${by:-[$2]}" = "[$2]" ]
}

same_steps()
{
	reset_trace
	exercise module_b && exercise module_a && exercise other_b && exercise other_a || return
	for driver in a b; do
		steps module_$driver >"$NOTES"
		[ "$(wc -l <"$NOTES")" -gt 20 ] || return
		steps other_$driver >"$NOTES.other"
		diff "$NOTES" "$NOTES.other" >"$NOTES.diff"
		same=$?
		mv "$NOTES.diff" "$NOTES"
		rm "$NOTES.other"
		[ "$same" = 0 ] || return
	done
}

begin 12

fresh_pairs && attached module && attached other && ! traced step=refuse
verdict "two owners are loaded, each with its peer: both peers are attached"

fresh_pairs && same_steps && ! traced step=refuse
verdict "both pairs use their items, calls, requests and events: they take the same steps"

fresh_pairs
exercise module_b 20 &
first=$!
exercise other_b 20 &
all_succeed "$first" "$!" && exercise module_a && exercise other_a && ! traced step=refuse && has_only module && has_only other
verdict "both pairs are exercised at the same time: no owner shows a driver or an event of the other pair"

fresh_pairs
only_exports module_a_d2d module_a && only_exports other_a_d2d other_a &&
	[ "$(ls /sys/module/module_a/holders)" = module_b ] && [ "$(ls /sys/module/other_a/holders)" = other_b ]
verdict "each owner exports a table under its own name, and only its own peer uses the owner's module"

fresh_pairs
exercise module_b 20 &
busy=$!
fails EAGAIN unload other_a && unload other_b && unload other_a && load other_a && load other_b &&
	unload other_b && unload other_a && [ ! -e "$DEBUG/d2d-other_a" ] && [ ! -e /dev/other_a ] && [ ! -e /dev/other_b ] &&
	wait "$busy" && exercise module_a && ! traced step=refuse
verdict "one pair is unloaded and loaded while the other pair is exercised: nothing is refused"

fresh_pairs
exercise other_b 20 &
busy=$!
fails EAGAIN unload module_a && unload module_b && unload module_a && wait "$busy" && exercise other_a &&
	[ ! -e "$DEBUG/d2d-module_a" ] && ! traced step=refuse
verdict "the pair that was loaded first is unloaded while the other pair is exercised: nothing is refused"

fresh_pairs
unload other_b && unload other_a && fails ENOENT load other_b
verdict "a peer is loaded while only the owner of another pair is loaded: ENOENT"

fresh_pairs
load torture_owner && load pause_calls && load stranger && load forgetful at=exit &&
	load forgetful_torture at=exit && ! traced step=refuse && unload forgetful && unload forgetful_torture && unload torture_owner
verdict "drivers of the same names register with two owners: neither owner refuses them"

# Each line is FIRST SECOND TABLE PEER CASE. Both owners export TABLE, and PEER can attach to each of them
while read -r first second table peer case; do
	fresh_owner "$first"
	fails ENOEXEC load "$second" && ! loaded "$second" &&
		log_lines "$second: exports duplicate symbol $table .owned by $first.$" | grep -q . && ! traced step=refuse &&
		load "$peer" && unload "$peer" && unload "$first" && load "$second" && load "$peer" && unload "$peer"
	verdict "an owner is loaded that has the name of a loaded owner ($case): ENOEXEC, and the loaded owner goes on working"
done <<EOT
module_a           c_owner               module_a_d2d  module_b      the loaded one is in Rust, the other one in C
c_owner            module_a              module_a_d2d  module_b      the loaded one is in C, the other one in Rust
growing            growing_owner_v1_2    growing_d2d   growing_v1_0  both are in Rust
growing_owner_c    growing_owner_c_v1_1  growing_d2d   growing_c     both are in C
EOT
unload_all
ktap_finished
