#!/bin/bash
# The lab's own program: compiled once per content of its sources by the root's
# rustc. Prints the path.
. "$(dirname "$0")/lib.sh"

root=$("$LAB/root.sh")
tool=$CACHE/d2d-vm-$(key "$(basename "$root")" "$(cat "$LAB"/vm/*.rs)")
if [ ! -x "$tool" ]; then
	need_cache
	hold "$CACHE/lock/tools"
fi
if [ ! -x "$tool" ]; then
	D2D_ROOT=$root step "compile the VM runner (once)" "5 s" "$CACHE/log/tools.log" \
		"$LAB/enter.sh" rustc --edition 2021 -O -D warnings -o "$tool.tmp" "$LAB/vm/main.rs"
	mv "$tool.tmp" "$tool"
fi
echo "$tool"
