#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A handle is accepted only where a handle of its kind is needed. The module handle_kinds passes
# handles of each kind to all functions.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# said KEY - prints a count from the last line of the module
said()
{
	dmesg | sed -n "s/.*handle_kinds: .*$1=\([0-9]*\).*/\1/p" | tail -n 1
}

start 2
load module_a
mark
load handle_kinds && [ "$(said wrong)" = 0 ]
verdict "a handle of another kind gets ESTALE from each function, and nothing changes"

[ "$(said refusals)" -gt 300 ] && [ "$(trace | grep -c "step=refuse reason=stale-.* errno=-$ESTALE ")" = "$(said refusals)" ]
verdict "each of these refusals logs a line"
unload handle_kinds
unload module_a
ktap_finished
