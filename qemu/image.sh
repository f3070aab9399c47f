#!/bin/bash
# Builds the modules and makes of them what the virtual machine boots: DIR/initramfs.cpio.
# Usage: image.sh DIR [--selftests] [--bench]
# Environment: D2D_KERNEL, D2D_ROOT; A_PARAMS and B_PARAMS (module parameters for mode run)
. "$(dirname "$0")/lib.sh"

dir=$1
shift

for params in "${A_PARAMS-}" "${B_PARAMS-}"; do
	[[ $params =~ ^[A-Za-z0-9_=.,\ -]*$ ]] || die "'$params' is no list of module parameters (name=value)"
done
mkdir -p "$dir"/stage/{bin,d2d,usr/bin}
printf 'A_PARAMS="%s"\nB_PARAMS="%s"\n' "${A_PARAMS-}" "${B_PARAMS-}" >"$dir/stage/d2d/params"
cp "$LAB"/guest/* "$dir/stage/d2d/"
mv "$dir/stage/d2d/init" "$dir/stage/init"
cp "$D2D_ROOT/usr/bin/busybox" "$dir/stage/usr/bin/"
"$LAB/build.sh" --stage "$dir/stage" "$@" >&2
"$LAB/enter.sh" sh -ec 'cd "$1/stage"; busybox --install -s bin; find . | cpio --quiet -o -H newc -R 0:0 >"$1/initramfs.cpio"' sh "$dir"
rm -r "$dir/stage"
