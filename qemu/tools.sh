#!/bin/bash
# One of the lab's own programs: compiled once per content of its sources by the root's
# rustc. Prints the path.
# Usage: tools.sh [vm|bench|quotes]
. "$(dirname "$0")/lib.sh"

name=${1:-vm}
root=$("$LAB/root.sh")
tool=$CACHE/d2d-$name-$(key "$(basename "$root")" "$(cat "$LAB/$name"/*)")
if [ ! -x "$tool" ]; then
	need_cache
	hold "$CACHE/lock/tools"
fi
if [ ! -x "$tool" ]; then
	D2D_ROOT=$root step "compile d2d-$name (once)" "5 s" "$CACHE/log/tools.log" \
		"$LAB/enter.sh" rustc --edition 2021 -O -D warnings -o "$tool.tmp" "$LAB/$name/main.rs"
	mv "$tool.tmp" "$tool"
fi
echo "$tool"
