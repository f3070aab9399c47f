#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the directory of the *herd root*, which has herd7. trixie lacks herd7.
. "$(dirname "$0")/../lib/lab.sh"

suite=forky
packages=(herdtools7)
root=$CACHE/root-herd-$(key 1 "$suite" "${packages[@]}")

make_root() {
	"$LAB/root/host.sh"
	need_space 2 "the toolchain root with herd7"
	# A mirror may lag behind, and the indices of an unreleased suite are valid for a week only.
	step "make the toolchain root with herd7 (once)" "1 min" "$CACHE/log/root-herd.log" \
		"$LAB/root/unshare.sh" -- mmdebstrap --mode=root --variant=essential \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--include="$(IFS=, && echo "${packages[*]}")" "$suite" "$1"
}
cached "$root" root-herd make_root
echo "$root"
