#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Both modules come and go, in any allowed order, any number of times, and what
# lies on the queues stays there for the next one.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

PEER_ROUNDS=20
OWNER_ROUNDS=5

# counted FIELD - the sum of FIELD=n over all enqueue lines of one queue since the mark
counted()
{
	trace | sed -n "s/.*step=$1 queue=$2 n=\([0-9]*\).*/\1/p" | awk '{ sum += $1 } END { print sum + 0 }'
}

rounds()
{
	n=0
	while [ "$n" -lt "$PEER_ROUNDS" ]; do
		load module_b "deferred=$((n % 2))" && unload module_b || return 1
		n=$((n + 1))
	done
}

owner_rounds()
{
	n=0
	while [ "$n" -lt "$OWNER_ROUNDS" ]; do
		load module_a "completion=$((n % 3))" "contexts=$((n + 1))" && unload module_a || return 1
		n=$((n + 1))
	done
}

start 5

mark
owner_rounds && [ "$(trace | grep -c 'step=unload')" = "$OWNER_ROUNDS" ]
verdict "module_a comes and goes alone"

# With a completion routine and a deferred answer nobody waits for the handshake before
# the removal begins.
mark
load module_a completion=1
rounds && [ "$(trace | grep -c 'step=attached')" = "$PEER_ROUNDS" ]
verdict "module_b comes and goes $PEER_ROUNDS times"

# A leaves two items for the next peer each time: all but the last two were taken.
[ "$(counted enqueue to_peer)" = $(($(counted dequeue to_peer) + 2)) ] &&
	[ "$(counted enqueue to_owner)" = "$(counted dequeue to_owner)" ]
verdict "every item was taken by some module_b, but for those that wait for the next"

[ "$(cut -d ' ' -f 1,3 /proc/modules | grep '^module_a ')" = "module_a 0" ]
verdict "nothing pins module_a"

mark
unload module_a && trace | grep -q "step=drain ctx=c0 queue=to_peer left=2 " && ! loaded module_a
verdict "module_a counts what is left and goes"
ktap_finished
