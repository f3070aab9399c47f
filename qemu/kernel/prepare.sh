#!/bin/bash
# Inside the root: makes a kernel directory (see kernel.sh) of the packages that
# resolve.sh has chosen.
# Usage: prepare.sh fetch|build DIR RESOLVED
set -euo pipefail

action=$1
resolved=$3
cd "$2"
. "$resolved/resolved"

fetch() {
	if [ "$(rustc --version)" != "$RUSTC" ]; then
		echo "reason: $KVER was built with '$RUSTC', the toolchain root has '$(rustc --version)'"
		exit 1
	fi
	# The headers package is there already: the resolver had to look into it.
	# shellcheck disable=SC2086 # a list
	apt-get -q -o APT::Sandbox::User=root download $PACKAGES
	mkdir unpacked tree
	for deb in "$resolved"/linux-headers-*.deb linux-*.deb; do
		dpkg-deb -x "$deb" unpacked
	done
	rm linux-*.deb
	tar -xJf "unpacked/usr/src/$SOURCE.tar.xz" -C tree --strip-components=1
	cp "unpacked/usr/src/linux-headers-$KVER"/{.config,Module.symvers} tree/
	# For the BTF of modules; it holds nothing but the kernel's own
	cp "unpacked/usr/src/linux-headers-$KVER/vmlinux" tree/
	tree/scripts/extract-vmlinux "$(find unpacked \( -name vmlinuz -o -name 'vmlinuz-*' \) -type f)" >vmlinux
	rm -r unpacked
}

build() {
	# The compiler by the name that the distribution called it by, so that nothing of
	# the configuration changes
	local kmake version
	kmake=CC=$(sed -nE 's/^CONFIG_CC_VERSION_TEXT="([^ ]+) .*/\1/p' tree/.config)
	version=$(make -s -C tree kernelversion)
	make -s -C tree "$kmake" "LOCALVERSION=${KVER#"$version"}" -j"$(nproc)" olddefconfig modules_prepare
	if [ "$(cat tree/include/config/kernel.release)" != "$KVER" ]; then
		echo "reason: the prepared tree calls itself $(cat tree/include/config/kernel.release), not $KVER"
		exit 1
	fi
	printf 'KVER=%s\nKMAKE=%s\n' "$KVER" "$kmake" >kernel.env
}

"$action"
