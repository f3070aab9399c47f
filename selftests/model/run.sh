#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Explores the models of rundown, detaching, requests and events with spin, completely. Then breaks one
# thing at a time in a model (a mutant), which spin has to find. Prints KTAP, and the counts last.
# Needs spin, a C compiler, and a minute and a half of one CPU. Runs two searches at a time, of 700
# MB each.
set -euo pipefail

cd "$(dirname "$0")"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# EXPECTED MODEL SEARCH CONFIGURATION MUTANT : WHAT
#
# EXPECTED is what the search has to find:
#   holds   nothing; the line has no MUTANT
#   twin    a fault; ../mutants has a mutant of the same name, which breaks the same thing in the
#           code
#   fails   a fault; no mutant breaks this in the code, so WHAT says which function would have to be
#           wrong
#
# SEARCH is "states" (for failed assertions and deadlocks) or "cycles" (for endless loops). -D
# defines CONFIGURATION and MUTANT in the model. A search for cycles costs most, so detach.pml is
# searched for them with one driver only (ALONE), and a driver in C attaches in one thread only
# (ONCE). This model still has all loops of the code.
cases='
holds rundown states - - : calls, recursive calls and an interrupt while a peer detaches
holds rundown cycles - - : detaching ends
holds detach states - - : two library drivers, completion by return or waiting
holds detach states ROUTINE - : two library drivers, completion routine
holds detach states C_PEER - : a C driver and a library driver, completion by return or waiting
holds detach states C_PEER,ROUTINE - : a C driver and a library driver, completion routine
holds detach states C_PEER,ALONE - : a C driver with two threads, by return or waiting
holds detach states C_PEER,ROUTINE,ALONE - : a C driver with two threads, completion routine
holds detach cycles ALONE - : attaching and detaching a library driver end, by return or waiting
holds detach cycles ROUTINE,ALONE - : attaching and detaching a library driver end, completion routine
holds detach cycles C_PEER,ALONE,ONCE - : attaching and detaching a C driver end, by return or waiting
holds detach cycles C_PEER,ROUTINE,ALONE,ONCE - : attaching and detaching a C driver end, completion routine
holds requests states EARLY=5 - : a request with a time limit; sender and receiver unregister
holds requests states EARLY=5,ROUTINE,CANCEL - : a request with a completion routine; two threads cancel it; sender and receiver unregister
holds requests states EARLY=4,ROUTINE,SENDS=2 - : a completion routine sends the request again; the receiver unregisters
holds requests states EARLY=5,SHARED - : two threads wait for a request or free it; sender and receiver unregister
holds requests states EARLY=4,SHARED,SENDS=2 - : two threads wait for a request or send it again; the receiver unregisters
holds requests states EARLY=0,FORWARD - : a forwarded request with a time limit
holds requests states EARLY=1,FORWARD - : a forwarded request; its sender waits without a limit and unregisters
holds requests states EARLY=0,FORWARD,ROUTINE,QUIET - : a forwarded request with a completion routine; its sender unregisters when it is done
holds requests states EARLY=2,FORWARD,ROUTINE,QUIET - : a forwarded request; the forwarder unregisters
holds requests states EARLY=4,FORWARD,ROUTINE,QUIET - : a forwarded request; the receiver unregisters
holds events states - - : two threads wait for one event and for two, without a limit
holds events states LIMIT - : two threads wait for one event and for two, with a time limit
holds events states NOTIFICATION,LIMIT - : the same, and the second event is a notification event
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
fails detach states C_PEER,ALONE late-gives-back-the-next : Server::complete() does not check which request timed out
fails detach states C_PEER,ALONE cancel-by-old-context : Server::cancel() uses the context of an earlier state
fails detach states C_PEER,ROUTINE,ALONE one-sender-waited-for : Server::run_down() without a loop
fails detach states C_PEER,ROUTINE no-sender-wait-when-attached : Server::run_down() without wait_for_sender()
fails detach states C_PEER,ROUTINE no-sender-wait : Server::cancel() without wait_for_sender()
fails detach states C_PEER,ROUTINE no-cancel-on-detach : Server::cancel() without claim()
fails detach states C_PEER,ALONE winner-not-asked : Server::conclude() does not look at the winner
fails detach states C_PEER back-from-any-state : Server::give_back() does not look at the state
fails detach states C_PEER detach-from-inside : Server::detach() without is_sent_by_current()
fails detach states C_PEER unregister-in-any-state : Registry::remove() does not look at the state
fails detach states C_PEER,ROUTINE unregister-while-sending : Registry::remove() does not look at dispatching
fails detach states C_PEER,ROUTINE,ALONE attach-while-sending : Registry::reserve() does not look at dispatching
fails requests states EARLY=5 peek-before-lock : Requests::receiver() without the lock
fails requests states EARLY=5 completed-while-busy : Entry::is_held_as() does not look at the phase
fails requests states EARLY=5 claimed-by-two : Requests::take() releases the lock before Entry::claim()
fails requests states EARLY=5 wake-up-lost : Entry::come_home() without complete_all()
fails requests states EARLY=5 no-visits-wait : Requests::run_down() without is_visited()
fails requests states EARLY=5,ROUTINE visit-ends-early : Requests::finish() ends its visit before the routine does
twin events states - set-before-sleep-lost : Dispatcher::begin() looks at the events before it guards their words
twin events states - guarded-for-one-user-only : Event::end_use() does not look at users
fails events states - guard-ignored : State::update() changes a word that is guarded
twin requests states EARLY=4,SHARED,SENDS=2 sent-while-waited : Requests::fill() does not look at waiters
twin requests states EARLY=4,SHARED,SENDS=2 freed-while-waited : Requests::finish() does not look at waiters
twin requests states EARLY=1,FORWARD returning-is-done : Requests::take() does not wait for a request that is being given back to a driver
fails requests states EARLY=0,FORWARD old-handle-again : Requests::go_up() without next_hold()
fails requests states EARLY=0,FORWARD timeout-lost-between-levels : Requests::take() does nothing while the request goes up past a driver
fails requests states EARLY=0,FORWARD,ROUTINE,QUIET recalled-is-done : Requests::take_back() does not wait for the process that carries the request up
fails requests states EARLY=4,FORWARD,ROUTINE,QUIET take-by-old-level : Requests::take() uses a level that was looked up before it took the lock
'

# search MODEL SEARCH CONFIGURATION MUTANT - runs a search in the current directory; pan prints what it finds
search() {
	local model=$OLDPWD/$1.pml defines=() compile=(-DSAFETY) run=() mutant=${4^^}
	[ "$2" = states ] || { compile=(-DNP); run=(-l); }
	[ "$3" = - ] || IFS=, read -ra defines <<<"$3"
	[ "$4" = - ] || defines+=("${mutant//-/_}")
	# Spin's partial order reduction would be wrong for a process with a "provided" condition.
	! grep -q provided "$model" || compile+=(-DNOREDUCE)
	# If the memory does not suffice, pan says so, and judge() fails. Compiling with optimization would take longer than
	# any search.
	spin -a "${defines[@]/#/-D}" "$model" &&
		cc -w -O0 -DMEMLIM=2000 "${compile[@]}" -o pan pan.c &&
		./pan -n -m100000 -w23 "${run[@]}"
}

# judge EXPECTED LOG - whether the search found what was expected; prints it for the line of the result
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

# report - waits for one of the running searches to end, and reports it
report() {
	local pid expected model search configuration mutant what found number
	wait -n -p pid || :
	number=${numbers[$pid]}
	unset "numbers[$pid]"
	read -r expected model search configuration mutant _ what <<<"${cases[number]}"
	what="$model.pml $search $configuration $mutant: $what"
	if [ "$expected" = twin ]; then
		what+=", as ../mutants/$mutant.mutant"
		# The mutant of the code must exist; mutants.sh shows that the tests find it.
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
