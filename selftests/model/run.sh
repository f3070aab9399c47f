#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Explores the models of rundown, requests, handshakes and events completely with spin. Then it explores each model with
# one thing broken, a mutant, which spin has to find. The transitions of a request are made from the table in its source
# (transitions.awk). Prints KTAP, and the counts last.
# Needs spin, a C compiler, 700 MB of memory for each of two searches at a time, and a minute and a half of one CPU.
set -euo pipefail

cd "$(dirname "$0")"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# EXPECTED MODEL SEARCH CONFIGURATION MUTANT : WHAT
#
# EXPECTED is what the search has to find:
#   holds   no fault; the line has no MUTANT
#   mutant  a fault; ../mutants has a mutant of the same name, which makes the same fault in the
#           code
#   fails   a fault; ../mutants has no mutant for it, so WHAT names the function of the code that
#           the fault would be in
#
# SEARCH is "states" (for failed assertions and deadlocks) or "cycles" (for endless loops). -D
# defines CONFIGURATION and MUTANT in the model. A search for cycles costs most, so only the smallest
# model is searched for them.
cases='
holds rundown states - - : calls, recursive calls and an interrupt while a peer detaches
holds rundown cycles - - : detaching ends
holds word states SENDS=2,CANCEL - : a request is sent twice, and cancelled
holds word states COPIES,RESENDS,CANCEL - : a request is taken from a receiver that copies, and sent to another driver
holds word states REUSED,CANCEL - : a request is cancelled and freed, and another driver gets its record
holds word states WAITS - : another thread waits for a request
holds word states LEAVE_R,CANCEL - : a request is cancelled, and its receiver leaves
holds word states LEAVE_S,CANCEL - : a request is cancelled, and its sender leaves
holds forward states CANCEL - : a request is forwarded, and cancelled
holds forward states RELEASED,CANCEL - : a request is forwarded and cancelled, and its forwarder does not get it back
holds forward states OTHER,CANCEL - : a request is forwarded from another thread than that of the dispatch routine, and cancelled
holds forward states LEAVE_F - : a request is forwarded, and its forwarder leaves
holds forward states OTHER,LEAVE_R - : a request is forwarded, and its receiver leaves
holds forward states LEAVE_S,CANCEL - : a request is forwarded and cancelled, and its sender leaves
holds handshake states - - : the owner learns of completion by the return of d2d_request_send(), or by waiting
holds handshake states ROUTINE,ATTACHES=1 - : the owner learns of completion by its completion routine
holds handshake states NEVER - : a pended handshake is never completed
holds handshake states NEVER,ENDLESS - : a pended handshake is never completed and has no time limit, so only detaching ends it
holds handshake states OWNER_LEAVES - : the owner is unloaded, and expels the driver
holds handshake states ROUTINE,ATTACHES=1,OWNER_LEAVES - : the same, with a completion routine
holds events states - - : two threads wait for one event and for two, without a limit
holds events states LIMIT - : two threads wait for one event and for two, with a time limit
holds events states NOTIFICATION,LIMIT - : the same, and the second event is a notification event
mutant rundown states - no-rundown-wait : Rundown::close()
mutant rundown states - call-after-detach : Rundown::enter()
fails rundown states - check-before-enter : Rundown::enter() loads the state before read_lock()
fails rundown states - state-after-wait : Rundown::close() moves to CLOSING after synchronize()
fails rundown states - free-before-wait : Rundown::close() takes the value before synchronize()
fails rundown states - open-before-value : Rundown::open() stores OPEN before the value
fails rundown states - wait-in-enter : Rundown::enter() waits for CLOSED instead of refusing
mutant word states COPIES,RESENDS,CANCEL view-not-checked : Requests::dispatch() does not ask is_still()
mutant word states COPIES,RESENDS,CANCEL is-still-ignores-the-phase : Record::is_still() does not look at the phase
mutant word states REUSED,CANCEL taken-by-stale-handle : Requests::take() does not ask whose request it is
mutant word states CANCEL sender-not-woken : Requests::bring_home() without wake()
fails word states SENDS=2,CANCEL no-seq : Requests::complete() does not compare the generation
fails word states SENDS=2,CANCEL no-pin : Requests::access() without a pin
fails word states LEAVE_R check-before-enter : Slot::enter() looks at the word before it takes the cell
fails word states LEAVE_S no-leaving-check : Requests::fill() does not look whether the sender leaves
fails handshake states ROUTINE,ATTACHES=1 given-back-early : Server::completed_handshake() gives a context back while d2d_attach() runs
fails handshake states - given-back-as-seen : Server::give_back() only from the state that was seen before
fails handshake states ROUTINE,ATTACHES=1 given-back-as-seen : the same
fails handshake states OWNER_LEAVES overdue-by-any-error : Server::learn() takes any error for a timeout
fails handshake states NEVER,ENDLESS cancelled-once : Server::detach() tries only once to take the request of a handshake
mutant forward states OTHER,LEAVE_R parked-for-a-forwarder : Requests::take() does not ask for whom a request is parked
mutant forward states CANCEL recalled-before-the-frame-ends : Record::park() does not look whether a frame uses the buffers
fails forward states CANCEL no-park : Requests::deliver() gives a request back while a frame uses its buffers
mutant events states - set-before-sleep-lost : Dispatcher::begin() looks at the events before it guards their words
mutant events states - guarded-for-one-user-only : Event::end_use() does not look at users
fails events states - guard-ignored : State::update() changes a word that is guarded
'

# search MODEL SEARCH CONFIGURATION MUTANT - runs a search in the current directory; pan prints what it finds
search() {
	local model=$1.pml defines=() compile=(-DSAFETY) run=() mutant=${4^^}
	[ "$2" = states ] || { compile=(-DNP); run=(-l); }
	[ "$3" = - ] || IFS=, read -ra defines <<<"$3"
	[ "$4" = - ] || defines+=("${mutant//-/_}")
	cp "$OLDPWD/word.inc" "$OLDPWD/$model" .
	# Spin's partial order reduction would be wrong for a process with a "provided" condition.
	! grep -q provided "$model" || compile+=(-DNOREDUCE)
	# If the memory does not suffice, pan says so, and judge() fails. Compiling with optimization would take longer than
	# any search.
	awk -f "$OLDPWD/transitions.awk" "$OLDPWD/../../shared/owner/request/word.rs" >transitions.inc &&
		spin -a "${defines[@]/#/-D}" "$model" &&
		cc -w -O0 -DCOLLAPSE -DMEMLIM=2000 "${compile[@]}" -o pan pan.c &&
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
	if [ "$expected" = mutant ]; then
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
