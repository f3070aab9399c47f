#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A short run of the fuzzer of the exported functions; the torture runs the fuzzer for longer. The fuzzer prints its
# seed.
# Usage: fuzz.sh [SECONDS [SEED]]
cd "$(dirname "$0")" || exit 1
# In the mode `fuzz`, the fuzzer must reach the limits of the owner. This takes tens of thousands of calls.
# User-Mode Linux is fast enough for them, but an emulated machine is not. So other kernels get the mode
# `fuzz-slow`, in which the fuzzer need not reach the limits.
mode=fuzz-slow
! grep -q "User Mode Linux" /proc/cpuinfo || mode=fuzz
exec ./run_torture "$mode" "${1:-6}" ${2:+"$2"}
