#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# module_a and module_b are loaded and unloaded many times, in each order that the kernel allows. In the last cases, one
# driver learns that another driver is loaded, and sends it a request as a greeting.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

PEER_ROUNDS=20
OWNER_ROUNDS=5

# items STEP QUEUE - prints how many items these steps have put or taken
items()
{
	trace | sed -n "s/.*step=$1 queue=$2 ctx=c0 n=\([0-9]*\).*/\1/p" | awk '{ sum += $1 } END { print sum + 0 }'
}

peer_rounds()
{
	n=0
	while [ "$n" -lt "$1" ]; do
		load module_b "deferred=$((n % 2))" && unload module_b || return 1
		n=$((n + 1))
	done
}

# With completion=1 and deferred=1 no thread waits for the handshake, so unloading may begin while the handshake is
# pending.
fresh_rounds()
{
	unload_if_loaded arrivals greeter_peer guest_peer module_b module_a
	reset_trace
	load module_a completion=1 "timeout=$LONG_TIMEOUT" && peer_rounds "$1"
}

fresh_module_a()
{
	unload_if_loaded arrivals greeter_peer guest_peer module_b module_a
	reset_trace
	load module_a "$@"
}

greetings()
{
	[ "$(printed "$1" | grep -c 'answer=42$')" = "$2" ]
}

owner_rounds()
{
	n=0
	while [ "$n" -lt "$OWNER_ROUNDS" ]; do
		load module_a "completion=$((n % 3))" "contexts=$((n + 1))" && unload module_a || return 1
		n=$((n + 1))
	done
}

begin 9

fresh_trace
owner_rounds && [ "$(trace | grep -c 'step=unload')" = "$OWNER_ROUNDS" ]
verdict "module_a is loaded and unloaded $OWNER_ROUNDS times, without a peer"

fresh_rounds "$PEER_ROUNDS" && [ "$(trace | grep -c 'step=attached')" = "$PEER_ROUNDS" ]
verdict "module_b is loaded and unloaded $PEER_ROUNDS times, and attached each time"

# Each time module_b is unloaded, module_a puts two items for the next peer.
fresh_rounds "$PEER_ROUNDS" && [ "$(items enqueue to_peer)" = $(($(items dequeue to_peer) + 2)) ] &&
	[ "$(items enqueue to_owner)" = "$(items dequeue to_owner)" ]
verdict "module_b is loaded and unloaded $PEER_ROUNDS times: all items but the last two are taken"

fresh_rounds 2 && [ "$(cut -d ' ' -f 1,3 /proc/modules | grep '^module_a ')" = "module_a 0" ]
verdict "module_a has no users after module_b is unloaded"

fresh_rounds 2 && unload module_a && trace | grep -q "step=drain ctx=c0 queue=to_peer left=2 " && ! loaded module_a
verdict "module_a is unloaded: module_a logs that two items are left"

fresh_module_a
load arrivals && load module_b && await greetings arrivals 1 && unload module_b && load module_b && await greetings arrivals 2 &&
	unload module_b && unload arrivals && unload module_a
verdict "arrivals, in C, is loaded before module_b: arrivals greets module_b each time that module_b is loaded"

fresh_module_a
load module_b && load arrivals && await greetings arrivals 1 && unload arrivals && unload module_b && unload module_a
verdict "arrivals, in C, is loaded after module_b: arrivals greets module_b"

fresh_module_a contexts=2
load greeter_peer && load guest_peer && await greetings greeter_peer 1 && unload guest_peer && load guest_peer &&
	await greetings greeter_peer 2 && unload greeter_peer && unload guest_peer && unload module_a
verdict "greeter_peer, in Rust, is loaded before guest_peer: greeter_peer greets guest_peer each time that guest_peer is loaded"

fresh_module_a contexts=2
load guest_peer && load greeter_peer && await greetings greeter_peer 1 && unload guest_peer && unload greeter_peer && unload module_a
verdict "greeter_peer, in Rust, is loaded after guest_peer: greeter_peer greets guest_peer"
ktap_finished
