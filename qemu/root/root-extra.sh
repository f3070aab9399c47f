#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the directory of the *extra root*. It has the packages that only some targets need, so that the first `make
# run` does not wait for them.
. "$(dirname "$0")/../lib/lab.sh"

suite=trixie
packages=(
	# the trace tool
	cargo rustc rustfmt rust-clippy gcc libc6-dev ca-certificates
	gdb
	# the Windows version
	make gcc-mingw-w64-x86-64 wine wine64 procps cppcheck
)
root=$CACHE/root-extra-$(key 1 "$suite" "${packages[@]}")

make_root() {
	"$LAB/root/host.sh"
	need_space 4 "the extra toolchain root"
	step "make the extra toolchain root (once)" "2 min" "$CACHE/log/root-extra.log" \
		"$LAB/root/unshare.sh" -- mmdebstrap --mode=root --variant=apt \
		--include="$(IFS=, && echo "${packages[*]}")" "$suite" "$1"
}
cached "$root" root-extra make_root
echo "$root"
