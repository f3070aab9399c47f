#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs the torture, the fuzzer and rounds of all_pairs.sh (docs/testing.md), each for about SECONDS, in User-Mode Linux.
# With PAIR, loads, uses and unloads that pair instead.
# Usage: torture.sh [SECONDS [SEED]]
# Environment: PAIR, a pair outside of this tree; KVER; with PAIR also KERNEL (default: sanitizer); D2D_KERNEL, the
# directory of a kernel, ignored unless it is User-Mode Linux
. "$(dirname "$0")/lib/lab.sh"

seconds=${1:-30}
seed=${2-}
[[ $seconds =~ ^[1-9][0-9]{0,5}$ ]] || die "SECONDS is 1 to 999999, not '$seconds'"
[[ $seed =~ ^[0-9]{0,10}$ && $((10#0$seed)) -lt $((1 << 32)) ]] || die "SEED is a number of 32 bits, not '$seed'"

[ -e "${D2D_KERNEL-}/linux" ] || unset D2D_KERNEL
if [ -n "${PAIR-}" ]; then
	[ -z "$seed" ] || die "with PAIR, make torture takes no SEED"
	export KERNEL=${KERNEL:-sanitizer} D2D_TIMEOUT=$((seconds * 2 + 180))
	exec "$LAB/vm.sh" test "d2d.case=pair_torture:$seconds"
fi
export KERNEL=uml D2D_TIMEOUT=$((seconds * 10 + 240))
exec "$LAB/vm.sh" torture "d2d.seconds=$seconds" "d2d.seed=$seed"
