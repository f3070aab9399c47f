#!/bin/bash
# Load on the shared contexts, in User-Mode Linux on two real CPUs: many processes call and exchange
# items in both directions and in all contexts while peers come and go. Then, for the same time, modules
# that come and go call the exported functions with handles that are right and wrong. KTAP on stdout,
# the counts last.
# Usage: torture.sh [SECONDS [SEED]]
# Environment: KVER, or D2D_KERNEL if it is one of kernel-uml.sh
. "$(dirname "$0")/lib.sh"

seconds=${1:-30}
seed=${2-}
[[ $seconds =~ ^[1-9][0-9]{0,5}$ ]] || die "SECONDS is 1 to 999999, not '$seconds'"
[[ $seed =~ ^[0-9]{0,10}$ && $((10#0$seed)) -lt $((1 << 32)) ]] || die "SEED is a number of 32 bits, not '$seed'"

[ -e "${D2D_KERNEL-}/linux" ] || unset D2D_KERNEL
export KERNEL=uml D2D_TIMEOUT=$((seconds * 8 + 180))
exec "$LAB/vm.sh" torture "d2d.seconds=$seconds" "d2d.seed=$seed"
