#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the directory of the *first root*: a Debian tree with the compilers, QEMU and the checkers. For another ARCH
# than x86_64, prints the root of root-cross.sh. Each kernel of unstable has a root of its own, which keeps the compiler
# that built the kernel.
# Environment: KVER, the kernel that the caller needs
. "$(dirname "$0")/../lib/lab.sh"

packages=(
	# what Kbuild needs for C and Rust
	make "$compiler" gcc libc6-dev libelf-dev libssl-dev flex bison bc kmod cpio xz-utils zstd python3
	pahole rsync rustc rust-src bindgen libclang-19-dev clang-19 lld-19 llvm-19 file git perl
	# the checks
	rustfmt rust-clippy shellcheck spin
	# the virtual machine
	busybox-static qemu-system-x86
	ca-certificates
)
what='the toolchain root' options=() kver=${KVER-}
root=$CACHE/root-$(key 1 "$suite" "${packages[@]}")
if [ "$suite" = sid ]; then
	what="unstable's toolchain root for ${kver%+*}"
	root=$CACHE/root-sid-$(key 1 "${kver%+*}" "${packages[@]}")
	# A mirror may lag behind, and the indices of unstable are valid for a week only.
	options=('--aptopt=Acquire::Check-Valid-Until "false"')
fi

make_root() {
	local resolved
	need_space 7 "the set-up (root and kernel)"
	"$LAB/root/host.sh"
	resolved=$CACHE/resolved-$(basename "$root")-${kver:-newest}
	"$LAB/root/remove.sh" "$resolved" "$resolved.tmp"

	# The mount namespace of unshare.sh removes the mounts of an interrupted run. unshare.sh gives a plain user the
	# user namespace that enter.sh uses. If mmdebstrap created a user namespace of its own, enter.sh could see other
	# users as the owners of the root's files.
	step "make $what (once)" "2 min" "$CACHE/log/root.log" \
		"$LAB/root/unshare.sh" -- mmdebstrap --mode=root --variant=apt "${options[@]}" \
		--include="$(IFS=, && echo "${packages[*]}")" \
		--setup-hook="$LAB/root/archive.sh \"\$1\" $suite $resolved.tmp $debian_arch $kver" \
		--skip=cleanup/apt/lists "$suite" "$1" || {
		"$LAB/root/remove.sh" "$resolved.tmp"
		exit 1
	}
	# kernel-stock.sh looks for the chosen kernel in a directory named after the root that this script prints. For
	# another ARCH, this is the root of root-cross.sh, so kernel-stock.sh chooses again.
	if [ "$ARCH" = x86_64 ]; then
		mv "$resolved.tmp" "$resolved"
	else
		"$LAB/root/remove.sh" "$resolved.tmp"
	fi
}
cached "$root" root make_root
[ "$ARCH" = x86_64 ] || exec "$LAB/root/root-cross.sh" "$root"
echo "$root"
