#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes the kernel directory of kernel-stock.sh from the packages that resolve.sh has chosen; runs inside the toolchain
# root.
# Usage: prepare-stock.sh fetch|build DIR RESOLVED ARCH
set -euo pipefail

action=$1
resolved=$3
arch=$4
cd "$2"
. "$resolved/resolved"

fetch() {
	local image
	if [ "$(rustc --version)" != "$RUSTC" ]; then
		echo "reason: $KVER was built with '$RUSTC', the toolchain root has '$(rustc --version)'"
		exit 1
	fi
	# resolve.sh has already fetched the headers package, to look into it.
	# shellcheck disable=SC2086 # a list
	apt-get -q -o APT::Sandbox::User=root download $PACKAGES
	mkdir unpacked tree
	for deb in "$resolved"/linux-headers-*.deb linux-*.deb; do
		dpkg-deb -x "$deb" unpacked
	done
	rm linux-*.deb
	tar -xJf "unpacked/usr/src/$SOURCE.tar.xz" -C tree --strip-components=1
	cp "unpacked/usr/src/linux-headers-$KVER"/{.config,Module.symvers} tree/
	# The build makes the BTF of modules with this file, which contains nothing but the kernel's BTF.
	cp "unpacked/usr/src/linux-headers-$KVER/vmlinux" tree/
	image=$(find unpacked \( -name vmlinuz -o -name 'vmlinuz-*' \) -type f)
	if [ "$arch" = x86_64 ]; then
		tree/scripts/extract-vmlinux "$image" >vmlinux
	else
		mv "$image" vmlinux
	fi
	rm -r unpacked
}

build() {
	# Call the compiler by the name that the distribution used: another name would change the configuration.
	local compiler kmake version
	compiler=$(sed -nE 's/^CONFIG_CC_VERSION_TEXT="([^ ]+) .*/\1/p' tree/.config)
	kmake=("CC=$compiler")
	[ "$arch" = x86_64 ] || kmake+=("ARCH=$arch" "CROSS_COMPILE=${compiler%gcc*}")
	version=$(make -s -C tree kernelversion)
	make -s -C tree "${kmake[@]}" "LOCALVERSION=${KVER#"$version"}" -j"$(nproc)" olddefconfig modules_prepare
	if [ "$(cat tree/include/config/kernel.release)" != "$KVER" ]; then
		echo "reason: the prepared tree is that of $(cat tree/include/config/kernel.release), not of $KVER"
		exit 1
	fi
	printf 'KVER=%s\nKMAKE=(%s)\n' "$KVER" "${kmake[*]}" >kernel.env
}

"$action"
