#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes each allocation of a pair's modules fail in turn, while the modules are loaded, used and unloaded.
# Usage: sweep.sh
# Environment: PAIR, a pair outside of this tree; KERNEL, a kernel with failslab (default: sanitizer); D2D_KERNEL, the
# directory of a kernel. A caller may have set D2D_KERNEL to the stock kernel, which lacks failslab: the script uses
# D2D_KERNEL only for User-Mode Linux.
. "$(dirname "$0")/lib/lab.sh"

[ -n "${PAIR-}" ] || die "sweep needs PAIR=DIR, a pair outside of this tree; fault_sweep.sh sweeps the demonstration"
[ -e "${D2D_KERNEL-}/linux" ] || unset D2D_KERNEL
export KERNEL=${KERNEL:-sanitizer}
exec "$LAB/vm.sh" test d2d.case=pair_sweep
