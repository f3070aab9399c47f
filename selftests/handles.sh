#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A handle names one thing of one kind: see handle_kinds.c.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# said KEY - what the module has counted
said()
{
	dmesg | sed -n "s/.*handle_kinds: .*$1=\([0-9]*\).*/\1/p" | tail -n 1
}

start 2
load module_a
mark
load handle_kinds && [ "$(said wrong)" = 0 ]
verdict "a handle of another kind is stale wherever it is passed, and touches nothing"

[ "$(said refusals)" -gt 300 ] && [ "$(trace | grep -c "step=refuse reason=stale-.* errno=-$ESTALE ")" = "$(said refusals)" ]
verdict "each of them has its line"
unload handle_kinds
unload module_a
ktap_finished
