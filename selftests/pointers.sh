#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Each exported function gets bad pointers, from the module "pointers" (misbehaving/pointers.c).
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

STATE=/sys/kernel/debug/d2d-module_a/state

# fresh_calls - the first call loads the module, which makes all its calls in its init. Sets $refused to 0 if each
# function has refused each bad pointer, and $functions to the number of functions
fresh_calls()
{
	loaded pointers && return
	reset_trace
	load pointers || dmesg | sed -n 's/.*\(pointers: .*\)/# \1/p' | grep -v d2d: | head -n 40
	loaded pointers
	refused=$?
	functions=$(logged pointers functions)
}

begin 4
load module_a
exported=$(logged module_a functions)

fresh_calls
[ "$refused" = 0 ]
verdict "each function refuses each bad pointer and does nothing"

fresh_calls
[ -n "$exported" ] && [ "$functions" = "$exported" ]
verdict "the owner exports as many functions as the module calls with bad pointers"

fresh_calls
[ "$refused" = 0 ] && ! grep -q pointers "$STATE/requests" && ! grep -q "name=new" "$STATE/events"
verdict "the calls with bad pointers leave no request and no event in the owner"

fresh_calls
unload pointers && load module_b && exercise module_b
verdict "after the calls with bad pointers a peer can attach"
unload_all
ktap_finished
