#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the directory of User-Mode Linux with SMP. If the cache lacks this kernel, first builds it from the source of
# the stock kernel. kernel-stock.sh explains the directory and the environment. Instead of vmlinux, the directory has
# the program linux.
. "$(dirname "$0")/../lib/lab.sh"

stock=$("$LAB/kernel/kernel-stock.sh")
D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT

kernel=$CACHE/kernel-uml-$(key "$(basename "$stock")" "$(cat "$LAB/kernel/uml.config" "$LAB/kernel/prepare-uml.sh")")
build_kernel() {
	need_space 4 "the User-Mode Linux kernel"
	mkdir "$1"
	step "build User-Mode Linux (once)" "5 min on 2 CPUs" "$CACHE/log/prepare-uml.log" \
		"$LAB/enter.sh" "$LAB/kernel/prepare-uml.sh" "$1" "$stock" "$LAB/kernel/uml.config"
}
cached "$kernel" kernel-uml build_kernel
echo "$kernel"
