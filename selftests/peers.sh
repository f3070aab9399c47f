#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Several peers at a time, in C and in Rust. No peer may affect the context of another one.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

PEERS="module_b handle_peer c_peer"
ROUNDS=2
# The function reload_while_others_work reloads a peer at least TIMES times. It stops when each other peer has taken a
# step while the reloaded peer was detached, and fails after MOST_TIMES reloads. During a reload, each other driver
# exercises for WORK rounds.
TIMES=4
MOST_TIMES=40
WORK=5

load_all()
{
	load module_a "contexts=$1" "timeout=$LONG_TIMEOUT" && each load
}

unload_peers()
{
	each unload
}

exercise_all()
{
	pids=
	for name in module_a $PEERS module_a $PEERS; do
		exercise "$name" "$ROUNDS" &
		pids="$pids $!"
	done
	# shellcheck disable=SC2086 # a list
	all_succeed $pids
}

contexts_of()
{
	trace | sed -n "s/.*step=attached to=$1 ctx=\(c[0-9]*\).*/\1/p" | sort -u | xargs
}

# took_everywhere STEP NAME - succeeds if the driver NAME has taken the step in each execution context. STEP is the name
# of a step, perhaps with its first fields
took_everywhere()
{
	[ "$(trace | sed -n "s/.*$2: d2d: .* in=\([a-z]*\) step=$1 .*/\1/p" | sort -u | xargs)" = \
		"hardirq softirq task" ]
}

# updates_are_exact NAME - after exercise_all: succeeds if no update of the peer's shared data was lost. Each update
# increments a count, and traces it. So the trace must have each number once. Two processes exercise the peer, and two
# exercise the owner. Each makes four updates in a round
updates_are_exact()
{
	took_everywhere update "$1" &&
		[ "$(trace | sed -n "s/.*step=update ctx=$(contexts_of "$1") value=//p" | sort -n | xargs)" = \
			"$(seq $((2 * 2 * 4 * ROUNDS)) | xargs)" ]
}

# each COMMAND... - runs the command for each peer, with the peer's name as its last argument
each()
{
	for peer in $PEERS; do
		"$@" "$peer" || return
	done
}

no_item_is_lost()
{
	trace | awk -v contexts="$1" '
		/step=drain ctx=c[0-9]* queue=[a-z_]* left=/ {
			for (i = 1; i <= NF; i++) {
				split($i, field, "=")
				value[field[1]] = field[2]
			}
			queues++
			wrong += value["put"] != value["taken"] + value["left"]
		}
		END { exit !(queues == 2 * contexts && wrong == 0) }'
}

# items_stay_in_context NAME - succeeds if the peer has put and taken as many items as the queues of its context counted
items_stay_in_context()
{
	trace | awk -v name="$1: d2d:" -v ctx="ctx=$(contexts_of "$1")" '
		function number(key,   i, field) {
			for (i = 1; i <= NF; i++) {
				split($i, field, "=")
				if (field[1] == key)
					return field[2]
			}
		}
		index($0, name) && /step=enqueue queue=to_owner / { put += number("n") }
		index($0, name) && /step=dequeue queue=to_peer / { taken += number("n") }
		/step=drain/ && $0 ~ ctx " queue=to_owner left=" { counted_put = number("put") }
		/step=drain/ && $0 ~ ctx " queue=to_peer left=" { counted_taken = number("taken") }
		END { exit !(put > 0 && put == counted_put && taken > 0 && taken == counted_taken) }'
}

others_worked_meanwhile()
{
	for other in $PEERS; do
		[ "$other" != "$1" ] || continue
		trace | awk -v name="$1" -v other="$other: d2d:" '
			index($0, name ": d2d:") && /step=detach/ { away = 1 }
			away && index($0, other) { busy = 1 }
			/step=attached/ && index($0, "to=" name " ") { away = 0 }
			END { exit !busy }' || return
	done
}

reload_while_others_work()
{
	times=0
	until [ "$times" -ge "$TIMES" ] && others_worked_meanwhile "$1"; do
		[ "$times" -lt "$MOST_TIMES" ] || return
		pids=
		for other in module_a $PEERS; do
			[ "$other" != "$1" ] || continue
			exercise "$other" "$WORK" &
			pids="$pids $!"
		done
		unload "$1" && load "$1" || return
		# shellcheck disable=SC2086 # a list
		all_succeed $pids || return
		times=$((times + 1))
	done
}

fresh_contexts()
{
	# shellcheck disable=SC2086 # a list
	unload_if_loaded bad_peer $PEERS module_a
	reset_trace
	load_all "$1"
}

fresh_peers()
{
	each loaded || fresh_contexts 3
	reset_trace
}

# fresh_work - the first call loads all drivers, makes them exercise at the same time ($worked is 0 if this succeeded),
# and unloads them ($unloaded is 0 if this succeeded)
fresh_work()
{
	[ -z "${worked-}" ] || return
	fresh_contexts 3 && exercise_all
	worked=$?
	unload_peers && unload module_a
	unloaded=$?
}

begin 18

fresh_contexts 3 &&
	[ "$(each contexts_of | sort | xargs)" = "c0 c1 c2" ]
verdict "three peers have a context each"

fresh_contexts 3 && [ "$(trace | grep -c 'step=pend')" = 1 ] && trace | grep -q 'handle_peer: d2d: .* step=pend '
verdict "handle_peer, and no other peer, pends its handshake and completes it later"

fresh_peers
fails EBUSY load bad_peer && only_refusal_is module_a no-free-context && ! loaded bad_peer
verdict "no-free-context: a fourth peer gets EBUSY"

fresh_peers
exercise module_a 1 && [ "$(trace | grep -c 'module_a: d2d: .* step=op-return from=peer op=drain')" = 12 ] &&
	each took_everywhere dequeue
verdict "module_a calls each peer's operations, in each execution context"

fresh_peers
exercise module_a 1 && each took_everywhere dispatch && each took_everywhere complete && took_everywhere cancel module_a &&
	[ "$(trace | grep -c "module_a: d2d: .* step=cancel .*status=-$ECANCELED")" = 12 ]
verdict "module_a sends each peer requests, and cancels some, in each execution context"

for name in $PEERS; do
	fresh_peers
	exercise "$name" 1 && took_everywhere enqueue "$name" && took_everywhere "op-return from=owner" "$name"
	verdict "$name puts items and calls module_a's operations, in each execution context"

	# handle_peer sends no requests.
	[ "$name" != handle_peer ] || continue

	fresh_peers
	exercise "$name" 1 && took_everywhere build-request "$name" && took_everywhere completion "$name" && took_everywhere complete module_a
	verdict "$name sends requests to module_a, in each execution context"
done

fresh_work
[ "$worked" = 0 ]
verdict "the owner and all peers work at the same time: all succeed"

fresh_work
[ "$unloaded" = 0 ] && no_item_is_lost 3
verdict "the owner and all peers work at the same time: no context loses an item"

fresh_work
each items_stay_in_context
verdict "the owner and all peers work at the same time: each peer's items go through its own context"

fresh_work
took_everywhere update module_a && updates_are_exact module_b && updates_are_exact c_peer
verdict "the owner and its peers in Rust and C update the shared data in each execution context: no update is lost"

for name in $PEERS; do
	fresh_peers
	reload_while_others_work "$name" && [ "$(contexts_of "$name" | wc -w)" = 1 ]
	verdict "$name is unloaded and loaded while the others work: it gets the same context each time, and the others succeed"
done

fresh_contexts 64 && exercise_all && unload_peers && unload module_a && no_item_is_lost 64
verdict "the owner and all peers work at the same time, with 64 contexts: all succeed, and no item is lost"
ktap_finished
