#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Shows that a build that cannot succeed ends before it compiles anything, with one line that gives the reason. Runs
# inside the toolchain root. Prints KTAP, and last a line of counts.
# Usage: builds.sh KERNEL
# KERNEL is a kernel's directory (kernel/kernel-stock.sh).
set -euo pipefail

kernel=$1
cd "$(dirname "$0")/../.."
. "$kernel/kernel.env"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
log=$dir/log
. qemu/lib/ktap.sh
ktap_begin

# A tree of links to the kernel's files, from which the test can remove one file
tree=$dir/tree
mkdir -p "$tree/rust" "$dir/out"
find "$kernel/tree" -mindepth 1 -maxdepth 1 ! -name rust -exec ln -s -t "$tree" {} +
find "$kernel/tree/rust" -mindepth 1 -maxdepth 1 -exec ln -s -t "$tree/rust" {} +

# fails_with REGEX ARGUMENT... - runs make, which must fail before it compiles anything, with one line that matches
fails_with() {
	local why=$1
	shift
	! make --no-print-directory "$@" >"$dir/output" 2>&1 || return
	cat "$dir/output"
	[ "$(grep -cE -e "$why" "$dir/output")" -eq 1 ] && ! grep -vE -e "$why" -e '^make|^  UPD ' "$dir/output"
}

build=(-C "$tree" M="$PWD" MO="$dir/out" "${KMAKE[@]}" modules)
for file in "$tree"/rust/*.rmeta "$tree"/rust/*.so; do
	mv "$file" "$dir/file"
	expect "without rust/${file##*/} nothing is compiled" fails_with "There is no $file, .*make KVER=${KVER//+/.}" "${build[@]}"
	mv "$dir/file" "$file"
done
printf '#!/bin/sh\necho rustc 1.0.0\n' >"$dir/rustc"
chmod +x "$dir/rustc"
expect "another compiler than that of the kernel is refused" \
	fails_with "is 'rustc [0-9.]+ .*\)': .*rustc is 'rustc 1.0.0'" "${build[@]}" RUSTC="$dir/rustc"
expect "a compiler that does not exist is refused" \
	fails_with "is 'rustc [0-9.]+ .*\)': .*none is missing" "${build[@]}" RUSTC="$dir/none"
expect "a kernel tree that does not exist is refused" fails_with "There is no kernel tree $dir/none" KDIR="$dir/none"
expect "make clean needs no configuration" \
	make --no-print-directory -C "$tree" M="$PWD" MO="$dir/out" "${KMAKE[@]}" D2D_SELFTESTS=y clean

expect "a module that does not exist is refused" \
	fails_with 'D2D_ONLY: there is no module nosuch' "${build[@]}" D2D_ONLY='module_a nosuch'

for name in ARCH CASE DESTDIR INSTALL_MOD_PATH KDIR KERNEL KVER MUTANTS PART PREFIX SECONDS SEED VM; do
	expect "make test $name= is refused" fails_with "$name is empty" "$name=" test
	expect "make test $name=' ' is refused" fails_with "$name is empty" "$name= " test
done
expect "an empty list of tests is refused" \
	fails_with 'TEST_PROGS is empty' -C selftests KDIR="$kernel/tree" TEST_PROGS= run_tests
expect "a test that does not exist is refused" \
	fails_with 'there is no test nosuch' -C selftests KDIR="$kernel/tree" TEST_PROGS='state.sh nosuch' run_tests
ktap_end
