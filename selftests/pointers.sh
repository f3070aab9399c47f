#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Each exported function gets bad pointers, from the module pointers (misbehaving/pointers.c).
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

STATE=/sys/kernel/debug/d2d-module_a/state

start 4

load module_a
symbols=$(logged module_a symbols)
load pointers || { dmesg | sed -n 's/.*\(pointers: .*\)/# \1/p' | grep -v d2d: | head -n 40; false; }
verdict "each function refuses each bad pointer and does nothing"

[ -n "$symbols" ] && [ "$symbols" = "$(logged pointers functions)" ]
verdict "the module has called all $symbols exported functions"

! grep -q pointers "$STATE/requests" && ! grep -q "name=new" "$STATE/events"
verdict "after these calls the owner has no request and no event of them"

unload pointers && load module_b && echo 1 >/sys/kernel/debug/d2d-module_b/exercise
verdict "after these calls a peer can attach"
unload_all
ktap_finished
