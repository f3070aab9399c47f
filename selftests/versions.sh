#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Peers that were built with another version of the boundary (d2d.h) or of the pair's interface.
# Compatible peers work; the others cannot attach, and one dmesg line says why.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# fresh_growing - makes sure that `growing` is loaded, an owner that was built with version 1.1 of its pair's interface
fresh_growing()
{
	needs growing
	reset_trace
}

begin 19
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
verdict "a peer with a newer, longer operations table is attached, and the owner can call the operations that it knows"

# These peers refuse the owner's operations table before the owner sees theirs. Each line is MODULE
# ERRNO REASON, and what differs between the peer and the owner
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

# Each line is PEER VERSION
while read -r peer version; do
	fresh_growing
	load "$peer" && trace | grep -q "step=attached to=$peer" && unload "$peer"
	verdict "$peer, with version $version of the pair's interface, is attached to an owner with version 1.1"
done <<EOT
growing_v1_1 1.1
growing_v1_0 1.0
growing_c 1.0
growing_v1_2 1.2
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
unload growing
ktap_finished
