#!/bin/bash
# Boots a kernel in a virtual machine with the modules of this tree, built for it first.
# Usage: vm.sh run|test|shell
# Environment: KVER, A_PARAMS and B_PARAMS (module parameters for mode run)
. "$(dirname "$0")/lib.sh"

mode=$1
kernel=$("$LAB/kernel.sh" "${KVER-}")
vm=$("$LAB/tools.sh")
D2D_ROOT=$("$LAB/root.sh")
export D2D_ROOT
. "$kernel/kernel.env"

# Each run has a directory of its own; the last one of each mode is kept.
logs=$PROJECT/build/$KVER/$mode
mkdir -p "$PROJECT/build/$KVER"
run=$(mktemp -d "$logs.XXXXXX")
trap 'rm -rf "$run"' EXIT

selftests=()
[ "$mode" = run ] || selftests=(--selftests)
D2D_KERNEL=$kernel "$LAB/build.sh" --stage "$run/stage" "${selftests[@]}" >&2

for params in "${A_PARAMS-}" "${B_PARAMS-}"; do
	[[ $params =~ ^[A-Za-z0-9_=.,\ -]*$ ]] || die "'$params' is no list of module parameters (name=value)"
done
printf 'A_PARAMS="%s"\nB_PARAMS="%s"\n' "${A_PARAMS-}" "${B_PARAMS-}" >"$run/params"
"$LAB/enter.sh" "$LAB/initramfs.sh" "$run/stage" "$run/params" "$run/initramfs.cpio"

rc=0
"$LAB/enter.sh" "$vm" "$mode" "$kernel/vmlinuz" "$run/initramfs.cpio" "$run" || rc=$?
rm -rf "$run/stage" "$run/initramfs.cpio"
rm -rf "$logs"
mv "$run" "$logs"
exit "$rc"
