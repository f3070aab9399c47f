#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Owners work with peers that were built from another version of the library. qemu/tests/abi.sh builds the modules from
# three source trees:
#   today  this tree; its modules are in /lib/d2d
#   old    the commit that shared/owner/recorded.h names; its modules are in /lib/d2d/old
#   grown  a copy of this tree, in /lib/d2d/grown. Its owner has one more function, d2d_sum(), which its c_peer calls
#
# The growing pair is a pair of the tests. After the commit of old, its version 1.0 got one more operation. This
# operation precedes those of version 1.1, so today's owners refuse the peers of old with version 1.1. This program
# loads only the peers of old with version 1.0.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# from TREE - makes load() take the modules of TREE
from()
{
	D2D_MODULES=/lib/d2d/${1#today}
}

# has_or_skips TREE NAME - if the modules of TREE are missing, reports the case NAME as skipped, and fails
has_or_skips()
{
	from "$1"
	[ ! -f "$D2D_MODULES/module_a.ko" ] || return 0
	ktap_test_skip "$2: there are no modules of the tree $1"
	return 1
}

# fresh_owner_of TREE [MODULE] - reloads an owner of TREE: module_a, or c_owner, whose name as an owner is module_a
fresh_owner_of()
{
	unload_if_loaded c_peer module_b module_a c_owner
	reset_trace
	from "$1" && load "${2-module_a}" contexts=2
}

load_peers()
{
	from "$1" && load module_b && load c_peer
}

all_traced()
{
	for text; do
		traced "$text" || { echo "not traced: $text" >"$NOTES" && return 1; }
	done
}

# all_take_part OWNER - succeeds if the trace has no refusal, and shows that both peers attached, exchanged with the
# owner, and detached. c_owner does not trace calls and items
all_take_part()
{
	for peer in module_b c_peer; do
		all_traced "module_a: d2d: .* step=attached to=$peer " "module_a: d2d: .* step=rundown of=$peer " \
			"$peer: d2d: .* step=update " "$peer: d2d: .* step=dispatch " "$peer: d2d: .* step=completion " || return
		[ "$1" = c_owner ] || all_traced "$peer: d2d: .* step=op-return from=owner op=bounce" \
			"$peer: d2d: .* step=enqueue " "$peer: d2d: .* step=dequeue " "step=op-return from=peer op=bounce" || return
	done
	! traced "step=refuse"
}

attach_all()
{
	from old
	for peer; do
		load "$peer" && traced "growing: d2d: .* step=attached to=$peer " && unload "$peer" || return
	done
}

begin 26

for owner in old today grown; do
	for peers in old today grown; do
		for module in module_a c_owner; do
			name="$module of $owner and the peers of $peers exchange calls, items, requests and events"
			if has_or_skips "$owner" "$name" && has_or_skips "$peers" "$name"; then
				fresh_owner_of "$owner" "$module" && load_peers "$peers" &&
					exercise module_b && exercise c_peer && exercise "$module" &&
					unload c_peer && unload module_b && owner_is_idle && unload "$module" &&
					all_take_part "$module"
				verdict "$name"
			fi
		done
	done
done

for owner in old today; do
	name="c_peer of grown calls d2d_sum(), which the owner of $owner lacks: EOPNOTSUPP; c_peer with needs_sum=1 is not loaded"
	if has_or_skips "$owner" "$name"; then
		fresh_owner_of "$owner" && from grown && load c_peer && [ "$(printed c_peer)" = "c_peer: d2d_sum: -$EOPNOTSUPP" ] &&
			unload c_peer && fails EOPNOTSUPP load c_peer needs_sum=1 && ! loaded c_peer && owner_is_idle &&
			[ "$(trace | grep -c 'step=rundown')" = 2 ]
		verdict "$name"
	fi
done

fresh_owner_of grown && from grown && load c_peer needs_sum=1 && [ "$(printed c_peer)" = "c_peer: d2d_sum: 42" ]
verdict "c_peer of grown calls d2d_sum() of the owner of grown: the call returns the sum"

while read -r owner version; do
	unload_all
	reset_trace
	name="$owner of today, with version $version of the pair's interface, works with the peers of old that have version 1.0"
	if has_or_skips old "$name"; then
		from today
		load "$owner" && attach_all growing_v1_0 growing_c && ! traced step=refuse && unload "$owner"
		verdict "$name"
	fi
done <<EOT
growing_owner_v1_0    1.0
growing               1.1
growing_owner_v1_2    1.2
growing_owner_c       1.0
growing_owner_c_v1_1  1.1
EOT
unload_all
ktap_finished
