#!/bin/bash
# A kernel that watches the modules: KASAN, lockdep, kmemleak, object debugging, fault
# injection, KUnit, as sanitizer.config says. Built from the source of the stock kernel,
# once and cached. Prints its directory, which is one as kernel.sh makes.
# Usage: kernel-sanitizer.sh [KVER]
. "$(dirname "$0")/../lib/lab.sh"

stock=$("$LAB/kernel/kernel.sh" "${1-}")
D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT

# The number stands for what prepare-sanitizer.sh does; root and source are in stock's name.
kernel=$CACHE/kernel-sanitizer-$(key 2 "$(basename "$stock")" "$(cat "$LAB/kernel/sanitizer.config")")
if [ ! -d "$kernel" ]; then
	"$LAB/root/host.sh"
	hold "$CACHE/lock/kernel"
fi
if [ ! -d "$kernel" ]; then
	need_space 1 "the sanitizer kernel"
	"$LAB/root/remove.sh" "$kernel.tmp"
	mkdir "$kernel.tmp"
	step "configure the sanitizer kernel" "15 s" "$CACHE/log/configure-sanitizer.log" \
		"$LAB/enter.sh" "$LAB/kernel/prepare-sanitizer.sh" configure "$kernel.tmp" "$stock" "$LAB/kernel/sanitizer.config"
	step "build the sanitizer kernel (once)" "8 min on 2 CPUs" "$CACHE/log/build-sanitizer.log" \
		"$LAB/enter.sh" "$LAB/kernel/prepare-sanitizer.sh" build "$kernel.tmp"
	mv "$kernel.tmp" "$kernel"
fi
echo "$kernel"
