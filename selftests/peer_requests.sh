#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Requests to drivers that have contexts: module_a, its peers in Rust, and a peer in C.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh
# shellcheck source=selftests/request_lib.sh
. ./request_lib.sh

CODE_UNKNOWN=0x223ffc

# Requests whose buffers have wrong sizes for the control code. Each line is DRIVER CODE OPTION..., arguments of the
# command "send" (act.sh)
wrong_sizes()
{
	for driver in module_a module_b c_peer; do
		echo "$driver $CODE_ADD in=4"
		echo "$driver $CODE_ADD in=16"
		echo "$driver $CODE_ADD out=4"
		echo "$driver $CODE_PEND out=4"
		echo "$driver $CODE_COMPLETE in=8 out=0"
	done
}

trap 'rm -f "$NOTES"; ! loaded pause_calls || resume' EXIT
begin $(($(wrong_sizes | wc -l) + 19))
load pause_calls
load module_a contexts=4 completion=1 "timeout=$LONG_TIMEOUT"

while read -r driver options; do
	fresh_with_peers alice
	act "alloc r1 alice in=16; lookup $driver; send r1 $driver $options; wait r1; expect r1 status=-$EMSGSIZE" &&
		! trace | grep -q request-dropped
	verdict "a buffer of the wrong size: $driver completes code $options with EMSGSIZE"
done <<EOT
$(wrong_sizes)
EOT

for driver in module_a $PEERS; do
	fresh_with_peers alice
	act "lookup $driver; send r0 $driver $CODE_ADD; wait r0; expect r0 output=42; send r0 $driver $CODE_UNKNOWN; wait r0; expect r0 status=-$ENOTTY" &&
		no_refusal
	verdict "$driver completes a known code with 0, and an unknown one with ENOTTY"

	fresh_with_peers alice
	act "lookup $driver; alloc r1 alice in=16" && act_pends "send r0 $driver $CODE_PEND value=5" &&
		act "send r1 $driver $CODE_COMPLETE in=16 out=0 value=6; wait r1; expect r1 status=-$ENOENT" &&
		act "send r1 $driver $CODE_COMPLETE in=16 out=0 value=5; wait r1; expect r1; wait r0; expect r0 output=0" &&
		no_refusal
	verdict "$driver pends a request: CODE_COMPLETE with its key completes both requests, and with another key gets ENOENT"

	fresh_with_peers alice
	act "lookup $driver; alloc r1 alice in=16; send-and-cancel r0 $driver $CODE_PEND 40" &&
		act "send r1 $driver $CODE_COMPLETE in=16 out=0 value=5; wait r1; expect r1 status=-$ENOENT"
	verdict "$driver no longer has a request that its sender has cancelled: CODE_COMPLETE gets ENOENT"

	fresh_with_peers alice bob
	act "lookup $driver; alloc r1 alice in=16; alloc r2 bob" && act_pends "send r2 $driver $CODE_PEND value=5" && act "unregister bob" &&
		act "send r1 $driver $CODE_COMPLETE in=16 out=0 value=5; wait r1; expect r1 status=-$ENOENT"
	verdict "$driver no longer has a request whose sender has unregistered: CODE_COMPLETE gets ENOENT"
done

for driver in $PEERS; do
	fresh_with_peers alice
	act "lookup $driver" && act_pends "send r0 $driver $CODE_PEND trace" && unload "$driver" &&
		act "wait r0; expect r0 status=-$ECANCELED" && no_refusal &&
		load "$driver" && fails ESTALE act "send r0 $driver" && only_refusal_is module_a stale-target &&
		act "lookup $driver; send r0 $driver; wait r0; expect r0 output=42"
	verdict "$driver is unloaded with a request pending: ECANCELED; a request to the old handle of the reloaded $driver: ESTALE"
done
each_peer unload_if_loaded

unload actor
unload pause_calls
unload module_a
ktap_finished
