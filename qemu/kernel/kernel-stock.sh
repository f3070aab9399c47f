#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the directory of the stock kernel in the cache. If the cache lacks this kernel, first prepares it. The image is
# Debian's, unmodified. Modules are built in Debian's source tree, because the headers package lacks the metadata of the
# kernel's Rust crates. The directory has
#   tree/       the source tree with the Rust crates built (KDIR of module builds)
#   vmlinux     the image; for x86_64 it is unpacked
#   kernel.env  variables of the shell:
#                 KVER    the kernel's release
#                 KMAKE   the arguments that every make in tree/ needs, "${KMAKE[@]}"
#               In the directories of other kernels (kernel-built.sh), also:
#                 EXPECT  the fields of the result line (guest/init) that differ from those of the stock kernel
#                 APPEND  arguments for the kernel's command line
#                 SIGN    the hash algorithm for signing modules with key.pem and key.der of the directory
# Usage: kernel-stock.sh [--resolved]
# With --resolved, instead prints the directory with the output of resolve.sh.
# Environment: KVER, the kernel's release. Without it, the script chooses the newest usable kernel of the archive, and
# keeps this choice.
. "$(dirname "$0")/../lib/lab.sh"

want=${KVER-}
root=$("$LAB/root/root.sh")
export D2D_ROOT=$root

resolved=$CACHE/resolved-$(basename "$root")-newest
if [ -n "$want" ] && ! grep -qsxF "KVER=$want" "$resolved/resolved"; then
	resolved=${resolved%newest}$want
fi
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

# The key does not depend on prepare-stock.sh. If a change of that script changes the kernel's directory, increase the
# number in the call of key.
kernel=$CACHE/kernel-$KVER-$(key 2 "$(basename "$root")" "$PACKAGES")
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
