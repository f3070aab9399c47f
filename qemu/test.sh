#!/bin/bash
# The kselftests, in a VM with the stock kernel and in one with the sanitizer kernel, or with the one
# that KERNEL names. KTAP on stdout, a document for each kernel; the counts of all last.
# Environment: KERNEL; see kernel_dir (lib.sh)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/total.sh"

if [ -n "${D2D_KERNEL-}${KERNEL-}" ]; then
	kernels=("${KERNEL:-stock}")
else
	kernels=(stock sanitizer)
fi
for kernel in "${kernels[@]}"; do
	echo "# kernel: $kernel"
	KERNEL=$kernel counted "kselftests, $kernel kernel" "$LAB/vm.sh" test
done
total
