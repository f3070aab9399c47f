#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Plays the demonstration on Debian's kernel for arm64, and runs the kselftests of what differs there: atomics, and code
# that the kernel patches. d2d-vm must notice kernel reports whose text differs on arm64.

export ARCH=arm64
[ -z "${KVER-}" ] || export KVER=${KVER%-*}-arm64
D2D_ONLY="module_a module_b other_a other_b torture_owner torture_peer0 paused_peer handle_peer waiting_peer ticker_peer"
export D2D_ONLY="$D2D_ONLY c_peer bad_peer bridge pause_calls actor splat"
exec "$(dirname "$0")/../run/boots.sh" - <<'TABLE'
stock test/lifecycle.sh,handshakes.sh,tracepoints.sh  600
stock test/requests.sh,waits.sh,ticks.sh              600
stock run            90
stock harness/warn   90  console: WARNING: .*splat_warn
stock harness/oops   90  console: Unable to handle kernel NULL pointer dereference
TABLE
