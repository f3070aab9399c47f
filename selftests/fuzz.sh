#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A short run of the fuzzer of the exported functions; the torture runs it for longer. It prints its seed.
# Usage: fuzz.sh [SECONDS [SEED]]
cd "$(dirname "$0")" || exit 1
# Only User-Mode Linux is fast enough for the tens of thousands of calls that reach the limits of the owner (fuzz). An
# emulated machine leaves those calls out (calls).
what=calls
! grep -q "User Mode Linux" /proc/cpuinfo || what=fuzz
exec ./run_torture "$what" "${1:-6}" ${2:+"$2"}
