#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The owner and the peers of the demonstration, built from three trees: qemu/tests/abi.sh has put the modules of the
# tree "old" and "grown" into these folders of /lib/d2d, and those of "today" are the others. "grown" has a function
# at the end of the owner's table that the other trees lack, d2d_sum(), and its c_peer calls it.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# from TREE - lets load() find the modules of a tree
from()
{
	D2D_MODULES=/lib/d2d/${1#today}
}

# has TREE NAME - whether the modules of a tree are here. Without them, the case NAME is skipped
has()
{
	from "$1"
	[ ! -f "$D2D_MODULES/module_a.ko" ] || return 0
	ktap_test_skip "$2: there are no modules of the tree $1"
	return 1
}

# fresh_owner TREE - brings about that the owner of this tree is loaded, with two contexts, and no peer
fresh_owner()
{
	needs_no c_peer module_b module_a
	reset_trace
	from "$1" && load module_a contexts=2
}

# load_peers TREE - loads a peer in Rust and one in C. Each exercises calls, items and requests, the one in Rust events, too
load_peers()
{
	from "$1" && load module_b && load c_peer
}

# all_take_part - whether both peers were attached and detached, were called, called the owner, and sent and received
# requests and items, without a refusal
all_take_part()
{
	for peer in module_b c_peer; do
		for step in "module_a: d2d: .* step=attached to=$peer " "module_a: d2d: .* step=rundown of=$peer " \
			"$peer: d2d: .* step=op-return from=owner op=bounce" "$peer: d2d: .* step=dispatch " \
			"$peer: d2d: .* step=completion " "$peer: d2d: .* step=enqueue " "$peer: d2d: .* step=dequeue "; do
			traced "$step" || { echo "not traced: $step" >"$NOTES" && return 1; }
		done
	done
	traced "step=op-return from=peer op=bounce" && ! traced "step=refuse"
}

begin 12

for owner in old today grown; do
	for peers in old today grown; do
		name="the owner of the tree $owner works with the peers of $peers: calls, items, requests, events"
		if has "$owner" "$name" && has "$peers" "$name"; then
			fresh_owner "$owner" && load_peers "$peers" && exercise module_b && exercise c_peer && exercise module_a &&
				unload c_peer && unload module_b && owner_is_idle && unload module_a && all_take_part
			verdict "$name"
		fi
	done
done

for owner in old today; do
	name="c_peer of grown finds no d2d_sum() in the owner of $owner: EOPNOTSUPP, and it cannot be loaded if it needs it"
	if has "$owner" "$name"; then
		fresh_owner "$owner" && from grown && load c_peer && [ "$(printed c_peer)" = "c_peer: d2d_sum: -$EOPNOTSUPP" ] &&
			unload c_peer && fails EOPNOTSUPP load c_peer needs=1 && ! loaded c_peer && owner_is_idle &&
			[ "$(trace | grep -c 'step=rundown')" = 2 ]
		verdict "$name"
	fi
done

fresh_owner grown && from grown && load c_peer needs=1 && [ "$(printed c_peer)" = "c_peer: d2d_sum: 42" ]
verdict "c_peer of grown calls d2d_sum() of the owner of grown"
unload_all
ktap_finished
