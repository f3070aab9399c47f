#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The whole life of the pair, compared step by step with the spec, in each way
# for A to learn of completion and for B to complete.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

scenario()
{
	load module_a "completion=$1" &&
		load module_b "deferred=$2" &&
		echo 1 >/sys/kernel/debug/d2d-module_b/exercise &&
		echo 1 >/sys/kernel/debug/d2d-module_a/exercise &&
		fails EAGAIN unload module_a &&
		unload module_b &&
		load module_b "deferred=$2" &&
		unload module_b &&
		unload module_a
}

start 6
for completion in 0 1 2; do
	for deferred in 0 1; do
		mark
		scenario "$completion" "$deferred" &&
			trace | ./trace_check spec/lifecycle.spec "completion=$completion" "deferred=$deferred"
		verdict "life cycle with completion=$completion deferred=$deferred"
		unload_all
	done
done
ktap_finished
