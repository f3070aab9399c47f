#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Explores the models of the detach protocol and of requests completely with spin, then each of them
# with one thing wrong, which has to be found. KTAP on stdout, the counts last.
# Needs spin and a C compiler; 700 MB of memory for each of two at a time, and a
# minute and a half of one CPU.
set -euo pipefail

cd "$(dirname "$0")"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# EXPECTED MODEL SEARCH CONFIGURATION MUTANT : WHAT
# EXPECTED is holds, or for a mutant twin (it has the name of a patch in ../mutants,
# which breaks the same in the code) or fails (it is one of the model only: WHAT says
# what it stands for). SEARCH is states (assertions, and ends with something undone: a
# deadlock) or cycles (whatever could repeat for ever).
# Searches for cycles cost most, so they are made without the other driver and with one
# thread of C: all loops of the code are there.
cases='
holds rundown states - - : calls, recursion and an interrupt against close
holds rundown cycles - - : closing ends
holds detach states - - : library drivers, completion by return or waiting
holds detach states ROUTINE - : library drivers, completion routine
holds detach states C_PEER - : a C driver and the next, completion by return or waiting
holds detach states C_PEER,ROUTINE - : a C driver and the next, completion routine
holds detach states C_PEER,ALONE - : a C driver with two threads, by return or waiting
holds detach states C_PEER,ROUTINE,ALONE - : a C driver with two threads, completion routine
holds detach cycles ALONE - : a library driver comes to an end, by return or waiting
holds detach cycles ROUTINE,ALONE - : a library driver comes to an end, completion routine
holds detach cycles C_PEER,ALONE,ONCE - : a C driver comes to an end, by return or waiting
holds detach cycles C_PEER,ROUTINE,ALONE,ONCE - : a C driver comes to an end, completion routine
holds requests states EARLY=5 - : a request with a time limit, sender and receiver leave
holds requests states EARLY=5,ROUTINE,CANCEL - : a request with a completion routine, cancelled from two threads
holds requests states EARLY=4,ROUTINE,SENDS=2 - : a request that is sent again from its completion routine
holds requests states EARLY=5,SHARED - : two threads wait for a request, or free it, sender and receiver leave
holds requests states EARLY=4,SHARED,SENDS=2 - : two threads wait for a request, or send it again
holds requests states EARLY=0,FORWARD - : a request that is passed on, with a time limit
holds requests states EARLY=1,FORWARD - : a request that is passed on, its sender waits for ever and leaves
holds requests states EARLY=0,FORWARD,ROUTINE,QUIET - : a request that is passed on, its sender leaves
holds requests states EARLY=2,FORWARD,ROUTINE,QUIET - : a request that is passed on, who does that leaves
holds requests states EARLY=4,FORWARD,ROUTINE,QUIET - : a request that is passed on, who gets it leaves
twin rundown states - no-rundown-wait : Rundown::close()
twin rundown states - call-after-detach : Rundown::enter()
fails rundown states - check-before-enter : Rundown::enter() loads the state before read_lock()
fails rundown states - state-after-wait : Rundown::close() moves to CLOSING after synchronize()
fails rundown states - free-before-wait : Rundown::close() takes the value before synchronize()
fails rundown states - open-before-value : Rundown::open() stores OPEN before the value
fails rundown states - wait-in-enter : Rundown::enter() waits for CLOSED instead of refusing
twin detach states C_PEER completed-twice : Requests::complete()
twin detach states ALONE refusal-keeps-context : Server::abort()
twin detach states ALONE late-driver-loses-context : Server::time_out()
twin detach states ALONE no-deferred-wait : Registration::drop()
twin detach states ALONE wake-up-lost : Requests::finish()
fails detach states ROUTINE,ALONE flush-only : Registration::drop() without stop_work()
fails detach states ROUTINE,ALONE pend-after-stop : Shared::defer() does not look at closed
fails detach states ALONE not-abandoned : Server::time_out() without the transition
fails detach states ALONE late-keeps-context : Server::complete() without give_back()
fails detach states C_PEER,ALONE late-gives-back-the-next : Server::complete() takes any Abandoned for that of its request
fails detach states C_PEER,ALONE cancel-by-old-context : Server::cancel() takes the context of an earlier state
fails detach states C_PEER,ROUTINE,ALONE one-sender-waited-for : Server::run_down() without a loop
fails detach states C_PEER,ROUTINE no-sender-wait-when-attached : Server::run_down() without wait_for_sender()
fails detach states C_PEER,ROUTINE no-sender-wait : Server::cancel() without wait_for_sender()
fails detach states C_PEER,ROUTINE no-cancel-on-detach : Server::cancel() without claim()
fails detach states C_PEER,ALONE winner-not-asked : Server::conclude() acts for any winner
fails detach states C_PEER back-from-any-state : Server::give_back() does not look at the state
fails detach states C_PEER detach-from-inside : Server::detach() without is_sent_by_current()
fails detach states C_PEER unregister-in-any-state : Registry::remove() does not look at the state
fails detach states C_PEER,ROUTINE unregister-while-sending : Registry::remove() does not look at dispatching
fails detach states C_PEER,ROUTINE,ALONE attach-while-sending : Registry::reserve() does not look at dispatching
fails requests states EARLY=5 peek-before-lock : Requests::receiver() without the lock
fails requests states EARLY=5 completed-while-busy : Entry::is_held_as() does not look at the phase
fails requests states EARLY=5 claimed-by-two : Requests::take() gives the lock back before Entry::claim()
fails requests states EARLY=5 wake-up-lost : Entry::come_home() without complete_all()
fails requests states EARLY=5 no-visits-wait : Requests::run_down() without is_visited()
fails requests states EARLY=5,ROUTINE visit-ends-early : Requests::finish() ends its visit before the routine does
twin requests states EARLY=4,SHARED,SENDS=2 sent-while-waited : Requests::fill() does not look at waiters
twin requests states EARLY=4,SHARED,SENDS=2 freed-while-waited : Requests::finish() does not look at waiters
twin requests states EARLY=1,FORWARD returning-is-done : Requests::take() does not wait for what is given back to a driver
fails requests states EARLY=0,FORWARD old-handle-again : Requests::go_up() without next_hold()
fails requests states EARLY=0,FORWARD timeout-lost-between-levels : Requests::take() gives up while a request goes up past a driver
fails requests states EARLY=0,FORWARD,ROUTINE,QUIET recalled-is-done : Requests::take_back() does not wait for what it has recalled from who is busy with it
fails requests states EARLY=4,FORWARD,ROUTINE,QUIET take-by-old-level : Requests::take() is told a level that was looked up before
'

# search MODEL SEARCH CONFIGURATION MUTANT - in a directory of its own; pan says what it found
search() {
	local model=$OLDPWD/$1.pml defines=() compile=(-DSAFETY) run=() mutant=${4^^}
	[ "$2" = states ] || { compile=(-DNP); run=(-l); }
	[ "$3" = - ] || IFS=, read -ra defines <<<"$3"
	[ "$4" = - ] || defines+=("${mutant//-/_}")
	# Partial order reduction does not know of processes that others hold back.
	! grep -q provided "$model" || compile+=(-DNOREDUCE)
	# No more memory than that: an exploration that is cut off says so. Nothing here takes
	# as long as optimizing would.
	spin -a "${defines[@]/#/-D}" "$model" &&
		cc -w -O0 -DMEMLIM=2000 "${compile[@]}" -o pan pan.c &&
		./pan -n -m100000 -w23 "${run[@]}"
}

# judge EXPECTED LOG - whether it is what was expected, in words for the result's line
judge() {
	local states
	if [ "$1" != holds ]; then
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
	local pid expected model search configuration mutant what found number
	wait -n -p pid || :
	number=${numbers[$pid]}
	unset "numbers[$pid]"
	read -r expected model search configuration mutant _ what <<<"${cases[number]}"
	what="$model.pml $search $configuration $mutant: $what"
	if [ "$expected" = twin ]; then
		what+=", as ../mutants/$mutant.mutant"
		# What is shown here of something that nobody shows of the code is worth less.
		[ -e "../mutants/$mutant.mutant" ] || echo no such mutant >"$dir/$number/log"
	fi
	if found=$(judge "$expected" "$dir/$number/log"); then
		passed=$((passed + 1))
		echo "ok $((passed + failed)) $what: $found"
	else
		failed=$((failed + 1))
		grep . "$dir/$number/log" | sed 's/^/# /'
		echo "not ok $((passed + failed)) $what, expected: $expected"
	fi
	rm -rf "${dir:?}/$number"
}

echo "KTAP version 1"
echo "1..${#cases[@]}"
for number in "${!cases[@]}"; do
	[ "${#numbers[@]}" -lt 2 ] || report
	read -r _ model search configuration mutant _ <<<"${cases[number]}"
	mkdir "$dir/$number"
	(cd "$dir/$number" && search "$model" "$search" "$configuration" "$mutant") >"$dir/$number/log" 2>&1 &
	numbers[$!]=$number
done
while [ "${#numbers[@]}" -gt 0 ]; do
	report
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
