#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes the package linux-rust-headers-KVER in DIR; runs inside the toolchain root. The script builds modules in the
# kernel's tree. The package gets each file of the tree that the builds open and that Debian's headers packages lack.
# Usage: rust-headers.sh KERNEL RESOLVED STRACE DIR
# KERNEL is the kernel's directory (kernel-stock.sh), RESOLVED the directory with the output of resolve.sh. STRACE has
# strace (packages.sh).
set -euo pipefail

kernel=$1
resolved=$2
strace=$3
project=$(realpath "$(dirname "$0")/../..")
cd "$4"
. "$kernel/kernel.env"
. "$resolved/resolved"
tree=$kernel/tree
headers=$(echo "$resolved"/linux-headers-*.deb)
version=$(dpkg-deb -f "$headers" Version)
name=linux-rust-headers-$KVER

# watch ARGUMENT... - builds modules, and notes which files are opened
watch() {
	LD_LIBRARY_PATH=$(echo "$strace"/usr/lib/*-linux-gnu) "$strace/usr/bin/strace" -f -qq -y -z --seccomp-bpf \
		-e trace=open,openat,openat2 -e signal=none -A -o trace \
		make -s -j"$(nproc)" -C "$tree" "${KMAKE[@]}" "$@" modules
}

# Build modules that may open different files: rust_minimal has the default flags, rust_print a tracepoint.
mkdir out
watch M="$project" MO="$PWD/out" D2D_ONLY="module_a module_b"
cp -r "$tree/samples/rust" samples
watch M="$PWD/samples" CONFIG_SAMPLE_RUST_MINIMAL=m CONFIG_SAMPLE_RUST_PRINT=m

apt-get -q -o APT::Update::Error-Mode=any update
# shellcheck disable=SC2046 # a list
apt-get -q -o APT::Sandbox::User=root download \
	$(dpkg-deb -f "$headers" Depends | grep -oE 'linux-(headers|kbuild)-[^ ,]+' | sed "s/\$/=$version/")
for deb in "$headers" linux-*.deb; do
	dpkg-deb -x "$deb" headers
done
# $common has the headers that all flavours of a kernel share.
build=$(realpath "headers/usr/lib/modules/$KVER/build")
common=$(realpath "headers/usr/lib/modules/$KVER/source")

{
	sed -n 's|.* = [0-9]*<\(/[^>]*\)>$|\1|p' trace
	# warn_on! and static_branch_unlikely! include these.
	printf '%s\n' "$tree"/rust/kernel/generated_arch_*.rs
} | sort -u | while IFS= read -r file; do
	path=${file#"$tree"/}
	if [ "$path" = "$file" ] || [ ! -f "$file" ] || [ -e "$build/$path" ] || [ -e "$common/$path" ]; then
		continue
	fi
	# If the packages have the file in another folder, their makefiles look for it there.
	moved=$(find headers -name "${path##*/}" -exec cmp -s {} "$file" \; -print -quit)
	[ -z "$moved" ] || continue
	# $path may lead through a link of the headers package to a folder of another package.
	to=$(realpath -m "$build/$path")
	install -D -p -m "$(stat -c %a "$file")" "$file" "package/${to#"$PWD/headers/"}"
done

mkdir -p package/DEBIAN "package/usr/share/doc/$name"
# rustc can read only metadata of its own release. A new revision of Debian's package does not change the release.
release=$(sed -E 's/^rustc ([0-9.]+).*/\1/' <<<"$RUSTC")
# The packages of two flavours conflict: each puts its target.json into the shared folder scripts/.
flavours=linux-rust-${common##*/linux-headers-}
{
	echo "Package: $name"
	echo "Version: $version"
	echo "Architecture: $(dpkg --print-architecture)"
	echo "Maintainer: Beyond IRPs <root@localhost>"
	echo "Installed-Size: $(du -sk package | cut -f 1)"
	echo "Depends: linux-headers-$KVER (= $version), rustc (>= $release), rustc (<< ${release%.*}.$((${release##*.} + 1))~)"
	echo "Provides: $flavours"
	echo "Conflicts: $flavours"
	echo "Section: kernel"
	echo "Priority: optional"
	echo "Description: Rust metadata for modules of Linux $KVER"
	echo " The metadata of the kernel's Rust crates, which linux-headers-$KVER lacks. With it,"
	echo " out-of-tree modules in Rust are built like those in C, by make or by dkms."
} >package/DEBIAN/control
cat >"package/usr/share/doc/$name/copyright" <<END
Compiled from the source of Linux in Debian's package $SOURCE, version $version. The copyright and the licences are those of
that package: /usr/share/doc/linux-headers-$KVER/copyright
Parts of the Rust standard library are in libcore.rmeta, which is compiled from Debian's package rust-src, and in the macros
(lib*.so), from libstd-rust-dev. They are under MIT or Apache-2.0: /usr/share/doc/rustc/copyright
END
dpkg-deb --root-owner-group -Zzstd -z9 -b package . >&2
echo linux-rust-headers-*.deb >name
