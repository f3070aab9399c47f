#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes the Debian package linux-rust-headers-KVER in build/, and prints its path. The package has the files
# that modules in Rust need and that linux-headers-KVER lacks (docs/install.md).
# Environment: KVER, see kernel_dir (lib/lab.sh)
. "$(dirname "$0")/lib/lab.sh"

only_x86_64 "make rust-headers"
kernel=$(kernel_dir stock)
resolved=$("$LAB/kernel/kernel-stock.sh" --resolved)
D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT
strace=$("$LAB/root/packages.sh" strace libunwind8)

hold_build
mkdir -p "$PROJECT/build"
dir=$(mktemp -d "$PROJECT/build/rust-headers.XXXXXX")
trap 'rm -rf "$dir"' EXIT
step "make the package" "2 min" "$PROJECT/build/rust-headers.log" \
	"$LAB/enter.sh" "$LAB/kernel/rust-headers.sh" "$kernel" "$resolved" "$strace" "$dir"
mv "$dir"/linux-rust-headers-*.deb "$PROJECT/build/"
echo "build/$(<"$dir/name")"
