#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# An owner in C (peers/c_owner.c). It exports the table of module_a, so the peers of module_a can attach to it.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

fresh_none()
{
	unload_all
	reset_trace
}

fresh_c_owner()
{
	fresh_none
	load c_owner "$@"
}

fresh_peers()
{
	fresh_c_owner "contexts=$#"
	for peer; do
		load "$peer"
	done
}

# all_exercise PEER... - exercises the owner and these peers at the same time, five rounds each
all_exercise()
{
	pids=
	for name in c_owner "$@"; do
		exercise "$name" 5 &
		pids="$pids $!"
	done
	# shellcheck disable=SC2086 # a list
	all_succeed $pids
}

refusals_are()
{
	[ "$(trace | sed -n 's/.*step=refuse reason=\([a-z-]*\).*/\1/p' | xargs)" = "$*" ]
}

both_update()
{
	traced "module_a: d2d: .* step=attached to=$1 ctx=c0" && traced "module_a: d2d: .* step=update" &&
		traced "$1: d2d: .* step=update"
}

# updates_are_exact - after all_exercise with one peer, succeeds if the shared data has counted each update. In each of
# the five rounds, the owner makes one update. The peer makes four: in a process, a worker, softirq and hardirq
updates_are_exact()
{
	[ "$(trace | sed -n "s/.*step=update ctx=c0 value=//p" | sort -n | xargs)" = "$(seq $((5 * (1 + 4))) | xargs)" ]
}

# The parameters with which d2d_owner_start() fails. Each line is PARAM=VALUE REASON ERRNO
faults()
{
	cat <<-EOT
	fault=no-dispatch     incomplete-owner       EFAULT
	fault=no-ops          incomplete-owner       EFAULT
	fault=no-peer-ops     incomplete-owner       EFAULT
	fault=no-handle       incomplete-owner       EFAULT
	fault=zero-ops        incomplete-owner       EFAULT
	fault=zero-peer-ops   incomplete-owner       EFAULT
	fault=no-sizes        incomplete-owner       EFAULT
	fault=returned-outside  routine-outside-text ENOEXEC
	fault=completed-outside routine-outside-text ENOEXEC
	fault=attached-outside  routine-outside-text ENOEXEC
	fault=detached-outside  routine-outside-text ENOEXEC
	fault=bad-flags       bad-flags              EINVAL
	fault=bad-owner-flags bad-flags              EINVAL
	fault=too-much-data   parameter-out-of-range ERANGE
	contexts=0            parameter-out-of-range ERANGE
	capacity=0            parameter-out-of-range ERANGE
	completion=3          parameter-out-of-range ERANGE
	fault=twice           already-started        EALREADY
	EOT
}

# The faults of bad_peer that the owner refuses with the fault's name as the reason. Each line is FAULT ERRNO
peer_faults()
{
	cat <<-EOT
	no-ops-table           EFAULT
	bad-ops-major          EPROTO
	bad-ops-size           EMSGSIZE
	bad-build              EXDEV
	bad-prefix             EBADR
	operation-outside-text ENOEXEC
	EOT
}

keeps_no_context()
{
	[ "$(trace | grep -c ' step=alloc ')" = "$(trace | grep -c ' step=free ')" ]
}

# frees_all CONTEXTS - succeeds if the owner was unloaded, and has freed this number of contexts
frees_all()
{
	[ "$(trace | grep -c 'module_a: d2d: .* step=free ctx=')" = "$1" ] && traced 'module_a: d2d: .* step=unload'
}

# fresh_bare COMPLETION - loads the owner in C without its optional routines. The actor alice will pend her handshake
fresh_bare()
{
	fresh_c_owner bare=1 "completion=$1" timeout=50
	load pause_calls && load actor && act "register alice; on-dispatch alice pend"
}

# attach_times_out COMPLETION - succeeds if alice's handshake times out. With completion=1, d2d_attach() does not wait
attach_times_out()
{
	if [ "$1" = 1 ]; then
		fails EINPROGRESS act "attach alice"
	else
		fails ETIMEDOUT act "attach alice"
	fi && await grep -q "^ctx=0 state=abandoned " /sys/kernel/debug/d2d-module_a/state/contexts
}

begin $(($(faults | wc -l) + $(peer_faults | wc -l) + 21))

fresh_c_owner contexts=3
unload c_owner && frees_all 3
verdict "an owner in C is loaded and unloaded without a peer"

for completion in 0 1 2; do
	for peer in module_b c_peer; do
		fresh_c_owner "completion=$completion"
		load "$peer" && all_exercise "$peer" && both_update "$peer" && updates_are_exact &&
			fails EAGAIN unload c_owner && unload "$peer" && unload c_owner && frees_all 1
		verdict "completion=$completion: $peer attaches, the owner and $peer exercise, and no update is lost"
	done
done

fresh_peers module_b c_peer
all_exercise module_b c_peer && unload module_b && all_exercise c_peer && unload c_peer &&
	unload c_owner && frees_all 2
verdict "the owner, a peer in Rust and a peer in C exercise at the same time: all succeed"

fresh_c_owner "timeout=$LONG_TIMEOUT"
load module_b deferred=1 && all_exercise module_b && unload module_b && unload c_owner && frees_all 1
verdict "a peer pends its handshake and completes it later: the exercises of both drivers succeed"

fresh_c_owner
load module_b
(
	while exercise c_owner 20; do
		[ ! -e "$NOTES.stop" ] || exit 0
	done
	exit 1
) &
exerciser=$!
times=0
while [ "$times" -lt 6 ] && unload module_b && load module_b; do
	times=$((times + 1))
done
touch "$NOTES.stop"
wait "$exerciser" && [ "$times" = 6 ] && unload module_b && unload c_owner && frees_all 1
verdict "a peer is unloaded and loaded again and again while the owner calls it: each exercise of the owner succeeds"
rm -f "$NOTES.stop"

fresh_c_owner
load c_peer && unload c_peer && load c_peer && unload c_peer &&
	printed c_owner | grep -q "left ctx=0 attachments=2$"
verdict "the owner learns of each peer that is attached and detached"

fresh_c_owner keeps=1
load c_peer && exercise c_owner && unload c_peer && printed c_owner | grep -q "kept release=0$" &&
	! traced 'queue=to_owner revoked=' && load c_peer && exercise c_owner
verdict "a peer is detached while the owner uses an item of the peer: the item is not revoked, and the owner releases it later"

for completion in 0 1 2; do
	fresh_bare $completion
	attach_times_out $completion && fails ESTALE act "complete alice status=-$EIO" && load module_b && unload module_b &&
		unload actor && unload c_owner && frees_all 1
	verdict "completion=$completion: a peer completes its handshake too late, and the owner has no optional routines: another peer gets the context"
done

fresh_c_owner
load skew_older && fails EOPNOTSUPP write_to /dev/c_owner 1 && unload skew_older &&
	unload c_owner && frees_all 1
verdict "the owner calls an operation that an older peer lacks: EOPNOTSUPP"

# The operations of skew_newer return 0, which the owner does not expect: EBADMSG shows that the owner has called one.
fresh_c_owner
load skew_newer && fails EBADMSG write_to /dev/c_owner 1 && unload skew_newer && unload c_owner && frees_all 1
verdict "a newer peer has more operations than the owner knows: the owner can call those that it knows"

while read -r param reason error; do
	fresh_none
	fails "$error" load c_owner "$param" && only_refusal_is module_a "$reason" "$error" && ! loaded c_owner && keeps_no_context
	verdict "$param: $error, and the owner is not loaded"
done <<EOT
$(faults)
EOT

fresh_c_owner fault=stop
only_refusal_is module_a not-started ENODEV && load c_peer && exercise c_peer && unload c_peer && unload c_owner
verdict "d2d_owner_stop() is called before d2d_owner_start(): ENODEV, and the owner can be started after that"

fresh_c_owner fault=live
load c_peer && fails EPERM write_to /dev/c_owner 1 && refusals_are stop-outside-exit start-outside-init &&
	exercise c_peer && unload c_peer && unload c_owner
verdict "d2d_owner_stop() and d2d_owner_start() are called while the module is live: EPERM, and the owner goes on working"

while read -r fault error; do
	fresh_c_owner
	reset_trace
	fails "$error" load bad_peer "fault=$fault" && only_refusal_is module_a "$fault" "$error" &&
		load c_peer && exercise c_peer && unload c_peer
	verdict "a peer with the fault $fault: $error, and another peer gets the context"
done <<EOT
$(peer_faults)
EOT

for fault in unknown-kind short-payload; do
	fresh_c_owner
	reset_trace
	fails ENOTRECOVERABLE load bad_peer "fault=$fault" && only_refusal_is module_a unknown-item ENOMSG &&
		load c_peer && exercise c_peer && unload c_peer
	verdict "a peer puts an item with the fault $fault among good items: unknown-item, and the owner answers the good ones"
done

unload_all
ktap_finished
