#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the path of a host program of the project. Compiles the program if its sources have changed.
# Usage: tools.sh [vm|mutate|bench|proofread|cache-lines|trace]
. "$(dirname "$0")/../lib/lab.sh"

name=${1:-vm}
# Host programs do not depend on the guest's architecture and kernel.
export ARCH=x86_64 KVER=
if [ "$name" = trace ]; then
	root=$("$LAB/root/root-extra.sh")
	mapfile -t sources < <(find "$PROJECT/trace/src" "$PROJECT"/windows/compare/*.rs -type f | sort)
	sources+=("$PROJECT"/trace/Cargo.{toml,lock} "$PROJECT"/{shared/include/d2d_step.h,selftests/programs/spec.rs} "$LAB/root/cargo.sh")
else
	root=$("$LAB/root/root.sh")
	sources=("$LAB/$name"/* "$PROJECT"/{trace/src/{line,clock}.rs,shared/include/d2d_step.h})
fi
tool=$CACHE/d2d-$name-$(key "$(basename "$root")" "$(cat "${sources[@]}")")
compile() {
	if [ "$name" = trace ]; then
		"$LAB/root/remove.sh" "$1.cargo"
		step "compile d2d-trace (once)" "1 min" "$CACHE/log/tools.log" \
			"$LAB/root/cargo.sh" install --locked --no-track --path . --root "$1.cargo"
		mv "$1.cargo/bin/d2d-trace" "$1"
		rm -r "$1.cargo"
	else
		D2D_ROOT=$root step "compile d2d-$name (once)" "5 s" "$CACHE/log/tools.log" \
			"$LAB/enter.sh" rustc --edition 2021 -O -D warnings -o "$1" "$LAB/$name/main.rs"
	fi
}
cached "$tool" tools compile
echo "$tool"
