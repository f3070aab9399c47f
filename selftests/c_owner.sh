#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# An owner in C (peers/c_owner.c), which has the name of module_a, so that its peers in Rust and in C
# are those of module_a.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# fresh_none - brings about that no driver is loaded
fresh_none()
{
	unload_all
	reset_trace
}

# fresh_owner [PARAM=VALUE...] - brings about that the owner in C is loaded, and has no peer
fresh_owner()
{
	fresh_none
	load c_owner "$@"
}

# fresh_peers PEER... - the same, and then loads these peers, each of which gets a context
fresh_peers()
{
	fresh_owner "contexts=$#"
	for peer; do
		load "$peer"
	done
}

# both_exercise PEER... - whether the peers and the owner play rounds, each in a process
both_exercise()
{
	pids=
	for name in c_owner "$@"; do
		exercise "$name" 5 &
		pids="$pids $!"
	done
	# shellcheck disable=SC2086 # a list
	all_succeed $pids
}

# refusals_are REASON... - whether these were refused since the last marker, and nothing else
refusals_are()
{
	[ "$(trace | sed -n 's/.*step=refuse reason=\([a-z-]*\).*/\1/p' | xargs)" = "$*" ]
}

# both_call PEER - whether the trace says that the two have updated the shared data, and that the peer
# was attached, detached and unregistered
both_call()
{
	traced "module_a: d2d: .* step=attached to=$1 ctx=c0" && traced "module_a: d2d: .* step=update" &&
		traced "$1: d2d: .* step=update"
}

# updates_are_exact COUNT - whether the shared data has counted this number of updates, each once
updates_are_exact()
{
	[ "$(trace | sed -n "s/.*step=update ctx=c0 value=//p" | sort -n | xargs)" = "$(seq "$1" | xargs)" ]
}

# The ways in which c_owner starts its owner wrongly. Each line is
# PARAM=VALUE REASON ERRNO
faults()
{
	cat <<-EOT
	fault=no-dispatch     incomplete-owner       EFAULT
	fault=no-ops          incomplete-owner       EFAULT
	fault=no-peer-ops     incomplete-owner       EFAULT
	fault=no-handle       incomplete-owner       EFAULT
	fault=zero-ops        incomplete-owner       EFAULT
	fault=zero-peer-ops   incomplete-owner       EFAULT
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

# The faults of bad_peer that the owner refuses in the handshake. Each line is FAULT ERRNO
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

# frees_all CONTEXTS - whether the trace says that the owner has freed this number of contexts and was unloaded
frees_all()
{
	[ "$(trace | grep -c 'module_a: d2d: .* step=free ctx=')" = "$1" ] && traced 'module_a: d2d: .* step=unload'
}

# fresh_bare COMPLETION - brings about that an owner without optional routines is loaded, and alice is registered, who
# pends her handshake
fresh_bare()
{
	fresh_owner bare=1 "completion=$1" timeout=50
	load pause_calls && load actor && act "register alice; on-dispatch alice pend"
}

# attach_is_too_late COMPLETION - whether the handshake of alice times out: her attaching fails, with EINPROGRESS if the
# owner does not wait for her
attach_is_too_late()
{
	if [ "$1" = 1 ]; then
		fails EINPROGRESS act "attach alice"
	else
		fails ETIMEDOUT act "attach alice"
	fi && await grep -q "^ctx=0 state=abandoned " /sys/kernel/debug/d2d-module_a/state/contexts
}

begin $(($(faults | wc -l) + $(peer_faults | wc -l) + 18))

fresh_owner contexts=3
unload c_owner && frees_all 3
verdict "an owner in C is loaded and unloaded without a peer"

for completion in 0 1 2; do
	for peer in module_b c_peer; do
		fresh_owner "completion=$completion"
		load "$peer" && both_exercise "$peer" && both_call "$peer" && updates_are_exact 25 &&
			fails EAGAIN unload c_owner && unload "$peer" && unload c_owner && frees_all 1
		verdict "completion=$completion: $peer attaches, both exercise, and they are unloaded in order"
	done
done

fresh_peers module_b c_peer
both_exercise module_b c_peer && unload module_b && both_exercise c_peer && unload c_peer &&
	unload c_owner && frees_all 2
verdict "a peer in Rust and a peer in C at a time"

fresh_owner
load module_b deferred=1 && both_exercise module_b && unload module_b && unload c_owner && frees_all 1
verdict "a peer pends the handshake"

fresh_owner
load module_b
(
	while loaded c_owner && exercise c_owner 20; do
		[ ! -e "$NOTES.stop" ] || exit 0
	done
) &
worker=$!
for _ in 1 2 3 4 5 6; do
	unload module_b && load module_b || break
done && touch "$NOTES.stop" && wait $worker && rm "$NOTES.stop" && unload module_b && unload c_owner && frees_all 1
verdict "a peer is unloaded and loaded while the owner calls it"

fresh_owner
load c_peer && unload c_peer && load c_peer && unload c_peer &&
	printed c_owner | grep -q "left ctx=0 attachments=2$"
verdict "the owner learns of each peer that is attached and detached"

for completion in 0 1 2; do
	fresh_bare $completion
	attach_is_too_late $completion && fails ESTALE act "complete alice status=-$EIO" && load module_b && unload module_b &&
		unload actor && unload c_owner && frees_all 1
	verdict "completion=$completion: without optional routines: a handshake is completed too late, and another peer gets the context"
done

fresh_owner
load skew_older && fails EOPNOTSUPP write_to /dev/c_owner 1 && unload skew_older &&
	unload c_owner && frees_all 1
verdict "an older peer lacks an operation, which the owner does not call"

fresh_owner
load skew_newer && fails EBADMSG write_to /dev/c_owner 1 && unload skew_newer && unload c_owner && frees_all 1
verdict "a newer peer has more operations, and the owner calls those that it knows, which answer 0"

while read -r param reason error; do
	fresh_none
	fails "$error" load c_owner "$param" && only_refusal_is module_a "$reason" "$error" && ! loaded c_owner
	verdict "$param: $error, and the owner is not loaded"
done <<EOT
$(faults)
EOT

fresh_owner fault=stop
only_refusal_is module_a not-started ENODEV && load c_peer && exercise c_peer && unload c_peer && unload c_owner
verdict "the owner is stopped before it was started: ENODEV, and it can be started"

fresh_owner fault=live
load c_peer && fails EPERM write_to /dev/c_owner 1 && refusals_are stop-outside-exit start-outside-init &&
	exercise c_peer && unload c_peer && unload c_owner
verdict "the owner is stopped and started while its module is live: EPERM, and it works on"

while read -r fault error; do
	fresh_owner
	reset_trace
	fails "$error" load bad_peer "fault=$fault" && only_refusal_is module_a "$fault" "$error" &&
		load c_peer && exercise c_peer && unload c_peer
	verdict "a peer with the fault $fault: $error, and the context is free"
done <<EOT
$(peer_faults)
EOT

unload_all
ktap_finished
