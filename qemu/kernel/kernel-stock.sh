#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the directory of the stock kernel in the cache. If the cache lacks this kernel, first prepares it. The image is
# Debian's, unmodified. Modules are built in Debian's source tree, because the headers package lacks the metadata of the
# kernel's Rust crates. The directory has
#   tree/       the source tree with the Rust crates built (KDIR of module builds)
#   vmlinux     the image; for x86_64 it is unpacked here, so that no boot has to unpack it
#   kernel.env  variables of the shell:
#                 KVER    the kernel's release
#                 KMAKE   the arguments that every make in tree/ needs: an array or, for one argument, a plain
#                         variable. "${KMAKE[@]}" has the arguments in both cases
#               In the directories of other kernels (kernel-built.sh), kernel.env may also set:
#                 EXPECT  the fields of the result line (guest/init) in which this kernel differs from the stock
#                         kernel, such as debug_locks=1
#                 APPEND  arguments for the kernel's command line
#                 SIGN    the hash with which modules are signed, by key.pem and key.der in the directory
# Usage: kernel-stock.sh [--resolved]
# With --resolved, the script prints another directory instead. That directory has what resolve.sh writes: the names of
# the packages to fetch, and the headers package.
# Environment: KVER, the kernel's release. Without it, the stock kernel is the newest kernel of the archive that can be
# used (resolve.sh). The script looks for this kernel in the archive once, and later uses the same kernel.
. "$(dirname "$0")/../lib/lab.sh"

want=${KVER-}
root=$("$LAB/root/root.sh")
export D2D_ROOT=$root

resolved=$CACHE/resolved-$(basename "$root")-newest
if [ -n "$want" ] && ! grep -qsxF "KVER=$want" "$resolved/resolved"; then
	resolved=${resolved%newest}$want
fi
# resolve DIR - chooses the kernel, and leaves in DIR what kernel/resolve.sh writes
resolve() {
	step "look for the kernel ${want:-to use} in the archive" "10 s" "$CACHE/log/resolve.log" \
		"$LAB/enter.sh" sh -ec 'apt-get -q -o APT::Update::Error-Mode=any update
			exec "$@"' sh "$LAB/kernel/resolve.sh" "$debian_arch" "$1" "$want"
}
cached "$resolved" resolve resolve
if [ "${1-}" = --resolved ]; then
	echo "$resolved"
	exit
fi
. "$resolved/resolved"

# The key does not depend on prepare-stock.sh. If you change that script in a way that changes the kernel's directory,
# increase the number in the call of key below. Then the kernel is prepared again.
kernel=$CACHE/kernel-$KVER-$(key 2 "$(basename "$root")" "$PACKAGES")
# prepare DIR - makes the kernel's directory
prepare() {
	need_space 4 "the kernel $KVER"
	mkdir "$1"
	step "fetch $KVER: image, source" "30 s, 180 MB" "$CACHE/log/fetch-$KVER.log" \
		"$LAB/enter.sh" "$LAB/kernel/prepare-stock.sh" fetch "$1" "$resolved" "$ARCH"
	step "build the Rust crates of $KVER (once)" "3 min on 2 CPUs" "$CACHE/log/prepare-$KVER.log" \
		"$LAB/enter.sh" "$LAB/kernel/prepare-stock.sh" build "$1" "$resolved" "$ARCH"
}
cached "$kernel" kernel prepare
echo "$kernel"
