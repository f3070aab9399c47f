#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds a pair from outside of this tree with the library of this tree. Copies what the guest needs to DIR/lib/d2d.
# Before this script, call build.sh for the same kernel.
# Usage: pair.sh DIR
# Environment: D2D_KERNEL, D2D_ROOT; PAIR, the folder of the pair
. "$(dirname "$0")/../lib/lab.sh"

. "$D2D_KERNEL/kernel.env"
built=$PROJECT/build/$KVER
for file in Kbuild test.sh; do
	[ -f "$PAIR/$file" ] || die "PAIR='$PAIR' has no $file: 'make new' writes a pair with one"
done
hold_build

# The layout of make install-dev, with the symbols of module_a only. If copies replaced the links, make would compile
# the library again.
mkdir -p "$built/dev/symvers"
ln -sfn "$PROJECT"/install/{c,rust}.mk "$PROJECT/shared" "$built/dev/"
awk '$3 == "module_a"' "$built/Module.symvers" >"$built/dev/symvers/$KVER"

# The toolchain root lacks the pair's folder, so build a copy in this tree. The copy keeps the files' times, so make
# compiles only what has changed.
if [ "$(readlink "$built/pair/origin")" != "$PAIR" ]; then
	rm -rf "$built/pair"
	mkdir -p "$built/pair/objects"
	ln -s "$PAIR" "$built/pair/origin"
fi
rm -rf "$built/pair/sources"
cp -Rp -- "$PAIR" "$built/pair/sources"
making=("$LAB/enter.sh" make --no-print-directory -C "$D2D_KERNEL/tree" M="$built/pair/sources" "${KMAKE[@]}" D2D="$built/dev")
# If the copy has the files of a user's build, Kbuild refuses MO=.
[ ! -e "$built/pair/sources/modules.order" ] || "${making[@]}" -s clean
"${making[@]}" MO="$built/pair/objects" -j"$(nproc)" modules || die "the pair in $PAIR does not build"

while read -r object; do
	name=$(basename "$object" .o).ko
	[ ! -e "$1/lib/d2d/$name" ] || die "this tree has a module $name, too: choose another name"
	echo "${name%.ko}" >>"$1/lib/d2d/modules"
done <"$built/pair/objects/modules.order"
"$LAB/enter.sh" "$LAB/run/install.sh" "$D2D_KERNEL" "$built/pair/objects" "$1"
find "$PAIR/" -maxdepth 1 -type f \( -name test.sh -o -executable \) -exec install -m 755 -t "$1/lib/d2d/" {} +
[ ! -e "$PAIR/use" ] || install -m 644 "$PAIR/use" "$1/lib/d2d/"
install -m 644 "$PROJECT/selftests/pair_lib.sh" "$1/lib/d2d/"
