#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A short run of the fuzzer of the exported functions. It prints its seed. Usage: fuzz.sh [SECONDS [SEED]]
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh
# In the mode `fuzz`, the fuzzer must reach the owner's limits. On an emulated machine, the tens of thousands of calls
# for this take too long.
mode=fuzz-slow
! grep -q "User Mode Linux" /proc/cpuinfo || mode=fuzz
# Keep the log of the boot: the fuzzer prints more lines than the kernel keeps.
reset_trace
./run_torture "$mode" "${1:-6}" ${2:+"$2"}
