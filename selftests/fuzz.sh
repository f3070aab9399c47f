#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A short run of the fuzzer of the exported functions; the torture runs it for longer. It prints its seed.
# Usage: fuzz.sh [SECONDS [SEED]]
cd "$(dirname "$0")" || exit 1
# In the mode `fuzz` the fuzzer fails unless it reaches the limits of the owner, which takes tens of
# thousands of calls. User-Mode Linux is fast enough for this, an emulated machine is not. So other kernels
# get the mode `fuzz-slow`, in which the fuzzer need not reach the limits.
mode=fuzz-slow
! grep -q "User Mode Linux" /proc/cpuinfo || mode=fuzz
exec ./run_torture "$mode" "${1:-6}" ${2:+"$2"}
