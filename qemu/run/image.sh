#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the modules, and packs them, busybox and qemu/guest/ into DIR/initramfs.cpio.
# Usage: image.sh DIR [--selftests] [--bench]
# Environment: D2D_KERNEL, D2D_ROOT; PAIR: see pair.sh; A_PARAMS, B_PARAMS: the parameters of the owner and of the peers
. "$(dirname "$0")/../lib/lab.sh"

dir=$1
shift

for params in "${A_PARAMS-}" "${B_PARAMS-}"; do
	[[ $params =~ ^[A-Za-z0-9_=.,\ -]*$ ]] || die "'$params' is no list of module parameters (name=value)"
done

# known_parameters MODULE LIST - dies if the module lacks a parameter of LIST; the kernel would only warn
known_parameters() {
	local names word
	[ -n "$2" ] || return 0
	names=$("$LAB/enter.sh" modinfo -F parmtype "$dir/root/lib/d2d/$1.ko" | cut -d: -f1)
	for word in $2; do
		word=${word%%=*} word=${word//-/_}
		grep -qxF -e "$word" <<<"$names" || die "$1 has no parameter '$word'${names:+; it has: ${names//$'\n'/ }}"
	done
}

mkdir -p "$dir"/root/{bin,d2d,usr/bin}
printf 'A_PARAMS="%s"\nB_PARAMS="%s"\n' "${A_PARAMS-}" "${B_PARAMS-}" >"$dir/root/d2d/params"
cp "$LAB"/guest/* "$dir/root/d2d/"
mv "$dir/root/d2d/init" "$dir/root/init"
cp "$D2D_ROOT$sysroot/usr/bin/busybox" "$dir/root/usr/bin/"
case " $* " in
*' --selftests '*) say "build the modules and the test modules, up to 4 min the first time and after a change of the library" ;;
esac
"$LAB/build.sh" --install "$dir/root" "$@" >&2
modules=(module_a module_b)
if [ -n "${PAIR-}" ]; then
	"$LAB/run/pair.sh" "$dir/root" >&2
	mapfile -t modules <"$dir/root/lib/d2d/modules"
fi
known_parameters "${modules[0]}" "${A_PARAMS-}"
for peer in "${modules[@]:1}"; do
	known_parameters "$peer" "${B_PARAMS-}"
done
"$LAB/enter.sh" sh -ec 'cd "$1/root"; busybox --install -s bin; find . | cpio --quiet -o -H newc -R 0:0 >"$1/initramfs.cpio"' sh "$dir"
rm -r "$dir/root"
