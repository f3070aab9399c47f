#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Loads and unloads a pair of modules from outside of this tree. Meanwhile two processes for each use (pair_lib.sh) make
# the modules work as often as they can.
# Usage: pair_torture.sh SECONDS
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh
# shellcheck source=selftests/pair_lib.sh
. ./pair_lib.sh

work=$(mktemp -d)
trap 'touch "$work/end"; wait; rm -rf "$NOTES" "$work"' EXIT

use_repeatedly()
{
	successes=$work/use.$1
	shift
	while [ ! -e "$work/end" ]; do
		! ./one_call "$@" 2>/dev/null || echo >>"$successes"
	done
}

begin_use()
{
	number=$1
	shift 2
	use_repeatedly "$number" "$@" &
	use_repeatedly "$number" "$@" &
}

report_use()
{
	echo "# $(wc -l <"$work/use.$1") times"
	[ -s "$work/use.$1" ]
	verdict "$2 has succeeded"
}

# unload_in_use NAME - unloads the module as soon as no process has a file of it open
unload_in_use()
{
	await unload "$1"
}

reload_for()
{
	end=$(($(date +%s) + $1))
	rounds=0
	# shellcheck disable=SC2086 # words
	set -- $modules
	owner=$1
	shift
	while [ "$(date +%s)" -lt "$end" ]; do
		load "$owner" || return
		for times in 1 2 3; do
			for peer; do
				load "$peer" || return
			done
			# Unload the peers at different moments of their uses.
			sleep 0.0$((rounds * 7 % 10))
			# shellcheck disable=SC2046 # words
			for peer in $(backwards "$@"); do
				unload_in_use "$peer" || return
			done
		done
		unload_in_use "$owner" || return
		rounds=$((rounds + times))
	done
	echo "# the peers were loaded $rounds times"
	[ "$rounds" -gt 0 ]
}

set_up
ktap_set_plan $((1 + number_of_uses))
reset_trace
each_use begin_use
reload_for "${1:-10}"
verdict "the modules are loaded and unloaded while they are used"
touch "$work/end"
wait
each_use report_use
unload_pair
ktap_finished
