#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Chooses a kernel in apt's archive: KVER, or the newest usable one. Writes OUT/resolved, which names the packages
# to fetch, and leaves the headers package in OUT. The archive must have the kernel's headers and source in the same
# version, and the rustc with which the kernel was built.
#
# The script runs inside the toolchain root. Before this root is made, root/archive.sh runs the script on the host, so
# that a wrong KVER fails within seconds.
# Usage: resolve.sh ARCH OUT [KVER]
# ARCH is Debian's name of the architecture: amd64 or arm64.
set -euo pipefail

arch=$1
out=$2
want=${3-}

die() {
	echo "reason: $*"
	exit 1
}

# versions PACKAGE - prints lines "NAME VERSION", the newest first
versions() {
	apt-cache madison "$1" | awk -F ' *[|] *' '{ sub(/^ */, "", $1); print $1, $2 }' | sort -u | sort -rV
}

list=$(apt-cache pkgnames linux-headers- |
	sed -nE 's/^linux-headers-([0-9][^-]*(-rc[0-9]+)?\+deb[^-]*(-cloud|-rt)?-'"$arch"')$/\1/p' | sort -rV)
rustc=$(apt-cache show --no-all-versions rustc | sed -nE 's/^Version: ([0-9.]+).*/\1/p')

if [ -n "$want" ]; then
	grep -qxF -e "$want" <<<"$list" ||
		die "the archive has no $arch kernel $want; it has: $(tr '\n' ' ' <<<"$list")"
	list=$want
else
	list=$(grep -vE -e '-(cloud|rt)-' <<<"$list" || :)
fi

mkdir -p "$out"
cd "$out"
why="no kernel at all"
for kver in $list; do
	version=$(versions "linux-headers-$kver" | awk 'NR == 1 { print $2 }')
	series=$(cut -d. -f1,2 <<<"$version")
	series=${series%%[-~+]*}
	if ! versions "linux-source-$series" | grep -qxF "linux-source-$series $version"; then
		why="$kver: the archive has its headers, but no linux-source-$series of version $version"
		continue
	fi
	apt-get -q -o APT::Sandbox::User=root download "linux-headers-$kver=$version"
	config=$(dpkg-deb --fsys-tarfile linux-headers-"$kver"_*.deb |
		tar -xO "./usr/src/linux-headers-$kver/.config" | grep -E '^CONFIG_(RUST|RUSTC_VERSION_TEXT|PREEMPT_RT)=' || :)
	if grep -qx 'CONFIG_PREEMPT_RT=y' <<<"$config"; then
		why="$kver is built with CONFIG_PREEMPT_RT, on which the modules do not build"
		continue
	fi
	if ! grep -qx 'CONFIG_RUST=y' <<<"$config"; then
		why="$kver is built without CONFIG_RUST"
		continue
	fi
	text=$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\(.*\)"/\1/p' <<<"$config")
	if [[ $text != "rustc $rustc "* ]]; then
		why="$kver is built with '$text', the toolchain root has rustc $rustc"
		continue
	fi
	image=linux-binary-$kver
	[ -n "$(versions "$image")" ] || image=linux-image-$kver
	{
		echo "KVER=$kver"
		echo "SOURCE=linux-source-$series"
		echo "PACKAGES='linux-source-$series=$version $image=$version'"
		echo "RUSTC='$text'"
	} >resolved
	exit 0
done
[ -z "$want" ] || die "$why"
die "the archive has no usable kernel; the last one tried: $why"
