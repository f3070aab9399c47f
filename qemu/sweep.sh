#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes each allocation of a pair's modules fail in turn, while the modules are loaded, used and unloaded.
# Environment: PAIR, a pair outside of this tree; KERNEL, a kernel with failslab (default: sanitizer); D2D_KERNEL,
# the directory of a kernel, ignored unless it is User-Mode Linux: the stock kernel lacks failslab
. "$(dirname "$0")/lib/lab.sh"

[ -n "${PAIR-}" ] || die "sweep needs PAIR=DIR, a pair outside of this tree; fault_sweep.sh sweeps the demonstration"
[ -e "${D2D_KERNEL-}/linux" ] || unset D2D_KERNEL
export KERNEL=${KERNEL:-sanitizer}
exec "$LAB/vm.sh" test d2d.case=pair_sweep
