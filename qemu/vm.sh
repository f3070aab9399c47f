#!/bin/bash
# Boots a kernel in a virtual machine with the modules of this tree.
# Usage: vm.sh run|test|shell|torture|bench [APPEND...]
# APPEND goes to the kernel's command line. D2D_TIMEOUT (seconds) overrides the default.
# Environment: KERNEL (stock, sanitizer, uml); see kernel_dir (lib.sh) and image.sh; D2D_ICOUNT=y: in
# QEMU, one CPU whose clock counts instructions
. "$(dirname "$0")/lib.sh"

mode=$1
shift
append=("$@")
if [ "$mode" = shell ]; then
	[ -t 0 ] || die "make shell needs a terminal"
	read -r rows columns < <(stty size)
	append+=("d2d.rows=$rows d2d.columns=$columns")
fi

D2D_KERNEL=$(kernel_dir "${KERNEL-}")
D2D_ROOT=$("$LAB/root.sh")
export D2D_KERNEL D2D_ROOT
EXPECT=
. "$D2D_KERNEL/kernel.env"
image=vmlinux platform=(${D2D_ICOUNT:+--icount})
[ ! -e "$D2D_KERNEL/linux" ] || image=linux platform=(--uml)
vm=$("$LAB/tools.sh")

# Each run has a directory of its own; the last one of each mode is kept.
logs=$PROJECT/build/$KVER/$mode
mkdir -p "$PROJECT/build/$KVER"
run=$(mktemp -d "$logs.XXXXXX")
trap 'rm -rf "$run"' EXIT

modules=(--selftests)
case $mode in
run) modules=() ;;
bench) modules=(--bench) ;;
esac
"$LAB/image.sh" "$run" "${modules[@]}"

rc=0
"$LAB/enter.sh" env D2D_LOGS="build/$KVER/$mode" D2D_EXPECT="$EXPECT" ${D2D_TIMEOUT:+D2D_TIMEOUT="$D2D_TIMEOUT"} \
	"$vm" "${platform[@]}" "$mode" "$D2D_KERNEL/$image" "$run/initramfs.cpio" "$run" "${append[@]}" || rc=$?
rm -rf "$run/initramfs.cpio" "$logs"
mv "$run" "$logs"
exit "$rc"
