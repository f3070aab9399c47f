#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A driver's registration or handshake, or a parameter of a module, has a fault. The call fails with an errno, and one
# line in dmesg has the reason.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# If a line of the tables below has no REASON, FAULT is the reason.

# The faults of bad_peer that the owner refuses. Each line is FAULT ERRNO [REASON]
peer_faults()
{
	cat <<-EOT
	bad-magic            EBADMSG
	bad-size             EMSGSIZE
	bad-major            EPROTO
	bad-name             EINVAL
	name-too-long        ENAMETOOLONG
	name-taken           ENOTUNIQ
	no-dispatch          EFAULT no-dispatch-or-owner
	no-driver            EFAULT
	too-many-drivers     ENFILE
	not-attached         ENOTCONN
	not-completed        EIO
	no-ops-table         EFAULT
	bad-ops-major        EPROTO
	bad-ops-size         EMSGSIZE
	already-attached     EALREADY
	stale-request-handle ESTALE
	still-attached       EBUSY
	bad-status           EIO
	bad-layout           EBADE
	bad-driver-pointer   EFAULT
	unreadable-driver    EFAULT bad-driver-pointer
	bad-module-pointer   EFAULT
	unreadable-module    EFAULT bad-module-pointer
	dispatch-outside-text ENOEXEC
	dispatch-in-init-text ENOEXEC dispatch-outside-text
	hot-keys-outside-data ENOEXEC
	misaligned-hot-keys  ENOEXEC hot-keys-outside-data
	bad-ops-pointer      EFAULT
	unreadable-ops       EFAULT bad-ops-pointer
	garbage-ops-size     EMSGSIZE bad-ops-size
	bad-build            EXDEV
	bad-chain-pointer    EFAULT
	unreadable-chain     EFAULT bad-chain-pointer
	wrong-interface      EBADR bad-prefix
	bad-prefix           EBADR
	operation-outside-text ENOEXEC
	operation-in-init-text ENOEXEC operation-outside-text
	detach-from-inside   EDEADLK
	never-completed      ETIMEDOUT not-completed-in-time
	EOT
}

# The faults of bad_peer that the owner only logs: no call of bad_peer fails. Each line is FAULT ERRNO [REASON]
silent_faults()
{
	cat <<-EOT
	unknown-step       EINVAL
	bad-record-pointer EFAULT
	unknown-kind       ENOMSG unknown-item
	short-payload      ENOMSG unknown-item
	EOT
}

# The faults of bad_owner that module_b and c_peer refuse. Each line is FAULT ERRNO [REASON]
owner_faults()
{
	cat <<-EOT
	bad-request            EBADMSG bad-magic
	no-context             EFAULT
	bad-magic              EBADMSG
	bad-size               EMSGSIZE
	bad-major              EPROTO
	bad-context-pointer    EFAULT
	unreadable-context     EFAULT bad-context-pointer
	unmapped-context       EFAULT bad-context-pointer
	half-context           EFAULT bad-context-pointer
	bad-layout             EBADE
	half-data              EFAULT bad-context-pointer
	bad-data-size          EMSGSIZE
	too-much-data          EMSGSIZE bad-data-size
	no-ops-table           EFAULT
	bad-ops-major          EPROTO
	bad-ops-size           EMSGSIZE
	bad-ops-pointer        EFAULT
	unmapped-ops           EFAULT bad-ops-pointer
	half-ops               EFAULT bad-ops-pointer
	bad-build              EXDEV
	bad-prefix             EBADR
	no-chain               EFAULT bad-chain-pointer
	misaligned-chain       EFAULT bad-chain-pointer
	unmapped-chain         EFAULT bad-chain-pointer
	half-chain             EFAULT bad-chain-pointer
	bad-module-pointer     EFAULT
	misaligned-module      EFAULT bad-module-pointer
	unmapped-module        EFAULT bad-module-pointer
	operation-outside-text ENOEXEC
	EOT
}

# The faults of bad_peer that concern an item. Each line is FAULT ERRNO
item_faults()
{
	cat <<-EOT
	stale-item          ESTALE
	item-redeemed-twice ESTALE
	item-released-twice ESTALE
	foreign-item        ESTALE
	item-of-no-pool     ESTALE
	item-too-long       EMSGSIZE
	full-queue          ENOSPC
	EOT
}

# Parameters that are out of range. Each line is MODULE PARAMETER=VALUE
parameters()
{
	cat <<-EOT
	module_a contexts=0
	module_a contexts=65
	module_a capacity=0
	module_a capacity=1048577
	module_a item_size=7
	module_a item_size=4097
	module_a completion=3
	module_a timeout=0
	module_a timeout=600001
	module_a hot_lines=2
	module_b deferred=2
	EOT
}

fresh_no_peer()
{
	unload_if_loaded bad_peer module_b bad_owner
	load_unless_loaded module_a timeout=100
	reset_trace
}

fresh_peer()
{
	fresh_no_peer
	load "$@"
	reset_trace
}

fresh_bad_owner()
{
	unload_all
	load bad_owner "fault=$1"
	reset_trace
}

begin $(($(peer_faults | wc -l) + $(silent_faults | wc -l) + $(item_faults | wc -l) + 2 * $(owner_faults | wc -l) + $(parameters | wc -l) + 15))

fresh_trace
fails ENOENT load module_b && ! loaded module_b
verdict "module_b is loaded before module_a: ENOENT"

while read -r fault errno reason; do
	fresh_no_peer
	fails "$errno" load bad_peer "fault=$fault" && only_refusal_is module_a "${reason:-$fault}" "$errno" &&
		! loaded bad_peer
	verdict "a peer with the fault $fault: ${reason:-$fault}, $errno"
done <<EOT
$(peer_faults)
EOT

while read -r fault errno reason; do
	fresh_no_peer
	fails ENOTRECOVERABLE load bad_peer "fault=$fault" && only_refusal_is module_a "${reason:-$fault}" "$errno" &&
		! loaded bad_peer
	verdict "a peer with the fault $fault: ${reason:-$fault}, $errno in the log"
done <<EOT
$(silent_faults)
EOT

fresh_no_peer
fails ETIMEDOUT load bad_peer fault=completed-late && ! loaded bad_peer &&
	[ "$(trace | sed -n 's/.*step=refuse reason=\([^ ]*\).*/\1/p' | xargs)" = \
		"not-completed-in-time already-attached stale-request-handle" ]
verdict "a peer completes its handshake after the timeout: not-completed-in-time, already-attached, stale-request-handle"

for fault in stale-attach stale-unregister; do
	fresh_no_peer
	fails ESTALE load bad_peer "fault=$fault" && only_refusal_is module_a stale-driver-handle && ! loaded bad_peer
	verdict "a peer with the fault $fault uses the handle of an earlier registration: stale-driver-handle, ESTALE"
done

fresh_no_peer
fails ESTALE load bad_peer fault=old-request-handle && only_refusal_is module_a stale-request-handle && ! loaded bad_peer
verdict "a peer completes an old request by its handle while a new request is pending: stale-request-handle, ESTALE"

fresh_no_peer
fails E2BIG load bad_peer fault=too-many-hops && ! loaded bad_peer
verdict "a peer calls the owner's bounce with too many hops: E2BIG"

# In bad_peer, inline functions of the C headers refuse these faults. They log no line.
while read -r fault errno; do
	fresh_no_peer
	fails "$errno" load bad_peer "fault=$fault" && ! loaded bad_peer
	verdict "a peer with the fault $fault: $errno"
done <<EOT
$(item_faults)
EOT

fresh_no_peer
fails ENOTRECOVERABLE load bad_peer fault=item-not-released && trace | grep -q "step=drain ctx=c0 queue=to_peer revoked=1"
verdict "a peer detaches and keeps an item: the item's handle is revoked"

fresh_no_peer
load bad_peer fault=none && trace | grep -q "step=attached to=bad_peer"
verdict "a peer in C without a fault is attached: the refusals have left the context free"

fresh_peer bad_peer fault=none
fails EBUSY load module_b && only_refusal_is module_a no-free-context && ! loaded module_b
verdict "no-free-context: the owner has one context, and a second peer gets EBUSY"

fresh_peer bad_peer fault=none
fails EAGAIN unload module_a && [ -z "$(trace)" ]
verdict "module_a is unloaded while a peer is loaded: EAGAIN"

fresh_peer bad_peer fault=none
unload bad_peer && trace | grep -q "step=unregister name=bad_peer" && load module_b
verdict "a peer is unloaded: its context is free for module_b"

fresh_peer module_b
fails ERANGE write_to /dev/module_b 0 &&
	only_refusal_is module_b parameter-out-of-range
verdict "parameter-out-of-range: the number 0 is written to the device: ERANGE"

fresh_peer module_b
fails EINVAL write_to /dev/module_b rubbish && [ -z "$(trace)" ]
verdict "a word that is no number is written to the device: EINVAL, and no refusal in the trace"

fresh_peer module_b
exec 3</dev/module_b
fails EAGAIN unload module_b && loaded module_b && [ -z "$(trace)" ]
verdict "module_b is unloaded while its device is open: EAGAIN"
exec 3>&-

# refusal_is MODULE REASON - succeeds if MODULE has refused bad_owner for this reason. trace() does not find the line,
# because bad_owner prints "bad_owner:" in it instead of "d2d:"
refusal_is()
{
	dmesg | awk -v start="$TRACE_START" 'index($0, start) { n = "" } { n = n "\n" $0 } END { print n }' |
		grep -q "$1: bad_owner: step=refuse reason=$2 "
}

while read -r fault errno reason; do
	reason=${reason:-$fault}
	fresh_bad_owner "$fault"
	fails "$errno" load module_b && ! loaded module_b && refusal_is module_b "$reason"
	verdict "an owner with the fault $fault: $reason, $errno"

	# c_peer does not check the header of the request, which has this fault.
	[ "$fault" != bad-request ] || continue
	fresh_bad_owner "$fault"
	fails "$errno" load c_peer && ! loaded c_peer && refusal_is c_peer "$reason"
	verdict "an owner with the fault $fault, and a peer in C: $reason, $errno"
done <<EOT
$(owner_faults)
EOT

fresh_bad_owner unknown-code
fails ENOTTY load module_b && ! loaded module_b
verdict "an owner sends a peer an unknown control code: ENOTTY"
unload bad_owner

fresh_trace
fails ENOMEM load module_a contexts=64 capacity=1048576 item_size=4096 && ! loaded module_a &&
	only_refusal_is module_a out-of-memory && ! trace | grep -q step=alloc
verdict "out-of-memory: the contexts need more memory than the machine has: ENOMEM"

while read -r module parameter; do
	fresh_trace
	[ "$module" = module_a ] || load module_a
	reset_trace
	fails ERANGE load "$module" "$parameter" && ! loaded "$module" &&
		only_refusal_is "$module" parameter-out-of-range
	verdict "parameter-out-of-range: $module with $parameter: ERANGE"
	unload_all
done <<EOT
$(parameters)
EOT
ktap_finished
