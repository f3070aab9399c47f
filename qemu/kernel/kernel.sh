#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prepares the stock kernel, once, and prints its directory in the cache. Debian's image boots unmodified. Modules are
# built in Debian's source tree, because the headers package lacks the metadata of the kernel's Rust crates. The
# directory has
#   tree/       the source tree with the Rust crates built (KDIR of module builds)
#   vmlinux     the image, unpacked once, so that not every boot has to do it
#   kernel.env  variables of the shell:
#                 KVER    the kernel's release
#                 KMAKE   a word or an array: the arguments that every make in tree/ needs
#               and for kernels other than the stock kernel, where they are needed:
#                 EXPECT  fields of the result line (guest/init) that differ, such as debug_locks=1
#                 APPEND  arguments for the kernel's command line
# Usage: kernel.sh [KVER]
# Without KVER, it is the newest kernel of the archive that can be used. The script looks this up once, and then keeps
# to that kernel.
. "$(dirname "$0")/../lib/lab.sh"

want=${1-}
root=$("$LAB/root/root.sh" "$want")
export D2D_ROOT=$root

resolved=$CACHE/resolved-$(basename "$root")-newest
if [ -n "$want" ] && ! grep -qsxF "KVER=$want" "$resolved/resolved"; then
	resolved=${resolved%newest}$want
fi
if [ ! -d "$resolved" ]; then
	"$LAB/root/host.sh"
	hold "$CACHE/lock/resolve"
fi
if [ ! -d "$resolved" ]; then
	"$LAB/root/remove.sh" "$resolved.tmp"
	step "look for the kernel ${want:-to use} in the archive" "10 s" "$CACHE/log/resolve.log" \
		"$LAB/enter.sh" sh -ec 'apt-get -q -o APT::Update::Error-Mode=any update
			exec "$@"' sh "$LAB/kernel/resolve.sh" "$resolved.tmp" "$want"
	mv "$resolved.tmp" "$resolved"
fi
. "$resolved/resolved"

# A change of prepare.sh does not change this key: increase the 2 if the kernel must then be prepared again.
kernel=$CACHE/kernel-$KVER-$(key 2 "$(basename "$root")" "$PACKAGES")
if [ ! -d "$kernel" ]; then
	"$LAB/root/host.sh"
	hold "$CACHE/lock/kernel"
fi
if [ ! -d "$kernel" ]; then
	need_space 4 "the kernel $KVER"
	"$LAB/root/remove.sh" "$kernel.tmp"
	mkdir "$kernel.tmp"
	step "fetch $KVER: image, source" "30 s, 180 MB" "$CACHE/log/fetch-$KVER.log" \
		"$LAB/enter.sh" "$LAB/kernel/prepare.sh" fetch "$kernel.tmp" "$resolved"
	step "build the Rust crates of $KVER (once)" "3 min on 2 CPUs" "$CACHE/log/prepare-$KVER.log" \
		"$LAB/enter.sh" "$LAB/kernel/prepare.sh" build "$kernel.tmp" "$resolved"
	mv "$kernel.tmp" "$kernel"
fi
echo "$kernel"
