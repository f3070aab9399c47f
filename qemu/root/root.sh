#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the directory of the *first root*. If the cache lacks this root, first makes it. The first root is the
# toolchain root for the host's architecture: a Debian tree with the compilers, QEMU and the checkers. The directory's
# name contains a hash of the list of packages.
# If ARCH is not x86_64, the script prints the directory of the root that root-cross.sh makes from the first one.
# For a kernel of unstable, the script prints the directory of another root, which has unstable's packages. Each kernel
# of unstable has a root of its own, which keeps the compiler that built the kernel, because unstable may have a newer
# compiler a week later.
# Environment: KVER, the kernel that the caller needs. If the archive lacks this kernel, the script fails at once.
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
	# The indices of unstable are valid for a week only. Accept older ones, because a mirror may lag behind.
	options=('--aptopt=Acquire::Check-Valid-Until "false"')
fi

# make_root DIR - chooses the kernel (archive.sh), and installs the packages in DIR
make_root() {
	local resolved
	need_space 7 "the set-up (root and kernel)"
	"$LAB/root/host.sh"
	resolved=$CACHE/resolved-$(basename "$root")-${kver:-newest}
	"$LAB/root/remove.sh" "$resolved" "$resolved.tmp"

	# Run mmdebstrap in a mount namespace, so that an interrupted run leaves no mounts. For a plain user,
	# unshare.sh also creates a user namespace. If mmdebstrap created the user namespace itself, files could belong
	# to users that the namespaces of enter.sh do not have.
	step "make $what (once)" "2 min" "$CACHE/log/root.log" \
		"$LAB/root/unshare.sh" -- mmdebstrap --mode=root --variant=apt "${options[@]}" \
		--include="$(IFS=, && echo "${packages[*]}")" \
		--setup-hook="$LAB/root/archive.sh \"\$1\" $suite $resolved.tmp $debian_arch $kver" \
		--skip=cleanup/apt/lists "$suite" "$1" || {
		"$LAB/root/remove.sh" "$resolved.tmp"
		exit 1
	}
	# On x86_64, keep what archive.sh has chosen, because kernel-stock.sh looks for it under the name of the root.
	# For another ARCH, kernel-stock.sh looks under the name of a root that root-cross.sh makes only later. So
	# remove the choice; kernel-stock.sh then chooses again.
	if [ "$ARCH" = x86_64 ]; then
		mv "$resolved.tmp" "$resolved"
	else
		"$LAB/root/remove.sh" "$resolved.tmp"
	fi
}
cached "$root" root make_root
[ "$ARCH" = x86_64 ] || exec "$LAB/root/root-cross.sh" "$root"
echo "$root"
