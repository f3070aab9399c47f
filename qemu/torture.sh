#!/bin/bash
# Load on the shared contexts, in User-Mode Linux on two real CPUs: many processes call and exchange
# items in both directions and in all contexts while peers come and go. KTAP on stdout, the
# counts last.
# Usage: torture.sh [SECONDS [SEED]]
# Environment: KVER, or D2D_UML: a kernel directory as of kernel-uml.sh
. "$(dirname "$0")/lib.sh"

seconds=${1:-30}
seed=${2-}
[[ $seconds =~ ^[1-9][0-9]{0,5}$ ]] || die "SECONDS is 1 to 999999, not '$seconds'"
[[ $seed =~ ^[0-9]*$ ]] || die "SEED is a number, not '$seed'"

D2D_KERNEL=${D2D_UML:-$("$LAB/kernel-uml.sh" "${KVER-}")}
D2D_ROOT=$("$LAB/root.sh")
export D2D_KERNEL D2D_ROOT
. "$D2D_KERNEL/kernel.env"
vm=$("$LAB/tools.sh")

logs=$PROJECT/build/$KVER/torture
mkdir -p "$PROJECT/build/$KVER"
run=$(mktemp -d "$logs.XXXXXX")
trap 'rm -rf "$run"' EXIT
"$LAB/image.sh" "$run" --selftests

rc=0
"$LAB/enter.sh" env D2D_LOGS="build/$KVER/torture" D2D_TIMEOUT=$((seconds * 2 + 60)) \
	"$vm" --uml torture "$D2D_KERNEL/linux" "$run/initramfs.cpio" "$run" \
	"d2d.seconds=$seconds" "d2d.seed=$seed" || rc=$?
rm -rf "$run/initramfs.cpio" "$logs"
mv "$run" "$logs"
exit "$rc"
