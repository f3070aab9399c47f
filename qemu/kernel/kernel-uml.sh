#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds User-Mode Linux with SMP from the source of the stock kernel, once, and prints its directory in the cache. This
# kernel is a program of the host, so the modules run in it at the speed of the host's CPUs. The directory has
#   tree/       the source tree, in which it was built (KDIR of module builds)
#   linux       the kernel, a program
#   kernel.env  KVER and KMAKE, as in the directories of kernel.sh
# Usage: kernel-uml.sh [KVER]
. "$(dirname "$0")/../lib/lab.sh"

stock=$("$LAB/kernel/kernel.sh" "${1-}")
D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT

kernel=$CACHE/kernel-uml-$(key "$(basename "$stock")" "$(cat "$LAB/kernel/uml.config" "$LAB/kernel/prepare-uml.sh")")
if [ ! -d "$kernel" ]; then
	need_cache
	hold "$CACHE/lock/kernel-uml"
fi
if [ ! -d "$kernel" ]; then
	need_space 4 "the User-Mode Linux kernel"
	"$LAB/root/remove.sh" "$kernel.tmp"
	mkdir "$kernel.tmp"
	step "build User-Mode Linux (once)" "5 min on 2 CPUs" "$CACHE/log/prepare-uml.log" \
		"$LAB/enter.sh" "$LAB/kernel/prepare-uml.sh" "$kernel.tmp" "$stock" "$LAB/kernel/uml.config"
	mv "$kernel.tmp" "$kernel"
fi
echo "$kernel"
