#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the directory of the *herd root*, and makes it if the cache lacks it. The herd root is a toolchain root with
# herd7, which the litmus tests need. It comes from the Debian suite forky, because trixie, the suite of the first
# root (root.sh) and of the extra root (root-extra.sh), lacks herd7.
# D2D_ROOT=$(root-herd.sh) enter.sh CMD runs a command there.
. "$(dirname "$0")/../lib/lab.sh"

suite=forky
packages=(herdtools7)
root=$CACHE/root-herd-$(key 1 "$suite" "${packages[@]}")

# make_root DIR - installs the packages in DIR
make_root() {
	"$LAB/root/host.sh"
	need_space 2 "the toolchain root with herd7"
	# The indices of an unreleased suite are valid for a week only. Accept older ones, because a mirror may lag
	# behind.
	step "make the toolchain root with herd7 (once)" "1 min" "$CACHE/log/root-herd.log" \
		"$LAB/root/unshare.sh" -- mmdebstrap --mode=root --variant=essential \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--include="$(IFS=, && echo "${packages[*]}")" "$suite" "$1"
}
cached "$root" root-herd make_root
echo "$root"
