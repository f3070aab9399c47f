#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The second toolchain root: what only some targets need and `make run` need not wait for. Cargo
# for the trace tool, the debugger, and the Windows version's compiler and Wine. Made
# once and cached as root.sh does; a command runs in it by D2D_ROOT=$(root-more.sh) enter.sh CMD.
# Prints its path.
. "$(dirname "$0")/../lib/lab.sh"

suite=trixie
packages=(
	# the trace tool
	cargo rustc rustfmt rust-clippy gcc libc6-dev ca-certificates
	# the debugger, which attaches to a virtual machine
	gdb
	# the Windows version
	make gcc-mingw-w64-x86-64 wine wine64 procps
)
root=$CACHE/root-more-$(key 1 "$suite" "${packages[@]}")

if [ ! -d "$root" ]; then
	"$LAB/root/host.sh"
	hold "$CACHE/lock/root-more"
fi
if [ ! -d "$root" ]; then
	need_space 4 "the second toolchain root"
	"$LAB/root/remove.sh" "$root.tmp"
	step "make the second toolchain root (once)" "2 min" "$CACHE/log/root-more.log" \
		"$LAB/root/unshare.sh" -- mmdebstrap --mode=root --variant=apt \
		--include="$(IFS=, && echo "${packages[*]}")" "$suite" "$root.tmp"
	mv "$root.tmp" "$root"
fi
echo "$root"
