#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the directory of the kernel NAME. If the cache lacks this kernel, first builds it from the source of the stock
# kernel, with the configuration NAME.config. NAME is
#   sanitizer  User-Mode Linux with KASAN, lockdep, kmemleak and other checks
#   debug      a kernel for QEMU, with symbols for the debugger
#   strict     a kernel for QEMU with CFI, symbol versions and forced signatures
# kernel-stock.sh explains the directory and the environment. Instead of vmlinux, the directory of "sanitizer" has the
# program linux.
# Usage: kernel-built.sh NAME
. "$(dirname "$0")/../lib/lab.sh"

name=$1
config=$LAB/kernel/$name.config
patch=$LAB/kernel/$name.patch
[ -e "$patch" ] || patch=
stock=$("$LAB/kernel/kernel-stock.sh")
D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT

# The key does not depend on prepare-built.sh. If a change of that script changes the kernel, increase the number in the
# call of key. The name of $stock contains a hash of the toolchain root and of the source packages.
kernel=$CACHE/kernel-$name-$(key 1 "$(basename "$stock")" "$(cat "$config" ${patch:+"$patch"})")
build_kernel() {
	need_space 2 "the $name kernel"
	mkdir "$1"
	step "configure the $name kernel" "15 s" "$CACHE/log/configure-$name.log" \
		"$LAB/enter.sh" "$LAB/kernel/prepare-built.sh" configure "$1" "$name" "$stock" "$config" "$patch"
	step "build the $name kernel (once)" "6 to 10 min on 2 CPUs" "$CACHE/log/build-$name.log" \
		"$LAB/enter.sh" "$LAB/kernel/prepare-built.sh" build "$1" "$name"
}
cached "$kernel" "kernel-$name" build_kernel
echo "$kernel"
