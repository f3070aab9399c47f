#!/bin/bash
# A kernel ready to build modules for and to boot: the distribution's own image, and
# its source tree with the Rust crates built, as its headers package lacks them.
# Made once and cached. Prints its directory, which holds
#   tree/       the prepared source tree (KDIR of module builds)
#   vmlinux     the distribution's image, unpacked once instead of by every boot
#   kernel.env  KVER; KMAKE (a word or an array): what every make in tree/ needs on its command
#               line; EXPECT: what its guests have to say in the end (guest/init) where that is
#               not what the stock kernel's say, for example debug_locks=1
# Without KVER it is the newest kernel that can be used, as found when first asked.
# Usage: kernel.sh [KVER]
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

# The number stands for what prepare.sh does.
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
