#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Pairs run together, with owners and peers in Rust and in C. Each round loads all modules in one random order, and
# unloads them in another. For any two modules M and N that do not need each other, some round loads M before N, and
# some round loads N before M. The same holds for unloading.
#
# Most modules have "traffic": a process that makes the module exchange calls, items and requests with the other side.
# The modules exchange while the test loads and unloads other modules.
#
# Usage: all_pairs.sh [ROUNDS [SEED]]
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

ROUNDS=${1:-6}
SEED=${2:-1}
DEBUG=/sys/kernel/debug
work=$(mktemp -d)
trap 'rm -rf "$NOTES" "$work"' EXIT

# Each line is a module, and the modules that it needs. MIDDLE is middle or c_middle, BRIDGE is bridge or c_bridge
MODULES='module_a -
module_b module_a
c_peer module_a
MIDDLE module_a
lower1 MIDDLE
other_a -
BRIDGE module_a,other_a
junction module_a,other_a
junction_peer junction
consumer -
sensor consumer
c_lender -
borrower c_lender
c_borrower c_lender
torture_owner -
torture_peer0 torture_owner'

# Each line is the name of an owner, and the names of its peers
FAMILIES='module_a module_b c_peer MIDDLE BRIDGE junction
middle lower1
other_a BRIDGE junction
junction junction_peer
consumer sensor
lender borrower c_borrower
torture_owner torture_peer0'

# orders - prints a line for each round: its number, the middle, the bridge, the order of loading, "/", the order of
# unloading.
#
# A "precedence" is two modules, M before N. It is possible unless M needs N. For each round, this function makes 30
# random orders of loading, and chooses the one with the most precedences that the earlier rounds lack. It chooses the
# order of unloading in the same way, but prints it backwards. Fails if a possible precedence is in no round
orders()
{
	echo "$MODULES" | awk -v rounds="$ROUNDS" -v seed="$SEED" '
	{ all[++n] = $1; needs[$1] = $2 }

	# Returns whether "done" has all modules that this module needs.
	function is_ready(module, done,	words, i) {
		for (i = split(needs[module], words, ","); i; i--)
			if (words[i] != "-" && !(words[i] in done))
				return 0
		return 1
	}

	function make(order,	left, ready, count, i, done) {
		for (left = n; left; left--) {
			count = 0
			for (i = 1; i <= n; i++)
				if (!(all[i] in done) && is_ready(all[i], done))
					ready[++count] = all[i]
			order[n - left + 1] = ready[1 + int(rand() * count)]
			done[order[n - left + 1]]
		}
	}

	# Counts the precedences of an order that "had" lacks. If "keep" is 1, adds them to "had".
	function count_new(order, had, keep,	i, j, count) {
		for (i = 1; i < n; i++)
			for (j = i + 1; j <= n; j++)
				if (!((order[i], order[j]) in had)) {
					count++
					if (keep)
						had[order[i], order[j]]
				}
		return count
	}

	# Returns whether a module needs another one, directly or not.
	function depends_on(module, other,	words, i) {
		for (i = split(needs[module], words, ","); i; i--)
			if (words[i] == other || (words[i] in needs && depends_on(words[i], other)))
				return 1
		return 0
	}

	# Chooses an order for each round. Returns the number of possible precedences that no round has.
	function choose(lines,	round, try, most, now, order, best, had, i, j, missing) {
		for (round = 1; round <= rounds; round++) {
			most = -1
			for (try = 0; try < 30; try++) {
				make(order)
				now = count_new(order, had)
				if (now <= most)
					continue
				most = now
				for (i in order)
					best[i] = order[i]
			}
			count_new(best, had, 1)
			lines[round] = ""
			for (i = 1; i <= n; i++)
				lines[round] = lines[round] " " best[i]
		}
		for (i in all)
			for (j in all)
				missing += i != j && !depends_on(all[i], all[j]) && !((all[i], all[j]) in had)
		return missing
	}

	END {
		srand(seed)
		# Choose anew, at most 20 times, while a precedence is missing.
		for (left = 20; (missing = choose(loads) + choose(backwards)) && left; left--)
			;
		for (round = 1; round <= rounds; round++) {
			line = loads[round] " /"
			count = split(backwards[round], words, " ")
			for (i = count; i; i--)
				line = line " " words[i]
			middle = round % 2 ? "middle" : "c_middle"
			bridge = int(round / 2) % 2 ? "c_bridge" : "bridge"
			gsub("MIDDLE", middle, line)
			gsub("BRIDGE", bridge, line)
			print round, middle, bridge line
		}
		exit missing > 0
	}'
}

fresh_round()
{
	unload_all
	rm -f "$work"/given.* "$work/failed"
	running=''
	families=$(echo "$FAMILIES" | sed "s/MIDDLE/$1/; s/BRIDGE/$2/")
	reset_trace
}

exchange()
{
	text=1
	case $1 in
	sensor) device=consumer ;;
	c_lender) device=lender ;;
	# Each run of the torture needs a number of its own.
	torture_owner) device=$1 text="run 0 $2 $SEED 100 15" ;;
	torture_peer0) device=$1 text="run $((1000000 + $2)) $SEED 100 15" ;;
	*) device=$1 ;;
	esac
	[ -c "/dev/$device" ] && echo "$text" >"/dev/$device"
}

# traffic MODULE - makes an exchange for each line in the module's FIFO, until the line "end"
traffic()
{
	times=0
	while read -r line <&3 && [ "$line" != end ]; do
		times=$((times + 1))
		exchange "$1" "$times" 2>"$work/$1.error" || echo "$1: $(cat "$work/$1.error")" >>"$work/failed"
	done 3<>"$work/$1"
}

run_traffic()
{
	mkfifo "$work/$1"
	traffic "$1" &
	eval "traffic_$1=$!"
	running="$running $1"
}

# begin_traffic MODULE - starts the traffic that begins when this module is loaded
begin_traffic()
{
	case $1 in
	# These modules take part in the traffic of others.
	consumer | middle | c_middle | bridge | c_bridge | junction) ;;
	# lower1 sends requests to the middle, but c_middle serves no requests.
	lower1) loaded c_middle || run_traffic lower1 ;;
	# torture_owner has no events for its traffic before torture_peer0 attaches.
	torture_owner) ;;
	torture_peer0) run_traffic torture_owner && run_traffic torture_peer0 ;;
	*) run_traffic "$1" ;;
	esac
}

# end_traffic MODULE - ends the module's traffic, after all exchanges that give_work has asked for
end_traffic()
{
	[ -p "$work/$1" ] || return 0
	echo end >"$work/$1"
	eval "wait \$traffic_$1"
	rm "$work/$1"
	others=''
	for busy in $running; do
		[ "$busy" = "$1" ] || others="$others $busy"
	done
	running=$others
}

# give_work - tells each traffic to exchange once more, and adds a word to the file given.MODULE
give_work()
{
	for busy in $running; do
		echo go >"$work/$busy"
		echo go >>"$work/given.$busy"
	done
}

# are_apart - succeeds if the state of each owner in debugfs names its own drivers, and no others
are_apart()
{
	while read -r owner peers; do
		cat "$DEBUG/d2d-$owner/state"/* "$DEBUG/d2d-$owner/state.json" >"$work/state" || return
		for driver in $families; do
			wanted=no
			found=no
			case " $owner $peers " in
			*" $driver "*) wanted=yes ;;
			esac
			! grep -q "\<$driver\>" "$work/state" || found=yes
			echo "$owner knows $driver: $found" >"$NOTES"
			[ "$found" = "$wanted" ] || return
		done
	done <<-EOT
		$families
	EOT
}

# is_idle NAME - succeeds if NAME is no owner, or has no context in use and no request
is_idle()
{
	state=$DEBUG/d2d-$1/state
	[ -d "$state" ] || return 0
	grep -v state=free "$state/contexts" >"$NOTES"
	cat "$state/requests" >>"$NOTES"
	[ ! -s "$NOTES" ]
}

load_one()
{
	case $1 in
	module_a) load module_a contexts=5 hot_lines=0 ;;
	other_a) load other_a contexts=2 hot_lines=0 ;;
	torture_owner) load torture_owner contexts=1 ;;
	*) load "$1" ;;
	esac
}

load_and_unload_in()
{
	for module in ${1%/*}; do
		give_work
		load_one "$module" && begin_traffic "$module" || return
	done
	give_work
	are_apart || return
	for module in ${1#*/}; do
		give_work
		end_traffic "$module"
		[ "$module" != torture_owner ] || write_to /dev/torture_owner check || return
		is_idle "${module#c_}" && unload "$module" || return
	done
}

end_all()
{
	for module in $running; do
		end_traffic "$module"
	done
	[ ! -e "$work/failed" ] || ! cp "$work/failed" "$NOTES"
}

# traced_apart - succeeds if the trace shows no unexpected refusal and no lost item, and each line of an owner names
# only drivers that the owner knows. Each owner must have numbered its lines without a gap, and attached each peer once
traced_apart()
{
	trace | awk -v families="$(echo "$families" | tr '\n' ';')" '
	BEGIN {
		count = split(families, lines, ";")
		for (i = 1; i < count; i++) {
			n = split(lines[i], words, " ")
			peers[words[1]] = n - 1
			for (j = 1; j <= n; j++) {
				known[words[j]]
				family[words[1], words[j]]
			}
		}
		# c_middle is the owner "middle", but it traces its calls and items as "c_middle".
		family["middle", "c_middle"]
	}

	function number(name) {
		return match($0, " " name "=[0-9]+") ? substr($0, RSTART + length(name) + 2, RLENGTH - length(name) - 2) + 0 : ""
	}

	function wrong(what, line) {
		print what ": " line
		failed = 1
	}

	{
		sub(/^.*\] /, "")
		load = number("load")
		line[NR] = $0
		of[NR] = load
		steps[load]++
		if (number("seq") > last[load])
			last[load] = number("seq")
		if (seen[load, number("seq")]++)
			wrong("twice", $0)
	}
	# module_a may send a peer a request, or open an event of the peer, just when the peer unregisters.
	/ step=refuse / && !/ reason=(target-is-leaving errno=-108|unknown-event errno=-2) / || /incomplete/ { wrong("a failure", $0) }
	/ step=export/ { owner[load] = substr($1, 1, length($1) - 1) }
	/ step=attached / { attached[substr($1, 1, length($1) - 1)]++ }
	/ step=drain / && number("put") != number("taken") + number("left") { wrong("lost items", $0) }

	END {
		for (i = 1; i <= NR; i++) {
			count = split(line[i], words, "[^a-z0-9_]+")
			for (j = 1; j <= count; j++)
				if (words[j] in known && !((owner[of[i]], words[j]) in family))
					wrong("a line of " owner[of[i]] " names a module of another family", line[i])
		}
		for (load in steps)
			if (steps[load] != last[load])
				wrong("missing lines", owner[load] " printed " steps[load] " lines, the last one with seq=" last[load])
		for (i in peers)
			if (attached[i] != peers[i])
				wrong("attached", i " " attached[i] ", not " peers[i])
		exit failed
	}' >"$NOTES"
}

nothing_left()
{
	for driver in $families; do
		! loaded "$driver" && [ ! -e "/dev/$driver" ] && [ ! -e "$DEBUG/d2d-$driver" ] || return
	done
}

numbers()
{
	printed "$1" | sed -n "s/.*\<$2=\([0-9]*\).*/\1/p" | sort -n
}

# counted - succeeds if the drivers of two pairs have counted what the traffic should have done. In an exchange,
# - the sensor takes 16 samples, and the consumer collects them;
# - borrower puts 256 values into the ring of c_lender: 64 each in a process, a worker, softirq and hardirq;
# - c_borrower puts ten values, as it also does when it is loaded.
# c_lender must have taken all values, and must print the same counts as the borrowers.
counted()
{
	exchanges=$(wc -w <"$work/given.sensor")
	printed 'sensor|consumer|c_lender|borrower|c_borrower' >"$NOTES"
	[ "$(numbers consumer samples | wc -l)" = "$exchanges" ] && grep -q "raised samples=$((exchanges * 16)) lost=0\$" "$NOTES" &&
		[ "$(numbers c_lender taken)" = "$(printf '%s\n' $(($(wc -w <"$work/given.borrower") * 256)) \
			$(($(wc -w <"$work/given.c_borrower") * 10 + 10)) | sort -n)" ] &&
		[ "$(numbers c_lender counted)" = "$(numbers ' borrower|c_borrower' counted)" ] && ! grep -q differ "$NOTES"
}

begin "$ROUNDS"
echo "# the orders are those of seed $SEED"
orders >"$work/orders" || {
	echo "Bail out! $ROUNDS rounds are too few: some module is always loaded, or unloaded, before a certain other module"
	exit 1
}
while read -r number middle bridge line; do
	fresh_round "$middle" "$bridge"
	load_and_unload_in "$line"
	worked=$?
	end_all && [ "$worked" = 0 ] && nothing_left && traced_apart && counted
	verdict "round $number, with $middle and $bridge: all pairs exchange while modules are loaded and unloaded"
done <"$work/orders"
unload_all
ktap_finished
