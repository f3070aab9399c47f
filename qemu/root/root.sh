#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The toolchain root: a Debian tree with the compilers, QEMU and the checkers, made once
# and cached under a name made from its contents' list. Prints its path.
# Usage: root.sh [KVER] (the kernel that will be wanted: a wrong one is refused here)
. "$(dirname "$0")/../lib/lab.sh"

suite=trixie
packages=(
	# what Kbuild needs for C and Rust
	make gcc-14 gcc libc6-dev libelf-dev libssl-dev flex bison bc kmod cpio xz-utils zstd python3
	pahole rsync rustc rust-src bindgen libclang-19-dev clang-19 lld-19 llvm-19 file git perl
	# the checks
	rustfmt rust-clippy shellcheck spin
	# the virtual machine
	busybox-static qemu-system-x86
	ca-certificates
)
root=$CACHE/root-$(key 1 "$suite" "${packages[@]}")

if [ ! -d "$root" ]; then
	"$LAB/root/host.sh"
	hold "$CACHE/lock/root"
fi
if [ ! -d "$root" ]; then
	need_space 7 "the set-up (root and kernel)"
	"$LAB/root/remove.sh" "$root.tmp"
	resolved=$CACHE/resolved-$(basename "$root")-${1:-newest}
	"$LAB/root/remove.sh" "$resolved" "$resolved.tmp"

	# In a mount namespace, so that an interrupted run leaves no mounts. A plain user's
	# root belongs to that user: root mode inside a user namespace of the same
	# mapping as enter.sh's, not mmdebstrap's own.
	step "make the toolchain root (once)" "2 min" "$CACHE/log/root.log" \
		"$LAB/root/unshare.sh" -- mmdebstrap --mode=root --variant=apt --include="$(IFS=, && echo "${packages[*]}")" \
		--setup-hook="$LAB/root/archive.sh \"\$1\" $suite $resolved.tmp ${1-}" \
		--skip=cleanup/apt/lists "$suite" "$root.tmp"
	mv "$resolved.tmp" "$resolved"
	mv "$root.tmp" "$root"
fi
echo "$root"
