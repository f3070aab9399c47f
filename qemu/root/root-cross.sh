#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the directory of the toolchain root for ARCH, an architecture other than the host's. The root is a copy of the
# first root, with a cross compiler, QEMU and the guest's programs. Outside of /etc and /var, the copy consists of hard
# links. This is safe: dpkg replaces a file there, and never writes to it.
# Usage: root-cross.sh ROOT
. "$(dirname "$0")/../lib/lab.sh"

base=$1
case $ARCH in
arm64) packages=("$compiler-aarch64-linux-gnu" libc6-dev-arm64-cross qemu-system-arm) ;;
esac
# Packages of ARCH for the guest: unpacked, not installed.
foreign=(busybox-static libstd-rust-dev)
root=$CACHE/root-$ARCH-$(key 1 "$(basename "$base")" "${packages[@]}" "${foreign[@]}")

make_root() {
	"$LAB/root/host.sh"
	need_space 2 "the toolchain root for $ARCH"
	"$LAB/root/unshare.sh" -- sh -ec 'cp -al "$1" "$2"
		rm -r "$2/etc" "$2/var"
		cp -a "$1/etc" "$1/var" "$2/"' sh "$base" "$1"
	D2D_ROOT=$1 step "add the tools for $ARCH to the toolchain root (once)" "1 min" "$CACHE/log/root-$ARCH.log" \
		"$LAB/enter.sh" sh -ec 'arch=$1 to=$2 foreign=$3
			shift 3
			export DEBIAN_FRONTEND=noninteractive
			dpkg --add-architecture "$arch"
			apt-get -q -o APT::Update::Error-Mode=any update
			apt-get -q -y --no-install-recommends install "$@"
			apt-get clean
			cd /tmp
			for name in $foreign; do
				apt-get -q -o APT::Sandbox::User=root download "$name:$arch"
			done
			mkdir -p "$to"
			dpkg-deb -x busybox-static_*.deb "$to"
			dpkg-deb --fsys-tarfile libstd-rust-dev_*.deb | tar -x -C / ./usr/lib/rustlib' \
		sh "$debian_arch" "$sysroot" "${foreign[*]}" "${packages[@]}"
}
cached "$root" "root-$ARCH" make_root
echo "$root"
