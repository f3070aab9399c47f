#!/bin/bash
# Boots a kernel in a virtual machine with the modules of this tree.
# Usage: vm.sh run|test|shell
# Environment: KERNEL (stock, sanitizer); see kernel_dir (lib.sh) and image.sh
. "$(dirname "$0")/lib.sh"

mode=$1
append=()
if [ "$mode" = shell ]; then
	[ -t 0 ] || die "make shell needs a terminal"
	read -r rows columns < <(stty size)
	append=("d2d.rows=$rows d2d.columns=$columns")
fi

D2D_KERNEL=$(kernel_dir "${KERNEL-}")
D2D_ROOT=$("$LAB/root.sh")
export D2D_KERNEL D2D_ROOT
EXPECT=
. "$D2D_KERNEL/kernel.env"
vm=$("$LAB/tools.sh")

# Each run has a directory of its own; the last one of each mode is kept.
logs=$PROJECT/build/$KVER/$mode
mkdir -p "$PROJECT/build/$KVER"
run=$(mktemp -d "$logs.XXXXXX")
trap 'rm -rf "$run"' EXIT

image=("$run")
[ "$mode" = run ] || image+=(--selftests)
"$LAB/image.sh" "${image[@]}"

rc=0
"$LAB/enter.sh" env D2D_LOGS="build/$KVER/$mode" D2D_EXPECT="$EXPECT" "$vm" "$mode" "$D2D_KERNEL/vmlinux" "$run/initramfs.cpio" "$run" "${append[@]}" || rc=$?
rm -rf "$run/initramfs.cpio" "$logs"
mv "$run" "$logs"
exit "$rc"
