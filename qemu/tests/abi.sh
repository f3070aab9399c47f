#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests that drivers of older and newer versions of the library work together. Loads the owner of each of these trees
# with the peers of every tree (selftests/abi.sh):
#   old    the recorded commit (shared/owner/recorded.h), unless git lacks it, as in a shallow clone
#   today  this tree
#   grown  this tree with one more function in the owner's table (selftests/abi.change)
# Of the growing pair (selftests/peers/growing/), loads each owner of "today" with peers of "old". build/abi/
# keeps the trees, so that make compiles only what has changed.
. "$(dirname "$0")/../lib/lab.sh"

kernel=uml
D2D_KERNEL=$(kernel_dir "$kernel")
D2D_ROOT=$("$LAB/root/root.sh")
D2D_ONLY="module_a c_owner module_b c_peer"
export D2D_KERNEL D2D_ROOT D2D_ONLY
. "$D2D_KERNEL/kernel.env"
trees=$PROJECT/build/abi
mkdir -p "$trees"
need_cache
hold "$CACHE/lock/abi-$(key "$PROJECT")"
images=$(mktemp -d "$trees/images.XXXXXX")
trap 'rm -rf "$images"' EXIT
mkdir -p "$images/root/lib/d2d"

D2D_ONLY="$D2D_ONLY growing growing_owner_v1_0 growing_owner_v1_2 growing_owner_c growing_owner_c_v1_1" \
	"$LAB/run/image.sh" "$images/$kernel" --selftests

# add TREE [MODULE...] - builds $D2D_ONLY and each MODULE in a tree, and puts them into /lib/d2d/TREE of the image
add() {
	local tree=$trees/$1 D2D_ONLY="$D2D_ONLY ${*:2}"
	"$LAB/build.sh" --source "$tree" --selftests >&2
	"$LAB/enter.sh" "$LAB/run/install.sh" "$D2D_KERNEL" "$tree/build/$KVER" "$images/$1"
	mv "$images/$1/lib/d2d" "$images/root/lib/d2d/$1"
}

commit=$(sed -n 's/^#define D2D_RECORDED_COMMIT[[:space:]]*"\(.*\)"$/\1/p' "$PROJECT/shared/owner/recorded.h")
if git -C "$PROJECT" cat-file -e "$commit^{commit}" 2>/dev/null; then
	if [ "$(cat "$trees/old/build/commit" 2>/dev/null)" != "$commit" ]; then
		rm -rf "$trees/old"
		mkdir -p "$trees/old/build"
		git -C "$PROJECT" archive "$commit" | tar -x -C "$trees/old"
		echo "$commit" >"$trees/old/build/commit"
	fi
	add old growing growing_v1_0 growing_c
else
	say "git does not have the recorded commit $commit: the tests with its owner and peers are skipped"
fi

mkdir -p "$trees/grown/build"
"$LAB/enter.sh" sh -ec '
	rsync -rlp --checksum --delete --exclude=/build --exclude=/.git "$1/" "$2"
	cd "$2"
	"$3" selftests/abi.change' sh "$PROJECT" "$trees/grown" "$("$LAB/root/tools.sh" mutate)"
add grown

# Append a second archive to the image: the kernel unpacks both.
"$LAB/enter.sh" sh -ec 'cd "$1/root"; find . | cpio --quiet -o -H newc -R 0:0 >>"$1/$2/initramfs.cpio"' sh "$images" "$kernel"
D2D_IMAGES=$images "$LAB/run/boots.sh" - <<TABLE
$kernel abi 300
TABLE
