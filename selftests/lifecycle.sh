#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The life cycle of module_a and module_b. The trace must have the steps of spec/lifecycle.spec, for each combination of
# module_a's parameter "completion" and module_b's parameter "deferred".
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

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
