#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs the torture in User-Mode Linux on two real CPUs. For SECONDS, many processes make the owner and its peers
# call each other and exchange items in all execution contexts, while peers are loaded and unloaded. Then the fuzzer
# runs for SECONDS more: modules that it loads and unloads call the exported functions with valid and invalid
# handles. Prints KTAP, and last a line of counts.
# Usage: torture.sh [SECONDS [SEED]]
# Environment: KVER; D2D_KERNEL, if it is a User-Mode Linux kernel
. "$(dirname "$0")/lib/lab.sh"

seconds=${1:-30}
seed=${2-}
[[ $seconds =~ ^[1-9][0-9]{0,5}$ ]] || die "SECONDS is 1 to 999999, not '$seconds'"
[[ $seed =~ ^[0-9]{0,10}$ && $((10#0$seed)) -lt $((1 << 32)) ]] || die "SEED is a number of 32 bits, not '$seed'"

[ -e "${D2D_KERNEL-}/linux" ] || unset D2D_KERNEL
export KERNEL=uml D2D_TIMEOUT=$((seconds * 8 + 180))
exec "$LAB/vm.sh" torture "d2d.seconds=$seconds" "d2d.seed=$seed"
