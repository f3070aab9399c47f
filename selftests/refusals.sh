#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Every refusal by name: its errno, one line with the reason, nothing left behind.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# Sins of a peer: what the owner refuses, and the reason it gives if that is not the
# name of the sin. SIN ERRNO [REASON]
peer_sins()
{
	cat <<-EOT
	bad-magic            EBADMSG
	bad-size             EMSGSIZE
	bad-major            EPROTO
	bad-name             EINVAL
	name-too-long        ENAMETOOLONG
	name-taken           ENOTUNIQ
	no-dispatch-or-owner EFAULT
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

# Sins of an owner: what module_b and c_peer refuse, the first with a line that has the REASON.
# SIN REASON ERRNO
owner_sins()
{
	cat <<-EOT
	bad-request   bad-magic     EBADMSG
	no-context    no-context    EFAULT
	bad-magic     bad-magic     EBADMSG
	bad-size      bad-size      EMSGSIZE
	bad-major     bad-major     EPROTO
	bad-context-pointer bad-context-pointer EFAULT
	unreadable-context  bad-context-pointer EFAULT
	unmapped-context    bad-context-pointer EFAULT
	half-context        bad-context-pointer EFAULT
	bad-layout    bad-layout    EBADE
	no-ops-table  no-ops-table  EFAULT
	bad-ops-major bad-ops-major EPROTO
	bad-ops-size  bad-ops-size  EMSGSIZE
	bad-ops-pointer bad-ops-pointer EFAULT
	unmapped-ops  bad-ops-pointer EFAULT
	half-ops      bad-ops-pointer EFAULT
	bad-build     bad-build     EXDEV
	bad-prefix    bad-prefix    EBADR
	no-chain      bad-chain-pointer EFAULT
	misaligned-chain bad-chain-pointer EFAULT
	unmapped-chain bad-chain-pointer EFAULT
	half-chain    bad-chain-pointer EFAULT
	bad-module-pointer bad-module-pointer EFAULT
	misaligned-module  bad-module-pointer EFAULT
	unmapped-module    bad-module-pointer EFAULT
	operation-outside-text operation-outside-text ENOEXEC
	EOT
}

# What a peer can do wrong with an item. SIN ERRNO
item_sins()
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

# Parameters out of range. MODULE PARAMETER
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
	module_b deferred=2
	EOT
}

start $(($(peer_sins | wc -l) + $(item_sins | wc -l) + 2 * $(owner_sins | wc -l) + $(parameters | wc -l) + 15))

# The loader's own refusal.
mark
fails ENOENT load module_b && ! loaded module_b
verdict "module_b before module_a"

load module_a timeout=100
while read -r sin errno reason; do
	mark
	fails "$errno" load bad_peer "sin=$sin" && refused module_a "${reason:-$sin}" && ! loaded bad_peer
	verdict "a peer's $sin"
done <<EOT
$(peer_sins)
EOT

mark
fails ETIMEDOUT load bad_peer sin=not-completed-in-time && ! loaded bad_peer &&
	[ "$(trace | sed -n 's/.*step=refuse reason=\([^ ]*\).*/\1/p' | xargs)" = \
		"not-completed-in-time already-attached stale-request-handle" ]
verdict "a peer that completes its request when its time is over"

for sin in stale-attach stale-unregister; do
	mark
	fails ESTALE load bad_peer "sin=$sin" && refused module_a stale-driver-handle && ! loaded bad_peer
	verdict "a peer's $sin with the handle of an earlier registration"
done

mark
fails ESTALE load bad_peer sin=old-request-handle && refused module_a stale-request-handle && ! loaded bad_peer
verdict "a peer's old handle while another request is on its way"

mark
fails E2BIG load bad_peer sin=too-many-hops && ! loaded bad_peer
verdict "a peer's call with too many hops"

# Refused in C, by the header that the peer was compiled with, and counted.
while read -r sin errno; do
	fails "$errno" load bad_peer "sin=$sin" && ! loaded bad_peer
	verdict "a peer's $sin"
done <<EOT
$(item_sins)
EOT

mark
fails ENOTRECOVERABLE load bad_peer sin=item-not-released && trace | grep -q "step=drain ctx=c0 queue=to_peer revoked=1"
verdict "an item that a peer keeps is taken back when it detaches"

# Nothing of all that was kept: the one context can be had.
mark
load bad_peer sin=none && trace | grep -q "step=attached to=bad_peer"
verdict "after all refusals a C peer that does nothing wrong is attached"

mark
fails EBUSY load module_b && refused module_a no-free-context && ! loaded module_b
verdict "no free context"

mark
fails EAGAIN unload module_a && [ -z "$(trace)" ]
verdict "module_a cannot be removed while a peer is there"

mark
unload bad_peer && trace | grep -q "step=unregister name=bad_peer" && load module_b
verdict "the context is free again"

mark
! echo 0 2>/dev/null >/sys/kernel/debug/d2d-module_b/exercise &&
	refused module_b parameter-out-of-range
verdict "no round of the exercise"

mark
! echo rubbish 2>/dev/null >/sys/kernel/debug/d2d-module_b/exercise && [ -z "$(trace)" ]
verdict "rubbish written to the exercise"
mark
exec 3>/sys/kernel/debug/d2d-module_b/exercise
fails EAGAIN unload module_b && loaded module_b && [ -z "$(trace)" ]
verdict "module_b cannot be removed while its file is open"
exec 3>&-
unload module_b
unload module_a

# owner_refused REASON - bad_owner's lines are not of the pair's grammar
owner_refused()
{
	dmesg | awk -v mark="$MARK" 'index($0, mark) { n = "" } { n = n "\n" $0 } END { print n }' |
		grep -q "module_b: bad_owner: step=refuse reason=$1 "
}

while read -r sin reason name; do
	load bad_owner "sin=$sin"
	mark
	fails "$name" load module_b && ! loaded module_b && owner_refused "$reason"
	verdict "an owner's $sin"
	unload bad_owner

	# A peer in C does not look at the request that brings the context.
	[ "$sin" != bad-request ] || continue
	load bad_owner "sin=$sin"
	fails "$name" load c_peer && ! loaded c_peer
	verdict "an owner's $sin, to a peer in C"
	unload bad_owner
done <<EOT
$(owner_sins)
EOT

load bad_owner sin=unknown-code
mark
fails ENOTTY load module_b && ! loaded module_b
verdict "an owner's unknown control code"
unload bad_owner

mark
fails ENOMEM load module_a contexts=64 capacity=1048576 item_size=4096 && ! loaded module_a &&
	refused module_a out-of-memory && ! trace | grep -q step=alloc
verdict "more memory than there is"

while read -r module parameter; do
	[ "$module" = module_a ] || load module_a
	mark
	fails ERANGE load "$module" "$parameter" && ! loaded "$module" &&
		refused "$module" parameter-out-of-range
	verdict "$module with $parameter"
	unload_all
done <<EOT
$(parameters)
EOT
ktap_finished
