#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Checks the models with spin, which must find no error. Then checks models with one fault each, in which spin must find
# an error. Prints KTAP, and the counts last.
# Needs spin, a C compiler, 2.8 GB of memory for two searches at a time, and two minutes of CPU time.
set -euo pipefail

cd "$(dirname "$0")"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# KIND MODEL SEARCH CONFIGURATION FAULT : WHAT
#
# KIND:
#   holds   the search must find no error; FAULT is -
#   mutant  the search must find FAULT; ../mutants/FAULT.mutant makes the same fault in the code
#   fault   the search must find FAULT; WHAT says which change of the code makes this fault
#
# SEARCH is "states" (finds failed assertions and deadlocks) or "cycles" (finds endless loops). A search for cycles
# costs most, so only the smallest model is searched for them. The model gets CONFIGURATION and FAULT by -D.
cases='
holds rundown states - - : calls, recursive calls and an interrupt while a peer detaches
holds rundown cycles - - : detaching ends
holds word states SENDS=2,CANCEL - : a request is sent twice, and cancelled
holds word states COPIES,SENDS_AGAIN,CANCEL - : a request whose receiver copies the buffers is cancelled, and sent to another driver
holds word states REUSED,CANCEL - : a request is cancelled and freed, and another driver gets its record
holds word states WAITS - : two threads wait for a request
holds word states ROUTINE,CANCEL - : a request has a completion routine, and is cancelled
holds word states ROUTINE,UNREGISTERS_S - : a request has a completion routine, and its sender unregisters
holds word states UNREGISTERS_R,CANCEL - : a request is cancelled, and its receiver unregisters
holds word states UNREGISTERS_S,CANCEL - : a request is cancelled, and its sender unregisters
holds forward states CANCEL - : a request is forwarded, and cancelled
holds forward states NOT_RETURNED,CANCEL - : a request is forwarded and cancelled, and its forwarder does not get it back
holds forward states FORWARDS_LATER,CANCEL - : a pended request is forwarded by another thread, and cancelled
holds forward states UNREGISTERS_F - : a request is forwarded, and its forwarder unregisters
holds forward states FORWARDS_LATER,UNREGISTERS_R - : a request is forwarded, and its receiver unregisters
holds forward states UNREGISTERS_S,CANCEL - : a request is forwarded and cancelled, and its sender unregisters
holds forward states FORWARDS_LATER,UNREGISTERS_R,CANCEL,HEARS - : a receiver that is to be told of a cancellation unregisters
holds handshake states - - : the owner learns of completion when the call of dispatch returns, or by waiting
holds handshake states ROUTINE,ATTACHES=1 - : the owner learns of completion by its completion routine
holds handshake states NEVER - : a pended handshake is never completed
holds handshake states NEVER,ENDLESS - : a pended handshake is never completed and has no time limit, so only detaching ends it
holds handshake states OWNER_UNLOADED - : the owner is unloaded, and expels the driver
holds handshake states ROUTINE,ATTACHES=1,OWNER_UNLOADED - : the owner has a completion routine, is unloaded, and expels the driver
holds events states - - : one thread waits for one event, another thread for two events, without a time limit
holds events states LIMIT - : one thread waits for one event, another thread for two events, with a time limit
holds events states NOTIFICATION,LIMIT - : one thread waits for one event, another thread for two, of which one is a notification event
mutant rundown states - no-rundown-wait : Rundown::close_and_end_waits() does not wait
mutant rundown states - call-after-detach : Rundown::close_and_end_waits() does not store null
fault rundown states - check-before-enter : Readers::enter() loads the pointer before it counts the thread
fault rundown states - cleared-after-wait : Rundown::close_and_end_waits() stores null after the grace period
fault rundown states - taken-before-wait : Rundown::close_and_end_waits() takes the value before the grace period
fault rundown states - open-before-value : Rundown::open() stores the pointer before the value
fault rundown states - wait-in-enter : Rundown::enter() waits for CLOSED instead of failing
mutant word states COPIES,SENDS_AGAIN,CANCEL cancelled-request-dispatched-while-held : Requests::dispatch() does not call is_still()
mutant word states COPIES,SENDS_AGAIN,CANCEL cancelled-request-dispatched-while-home : Record::is_still() does not look at the phase
mutant word states REUSED,CANCEL cancelled-by-stale-handle : Requests::cancel_for() does not check whether the handle belongs to the request
mutant word states CANCEL sender-not-woken : Requests::bring_home() does not call wake()
fault word states SENDS=2,CANCEL no-generation : Requests::complete() does not compare the generation
fault word states SENDS=2,CANCEL no-pin : Requests::access() takes no pin
fault word states UNREGISTERS_R check-before-enter : Slot::enter() looks at the word before it takes the cell
mutant word states UNREGISTERS_S claimed-request-never-freed : Requests::free_all() does not wait for a thread that has claimed a request
fault word states UNREGISTERS_S no-leaving-check : Requests::fill() does not check whether the sender is leaving
fault word states ROUTINE,UNREGISTERS_S home-before-enter : Requests::bring_home() enters the sender after the transition
mutant handshake states - failed-handshake-leaves-detaching : Registry::end_handshake() makes the state Detaching first
fault handshake states ROUTINE,ATTACHES=1 given-back-early : Server::completed_handshake() makes a context free while d2d_attach() runs
fault handshake states - given-back-if-unchanged : Server::give_back() does nothing if the state has changed meanwhile
fault handshake states ROUTINE,ATTACHES=1 given-back-if-unchanged : Server::give_back() does nothing if the state has changed meanwhile
fault handshake states OWNER_UNLOADED overdue-by-any-error : Server::await_completion() takes any error for a timeout
fault handshake states NEVER,ENDLESS cancelled-once : Server::detach() tries only once to cancel the request of a handshake
mutant forward states FORWARDS_LATER,UNREGISTERS_R parked-request-cannot-be-cancelled : Requests::cancel_for() does not check whether a parked request goes back to a forwarder
mutant forward states CANCEL recalled-before-the-in-place-call-ends : Record::park() does not check whether an in-place call uses the buffers
fault forward states FORWARDS_LATER,UNREGISTERS_R,CANCEL,HEARS cancelled-enters-late : Requests::end_hold() enters the holder after the transition
fault forward states CANCEL no-park : Requests::deliver() gives a request back to a forwarder while an in-place call uses the buffers
mutant events states - set-before-sleep-lost : Waiter::begin() looks at the events before it guards their words
mutant events states - guarded-for-one-user-only : Event::end_use() removes the guard although the event has other users
fault events states - guard-ignored : State::update() changes a word that is guarded
'

# search MODEL SEARCH CONFIGURATION FAULT - runs a search in the current directory
search() {
	local model=$1.pml defines=() compile=(-DSAFETY) run=() fault=${4^^}
	[ "$2" = states ] || { compile=(-DNP); run=(-l); }
	[ "$3" = - ] || IFS=, read -ra defines <<<"$3"
	[ "$4" = - ] || defines+=("${fault//-/_}")
	cp "$OLDPWD/word.inc" "$OLDPWD/$model" .
	# Spin's partial order reduction is wrong for a process with a "provided" condition.
	! grep -q provided "$model" || compile+=(-DNOREDUCE)
	# The largest search uses 1.4 GB. If a search reaches MEMLIM (in MB), judge() fails. -O0, because optimizing
	# takes longer than any search.
	awk -f "$OLDPWD/transitions.awk" "$OLDPWD/../../shared/owner/request/word.rs" >transitions.inc &&
		spin -a "${defines[@]/#/-D}" "$model" &&
		cc -w -O0 -DCOLLAPSE -DMEMLIM=2000 "${compile[@]}" -o pan pan.c &&
		./pan -n -m100000 -w23 "${run[@]}"
}

# judge KIND LOG - succeeds if the search found what KIND expects; prints what it found
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

# report - waits until one of the running searches ends, and reports it
report() {
	local pid kind model search configuration fault what found number
	wait -n -p pid || :
	number=${numbers[$pid]}
	unset "numbers[$pid]"
	read -r kind model search configuration fault _ what <<<"${cases[number]}"
	what="$model.pml $search $configuration $fault: $what"
	if [ "$kind" = mutant ]; then
		what+=", as ../mutants/$fault.mutant"
		# qemu/mutants.sh checks the mutant of the code.
		[ -e "../mutants/$fault.mutant" ] || echo "../mutants/$fault.mutant does not exist" >"$dir/$number/log"
	fi
	if found=$(judge "$kind" "$dir/$number/log"); then
		passed=$((passed + 1))
		echo "ok $((passed + failed)) $what: $found"
	else
		failed=$((failed + 1))
		grep . "$dir/$number/log" | sed 's/^/# /'
		echo "not ok $((passed + failed)) $what, expected: $kind"
	fi
	rm -rf "${dir:?}/$number"
}

echo "KTAP version 1"
echo "1..${#cases[@]}"
for number in "${!cases[@]}"; do
	[ "${#numbers[@]}" -lt 2 ] || report
	read -r _ model search configuration fault _ <<<"${cases[number]}"
	mkdir "$dir/$number"
	(cd "$dir/$number" && search "$model" "$search" "$configuration" "$fault") >"$dir/$number/log" 2>&1 &
	numbers[$!]=$number
done
while [ "${#numbers[@]}" -gt 0 ]; do
	report
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
