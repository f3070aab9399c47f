#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Several peers at the same time, in C and in Rust: each holds a context of its own,
# and neither what the others do nor that they come and go reaches it.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

PEERS="module_b third_peer c_peer"
ROUNDS=2
# How often one of them goes and comes (at most, until the others were seen at work
# meanwhile), and what each of the others does
TIMES=4
MOST_TIMES=40
WORK=5

# load_all CONTEXTS - the owner and all peers
load_all()
{
	load module_a "contexts=$1" && each load
}

unload_peers()
{
	each unload
}

exercise()
{
	echo "$2" >"/sys/kernel/debug/d2d-$1/exercise"
}

# all_of PID... - waits for all of them, and whether all succeeded
all_of()
{
	all=0
	for pid; do
		wait "$pid" || all=1
	done
	return "$all"
}

# exercise_all - the owner and all peers at once, two processes for each of them
exercise_all()
{
	pids=
	for name in module_a $PEERS module_a $PEERS; do
		exercise "$name" "$ROUNDS" &
		pids="$pids $!"
	done
	# shellcheck disable=SC2086 # a list
	all_of $pids
}

# contexts_of NAME - the contexts that a peer was attached to, each once
contexts_of()
{
	trace | sed -n "s/.*step=attached to=$1 ctx=\(c[0-9]*\).*/\1/p" | sort -u | xargs
}

# everywhere STEP NAME - whether a driver has taken a step in each kind of context
everywhere()
{
	[ "$(trace | sed -n "s/.*$2: d2d: .* in=\([a-z]*\) step=$1 .*/\1/p" | sort -u | xargs)" = \
		"hardirq softirq task" ]
}

# each COMMAND... - whether it is true of each peer, whose name is its last argument
each()
{
	for peer in $PEERS; do
		"$@" "$peer" || return
	done
}

# conserved CONTEXTS - whether of each queue of that many contexts all that was put was
# taken or is left
conserved()
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

# attributed NAME - whether the owner has counted in the peer's context what the peer
# itself says that it put and took, so that nothing went to another context
attributed()
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

# busy_meanwhile NAME - whether each other peer did something while this one went or came
busy_meanwhile()
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

# disturb NAME - it goes and comes while the owner and all others work, often enough for each of
# them to have worked in such a moment
disturb()
{
	times=0
	until [ "$times" -ge "$TIMES" ] && busy_meanwhile "$1"; do
		[ "$times" -lt "$MOST_TIMES" ] || return
		pids=
		for other in module_a $PEERS; do
			[ "$other" != "$1" ] || continue
			exercise "$other" "$WORK" &
			pids="$pids $!"
		done
		unload "$1" && load "$1" || return
		# shellcheck disable=SC2086 # a list
		all_of $pids || return
		times=$((times + 1))
	done
}

start 17

mark
load_all 3 &&
	[ "$(each contexts_of | sort | xargs)" = "c0 c1 c2" ]
verdict "three peers hold a context each"

[ "$(trace | grep -c 'step=pend')" = 1 ] && trace | grep -q 'third_peer: d2d: .* step=pend '
verdict "one of them has completed the handshake later"

mark
fails EBUSY load bad_peer && refused module_a no-free-context && ! loaded bad_peer
verdict "a fourth one is refused"

mark
exercise module_a 1 && [ "$(trace | grep -c 'module_a: d2d: .* step=op-return from=peer op=drain')" = 12 ] &&
	each everywhere dequeue
verdict "module_a calls all of them, in each context"

each everywhere dispatch && each everywhere complete && everywhere cancel module_a &&
	[ "$(trace | grep -c "module_a: d2d: .* step=cancel .*status=-$ECANCELED")" = 12 ]
verdict "module_a sends requests to all of them, in each context"

for name in $PEERS; do
	mark
	exercise "$name" 1 && everywhere enqueue "$name"
	verdict "$name calls module_a, in each context"
	[ "$name" != third_peer ] || continue
	everywhere build-request "$name" && everywhere completion "$name" && everywhere complete module_a
	verdict "$name sends requests to module_a, in each context"
done
unload_peers && unload module_a

mark
load_all 3 && exercise_all
verdict "all of them work at once, in two processes each"

unload_peers && unload module_a && conserved 3
verdict "nothing was lost in any context"

each attributed
verdict "each peer's items were in its own context"

mark
load_all 3
for name in $PEERS; do
	disturb "$name" && [ "$(contexts_of "$name" | wc -w)" = 1 ]
	verdict "$name goes and comes while the others work"
done
unload_peers && unload module_a

mark
load_all 64 && exercise_all && unload_peers && unload module_a && conserved 64
verdict "all of them at once, with contexts for many more"
ktap_finished
