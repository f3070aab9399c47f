#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the directory of the clean root, which has only the packages with which a user of Debian builds modules.
# Usage: root-clean.sh KVER
# KVER is the release of the stock kernel.
. "$(dirname "$0")/../lib/lab.sh"

suite=trixie
# Only this project's modules need bindgen.
packages=("linux-headers-$1" rustc dkms bindgen)
base=$("$LAB/root/root.sh")
root=$CACHE/root-clean-$(key 1 "$(basename "$base")" "${packages[@]}")

make_root() {
	"$LAB/root/host.sh"
	need_space 2 "the clean root"
	step "make the clean root (once)" "2 min" "$CACHE/log/root-clean.log" \
		"$LAB/root/unshare.sh" -- mmdebstrap --mode=root --variant=apt --include="$(IFS=, && echo "${packages[*]}")" \
		--setup-hook="cp $base/etc/apt/sources.list.d/* \"\$1/etc/apt/sources.list.d/\"" \
		--skip=cleanup/apt/lists "$suite" "$1"
}
cached "$root" root-clean make_root
echo "$root"
