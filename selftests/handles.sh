#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# An exported function accepts only handles of the kind that it needs. handle_kinds passes handles of the other kinds.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

begin 2
load module_a

fresh_trace
load handle_kinds && [ "$(logged handle_kinds wrong)" = 0 ]
verdict "a handle of another kind is passed to each function: ESTALE, and nothing changes"
unload handle_kinds

fresh_trace
load handle_kinds && [ "$(logged handle_kinds refusals)" -gt 300 ] && [ "$(trace | grep -c "step=refuse reason=stale-.* errno=-$ESTALE ")" = "$(logged handle_kinds refusals)" ]
verdict "the owner logs a line with ESTALE for each stale handle that a function refuses"
unload handle_kinds

unload module_a
ktap_finished
