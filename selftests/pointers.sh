#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Each exported function with bad pointers: see misbehaving/pointers.c.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

STATE=/sys/kernel/debug/d2d-module_a/state

start 4

# said FIELD - what the module or the owner has said of it
said()
{
	dmesg | sed -n "s/.*[ :]$1=\([0-9]*\).*/\1/p" | tail -n 1
}

load module_a
symbols=$(said symbols)
load pointers || { dmesg | sed -n 's/.*\(pointers: .*\)/# \1/p' | grep -v d2d: | head -n 40; false; }
verdict "bad pointers are refused, and nothing happens"

[ -n "$symbols" ] && [ "$symbols" = "$(said functions)" ]
verdict "all $symbols exported functions were called"

! grep -q pointers "$STATE/requests" && ! grep -q "name=new" "$STATE/events"
verdict "no request and no event is left"

unload pointers && load module_b && echo 1 >/sys/kernel/debug/d2d-module_b/exercise
verdict "a peer attaches afterwards"
unload_all
ktap_finished
