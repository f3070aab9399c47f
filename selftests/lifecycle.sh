#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# module_a (A) and module_b (B) are loaded, attach, exchange items and requests, detach and are
# unloaded. The trace is compared with spec/lifecycle.spec step by step. A's parameter "completion" says
# how A learns that the handshake is complete. B's parameter "deferred" says how B completes the
# handshake. There is a case for each combination of values of these two parameters.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# scenario COMPLETION DEFERRED - makes all steps of the life cycle with these values of the modules' parameters
scenario()
{
	load module_a "completion=$1" "timeout=$LONG_TIMEOUT" &&
		load module_b "deferred=$2" &&
		exercise module_b &&
		exercise module_a &&
		fails EAGAIN unload module_a &&
		unload module_b &&
		load module_b "deferred=$2" &&
		unload module_b &&
		unload module_a
}

begin 6
for completion in 0 1 2; do
	for deferred in 0 1; do
		fresh_trace
		scenario "$completion" "$deferred" &&
			trace | ./trace_check spec/lifecycle.spec "completion=$completion" "deferred=$deferred"
		verdict "completion=$completion deferred=$deferred: the trace has the steps of the spec, in order"
		unload_all
	done
done
ktap_finished
