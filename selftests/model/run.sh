#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Explores the models of the detach protocol completely with spin, then each of them
# with one thing wrong, which has to be found. KTAP on stdout, the counts last.
# Needs spin and a C compiler; 600 MB of memory for each of two at a time.
set -euo pipefail

cd "$(dirname "$0")"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# EXPECTED MODEL SEARCH DEFINES : WHAT
# EXPECTED is holds or fails, SEARCH is states (assertions, and ends with something
# undone: a deadlock) or cycles (whatever could repeat for ever).
# The mutants have the twin in the code that their names stand for.
cases='
holds rundown states - : calls, recursion and an interrupt against close
holds rundown cycles - : closing ends
holds detach states - : library drivers, completion by return or waiting
holds detach states ROUTINE : library drivers, completion routine
holds detach states C_PEER : a C driver and the next, completion by return or waiting
holds detach states C_PEER,ROUTINE : a C driver and the next, completion routine
holds detach states C_PEER,ALONE : a C driver that comes back, by return or waiting
holds detach states C_PEER,ROUTINE,ALONE : a C driver that comes back, completion routine
holds detach cycles ALONE : a library driver comes to an end, by return or waiting
holds detach cycles ROUTINE,ALONE : a library driver comes to an end, completion routine
holds detach cycles C_PEER,ALONE : a C driver comes to an end, by return or waiting
holds detach cycles C_PEER,ROUTINE,ALONE : a C driver comes to an end, completion routine
fails rundown states NO_RUNDOWN_WAIT : Rundown::close() without synchronize()
fails rundown states CHECK_BEFORE_ENTER : Rundown::enter() loads the state before read_lock()
fails rundown states STATE_AFTER_WAIT : Rundown::close() moves to CLOSING after synchronize()
fails rundown states FREE_BEFORE_WAIT : Rundown::close() takes the value before synchronize()
fails rundown states OPEN_BEFORE_VALUE : Rundown::open() stores OPEN before the value
fails rundown states WAIT_IN_ENTER : Rundown::enter() waits for CLOSED instead of refusing
fails detach states KEEP_ON_ABORT : Server::abort() leaves the driver attaching
fails detach states C_PEER,DOUBLE_CLAIM : Requests::claim() takes what is claimed
fails detach states C_PEER,NO_CANCEL_ON_DETACH : Server::detach() without cancel()
fails detach states C_PEER,ROUTINE,NO_SENDER_WAIT : Server::detach() without wait_for_sender()
fails detach states C_PEER,ABORT_TWICE : Server::detach() aborts what the sender has aborted
fails detach states C_PEER,ROUTINE,ABORT_TWICE : Server::detach() aborts what the routine has aborted
fails detach states C_PEER,NO_WAIT_WHEN_ATTACHED : Server::detach() tells before attached() is over
fails detach states C_PEER,ROUTINE,NO_WAIT_WHEN_ATTACHED : Server::detach() with the sender in dispatch()
fails detach states C_PEER,NO_UNREGISTER_CHECK : Registry::remove() in whatever state
fails detach states C_PEER,ROUTINE,NO_WAIT_WHEN_UNREGISTERED : Server::unregister() with the sender in dispatch()
fails detach states ROUTINE,FLUSH_ONLY : Registration::drop() detaches before stop_work()
'

# search EXPECTED MODEL SEARCH DEFINES - in a directory of its own; pan says what it found
search() {
	local model=$OLDPWD/$2.pml defines=() compile=(-O2 -DSAFETY) run=()
	[ "$3" = states ] || { compile=(-O2 -DNP) run=(-l); }
	[ "$4" = - ] || IFS=, read -ra defines <<<"$4"
	# A mistake is found sooner than code is optimized.
	[ "$1" = holds ] || compile+=(-O0)
	# Partial order reduction does not know of processes that others hold back.
	! grep -q provided "$model" || compile+=(-DNOREDUCE)
	# No more memory than that: an exploration that is cut off says so.
	spin -a "${defines[@]/#/-D}" "$model" &&
		cc -w -DMEMLIM=2000 "${compile[@]}" -o pan pan.c &&
		./pan -m100000 -w22 "${run[@]}"
}

# judge EXPECTED LOG - whether it is what was expected, in words for the result's line
judge() {
	local states
	if [ "$1" = fails ]; then
		sed -nE 's/^pan:1: (assertion violated|invalid end state|non-progress cycle)(.*) \(at depth.*/\1\2/p' "$2" | grep .
	elif grep -q 'errors: 0$' "$2" &&
		! grep -qE '^pan:1:|not completed|max search depth too small|out of memory|memory limit|truncated' "$2"; then
		states=$(sed -nE 's/^ *([0-9]+) states, stored.*/\1/p' "$2")
		echo "$states states" | grep '^[1-9]'
	else
		return 1
	fi
}

mapfile -t cases < <(sed '/^$/d' <<<"$cases")
declare -A numbers=()
passed=0 failed=0

# Waits for one of the searches that are under way, and reports it
report() {
	local pid what found number
	wait -n -p pid || :
	number=${numbers[$pid]}
	unset "numbers[$pid]"
	read -r expected model search defines _ what <<<"${cases[number]}"
	what="$model.pml $search $defines: $what"
	if found=$(judge "$expected" "$dir/$number/log"); then
		passed=$((passed + 1))
		echo "ok $((passed + failed)) $what: $found"
	else
		failed=$((failed + 1))
		grep -vE 'unreached|^$' "$dir/$number/log" | sed 's/^/# /'
		echo "not ok $((passed + failed)) $what, which should be one that $expected"
	fi
	rm -rf "${dir:?}/$number"
}

echo "KTAP version 1"
echo "1..${#cases[@]}"
for number in "${!cases[@]}"; do
	[ "${#numbers[@]}" -lt 2 ] || report
	read -r expected model search defines _ <<<"${cases[number]}"
	mkdir "$dir/$number"
	(cd "$dir/$number" && search "$expected" "$model" "$search" "$defines") >"$dir/$number/log" 2>&1 &
	numbers[$!]=$number
done
while [ "${#numbers[@]}" -gt 0 ]; do
	report
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
