#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Peers that were built with another version of the boundary (d2d.h) or of the pair's interface. Compatible peers work.
# The others cannot attach, and one dmesg line says why.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

fresh_growing()
{
	# shellcheck disable=SC2046 # lists
	unload_if_loaded $(growing_peers | cut -d ' ' -f 1) $(growing_owners | awk -v owner="${1-growing}" '$1 != owner { print $1 }')
	load_unless_loaded "${1-growing}"
	reset_trace
}

# The owners of the growing pair. Each line is MODULE MINOR ITEMS. Each minor version after 0 appends a kind of items,
# longer than those of the older kinds. The owner's queues have room for the items of the minor versions up to ITEMS
growing_owners()
{
	cat <<-EOT
	growing_owner_v1_0    0 0
	growing               1 1
	growing_owner_v1_2    2 2
	growing_owner_c       0 2
	growing_owner_c_v1_1  1 2
	EOT
}

# The peers of the growing pair. Each line is MODULE MINOR
growing_peers()
{
	cat <<-EOT
	growing_v1_0    0
	growing_v1_1    1
	growing_v1_2    2
	growing_c       0
	growing_c_v1_1  1
	EOT
}

refusals()
{
	trace | sed -n 's/.*\<\([a-z0-9_]*\): d2d: .*step=refuse reason=\([a-z-]*\).*/\1 \2/p'
}

repeated()
{
	for _ in $(seq 1 "$1"); do
		echo "$2"
	done
}

smaller()
{
	echo $(($1 < $2 ? $1 : $2))
}

# Version 1.1 has appended fields to the data. A peer refuses an owner whose data lacks fields that the peer knows.
verb_of()
{
	if [ "$1" = 0 ] && [ "$2" != 0 ]; then
		echo refuses
	else
		echo "works with"
	fi
}

# agree OWNER_MINOR ITEMS PEER PEER_MINOR - succeeds if the owner and the peer exchange what both know. The owner must
# refuse events and items that only a newer peer knows; items that do not fit into the queue do not reach the owner. The
# peer must refuse items that only a newer owner knows.
agree()
{
	load "$3" && trace | grep -q "step=attached to=$3" &&
		[ "$(printed "$3")" = "$3: the newest version that both drivers have is 1.$(smaller "$1" "$4")" ] &&
		[ "$(refusals)" = "$(
			repeated $(($(smaller "$2" "$4") - $1)) "growing unknown-item"
			repeated $(($4 - $1)) "growing unknown-event"
			repeated $(($1 - $4)) "$3 unknown-item"
		)" ] && unload "$3"
}

begin $((15 + $(growing_owners | wc -l) * $(growing_peers | wc -l)))
load module_a

fresh_trace
load skew_older && trace | grep -q "step=attached to=skew_older"
verdict "a peer with an older, shorter operations table is attached"
unload skew_older

fresh_trace
load skew_older && trace | grep -q "step=op-return from=peer op=ping" && trace | grep -q "step=op-return errno=-$EOPNOTSUPP "
verdict "the owner calls an operation that a peer's older table does not have: EOPNOTSUPP"
unload skew_older

fresh_trace
load skew_newer && trace | grep -q "step=op-return from=peer op=bounce" && unload skew_newer
verdict "a peer with a newer, longer operations table is attached, and the owner can call the operations that the owner knows"

# These peers refuse the owner. Each line is MODULE ERRNO REASON DIFFERENCE (of the peer from the owner)
while read -r module errno reason difference; do
	fresh_trace
	fails "$errno" load "$module" && ! loaded "$module" && only_refusal_is "$module" "$reason"
	verdict "$module, with $difference: $reason, $errno"
done <<EOT
skew_reordered EBADR bad-prefix another order of the operations
skew_signature EBADR bad-prefix another type of an argument
skew_payload EBADR bad-prefix two fields of a payload swapped
skew_event EBADR bad-prefix another kind of an event
skew_major EPROTO bad-ops-major another major version of the interface
skew_build_id EXDEV bad-build another build ID
EOT

fresh_trace
fails EBADE load skew_core && ! loaded skew_core && only_refusal_is module_a bad-layout
verdict "skew_core, with a wider field in a structure of d2d.h: bad-layout, EBADE"

fresh_trace
load skew_table && unload skew_table
verdict "a function that the owner's table lacks returns EOPNOTSUPP, if the table is shorter or has another major version"

unload module_a

while read -r owner owner_minor items; do
	while read -r peer peer_minor; do
		verb=$(verb_of "$owner_minor" "$peer_minor")
		fresh_growing "$owner"
		if [ "$verb" = refuses ]; then
			fails EMSGSIZE load "$peer" && ! loaded "$peer" && only_refusal_is "$peer" bad-data-size
		else
			agree "$owner_minor" "$items" "$peer" "$peer_minor"
		fi
		verdict "$peer, with version 1.$peer_minor of the pair's interface, $verb $owner, with version 1.$owner_minor"
	done <<-PEERS
	$(growing_peers)
	PEERS
done <<EOT
$(growing_owners)
EOT

fresh_growing
load growing_v1_1 && unload growing_v1_1 && load growing_v1_0 && unload growing_v1_0
verdict "the owner zeroes the data of a peer before each handshake: what an older peer does not fill in is zero"

fresh_growing
fails EMSGSIZE load growing_v1_2_data && ! loaded growing_v1_2_data && only_refusal_is growing_v1_2_data bad-data-size
verdict "growing_v1_2_data, with one more field in the shared data: bad-data-size, EMSGSIZE"

fresh_growing
fails EBADR load growing_swapped && ! loaded growing_swapped && only_refusal_is growing_swapped bad-prefix
verdict "growing_swapped, whose pair has two arguments of an operation in the other order: bad-prefix, EBADR"

fresh_growing
fails EBADR load growing_stale && ! loaded growing_stale && only_refusal_is growing_stale bad-prefix
verdict "growing_stale, a peer in C that was built with a stale header of the pair: bad-prefix, EBADR"
unload_all
ktap_finished
