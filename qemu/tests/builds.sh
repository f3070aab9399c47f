#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A build that cannot succeed must print the reason in one line, before it compiles anything. Builds for the kernel
# trees of distributions must succeed. Runs inside the toolchain root.
# Usage: builds.sh KERNEL
# KERNEL is a kernel's directory (kernel/kernel-stock.sh).
set -euo pipefail
unset KVER MAKELEVEL MAKEFLAGS MFLAGS MAKEOVERRIDES

kernel=$1
cd "$(dirname "$0")/../.."
. "$kernel/kernel.env"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
log=$dir/log
. qemu/lib/ktap.sh
ktap_begin

# links FROM TO [ARGUMENT...] - makes the folder TO with links to the files in FROM that find selects by ARGUMENT
links() {
	mkdir -p "$2"
	find "$1" -mindepth 1 -maxdepth 1 "${@:3}" -exec ln -s -t "$2" {} +
}

# A kernel tree of links, from which the test can remove a file
tree=$dir/tree
mkdir "$dir/out"
links "$kernel/tree" "$tree" ! -name rust ! -name scripts ! -name include
links "$kernel/tree/include" "$tree/include" ! -name generated
links "$kernel/tree/include/generated" "$tree/include/generated"
links "$kernel/tree/scripts" "$tree/scripts"
links "$kernel/tree/rust" "$tree/rust" ! -name kernel
links "$kernel/tree/rust/kernel" "$tree/rust/kernel"

# layout DIR - makes a tree as in a distribution's /lib/modules/VERSION/build: its rust/ has only metadata and macros
layout() {
	links "$kernel/tree" "$1" ! -name rust ! -name samples ! -name drivers
	links "$kernel/tree/rust" "$1/rust" '(' -name '*.rmeta' -o -name '*.so' ')'
}

pair_for() {
	mkdir -p "$dir/pair"
	make --no-print-directory -C "$1" M="$PWD" MO="$dir/pair" "${KMAKE[@]}" D2D_ONLY='module_a module_b' modules
}

# builds DIR - builds the pair from scratch for the tree DIR
builds() {
	rm -rf "$dir/pair"
	pair_for "$1"
}

# in_place DIR MODULES [ARGUMENT...] - make KDIR=DIR must write these MODULES to a copy of the project
in_place() {
	local name
	make --no-print-directory -C "$dir/copy" KDIR="$1" "${@:3}" || return
	for name in $2; do
		modinfo -F vermagic "$dir/copy/$name.ko" | grep "^$KVER " || return
	done
}

# branches - succeeds if module_b has branches that the kernel patches to switch the trace of a hot step
branches() {
	readelf -SW "$dir/pair/module_b/module_b.o" | grep __jump_table
}

# alternate DIR - builds for $tree, for DIR, and for $tree again. DIR lacks the sources generated_arch_*.rs, so the pair
# for DIR has no such branches
alternate() {
	builds "$tree" && branches && pair_for "$1" && ! branches && pair_for "$tree" && branches
}

# generated_once - succeeds if no build of this test has written the kernel's generated sources again
generated_once() {
	! find "$kernel/tree/rust/kernel/" -name 'generated_arch_*.rs' -newer "$tree" | grep .
}

# replaced DIR - moves DIR, which lacks the generated sources, to the path of $tree, and makes its files older than the
# last build. The next build must notice the other tree
replaced() {
	local rc=0
	builds "$tree" && branches || return
	find "$1" -exec touch -hd @0 {} +
	mv "$tree" "$dir/aside" && mv "$1" "$tree"
	pair_for "$tree" && ! branches || rc=1
	mv "$tree" "$1" && mv "$dir/aside" "$tree"
	return "$rc"
}

# broken_rustc PATTERN STATUS - writes $dir/broken: a rustc that exits with STATUS if its arguments match PATTERN
broken_rustc() {
	printf '#!/bin/sh\ncase " $* " in %s) exit %s ;; esac\nexec rustc "$@"\n' "$1" "$2" >"$dir/broken"
	chmod +x "$dir/broken"
}

# recovers DIR ITEMS - a build with $dir/broken must fail. The next build, by rustc, must find that the kernel crate
# lacks ITEMS
recovers() {
	rm -rf "$dir/pair"
	mkdir "$dir/pair"
	fails_with "Cannot find out what the kernel crate of ${KVER//+/.} lacks: $dir/broken was killed" -C "$1" M="$PWD" \
		MO="$dir/pair" "${KMAKE[@]}" D2D_ONLY='module_a module_b' RUSTC="$dir/broken" modules &&
		pair_for "$1" && [ "$(cat "$dir"/pair/shared/.kernel-lacks-*[0-9])" = "$2" ]
}

# fails_with REGEX ARGUMENT... - make must fail before it compiles anything, and print only one line, which matches
# REGEX. Ignores make's own lines, and the kernel's warning about another compiler
fails_with() {
	local why=$1
	shift
	! make --no-print-directory "$@" >"$dir/output" 2>&1 || return
	cat "$dir/output"
	[ "$(grep -cE -e "$why" "$dir/output")" -eq 1 ] && ! grep -vE -e "$why" -e '^make|^  UPD |^warning: the compiler|^  [TY][a-z ]*: ' "$dir/output"
}

build=(-C "$tree" M="$PWD" MO="$dir/out" "${KMAKE[@]}" modules)
for file in "$tree"/scripts/target.json "$tree"/include/generated/rustc_cfg "$tree"/rust/*.rmeta "$tree"/rust/*.so; do
	mv "$file" "$dir/file"
	expect "without ${file#"$tree/"} nothing is compiled" fails_with "There is no $file, .*make KVER=${KVER//+/.}" "${build[@]}"
	mv "$dir/file" "$file"
done
expect "without helpers_module.bc, which a kernel with inlined helpers needs, nothing is compiled" \
	fails_with "There is no $tree/rust/helpers/helpers_module.bc, " "${build[@]}" CONFIG_RUST_INLINE_HELPERS=y

headers=$dir/usr/lib/modules/$KVER/build
layout "$headers"
mkdir "$dir/copy"
cp -r Kbuild Makefile examples module_a module_b selftests shared "$dir/copy/"
expect "a tree as Arch has it, /usr/lib/modules/VERSION/build, builds the pair and the examples" \
	in_place "$headers" "module_a module_b $(sed -nE 's,^pair-(c-)?(owner|peer) := ,examples/,p' examples/*/*.mk)"
expect "a tree without the generated sources builds the torture" \
	in_place "$headers" selftests/test_modules/torture_owner D2D_SELFTESTS=y D2D_ONLY=torture_owner
expect "builds for two trees of one release alternate in one folder" alternate "$headers"
expect "no build generates the kernel's Rust sources again" generated_once
expect "make notices another kernel tree, with older files, at the path of the first one" \
	replaced "$headers"
broken_rustc '*" --crate-name probes "*' 1
expect "if rustc failed for each probe of the kernel crate, the next build probes again" recovers "$tree" ''
broken_rustc '*" --cfg probe_errors /"*' 137
expect "if rustc was killed during a probe, the next build probes again" recovers "$headers" $'static_branch\nwarn_on'
mkdir -p "$dir/usr/src/kernels"
mv "$headers" "$dir/usr/src/kernels/$KVER"
ln -s "$dir/usr/src/kernels/$KVER" "$headers"
expect "a tree as Fedora has it, a link to /usr/src/kernels/VERSION, builds modules" builds "$headers"
headers=$dir/usr/src/kernels/$KVER
mv "$headers/rust" "$dir/rust"
ln -s "$dir/rust" "$headers/rust"
expect "a tree as Ubuntu has it, whose folder rust is a link, builds modules" builds "$headers"
rm "$headers/rust"
expect "a distribution's headers without its package of Rust metadata are refused" \
	fails_with "There is no ${headers//+/.}/rust/libkernel.rmeta, " -C "$headers" "${build[@]:2}"
rm "$headers/scripts"
links "$kernel/tree/scripts" "$headers/scripts" ! -name target.json
expect "a distribution's headers without Rust are refused" \
	fails_with "There is no ${headers//+/.}/scripts/target.json, " -C "$headers" "${build[@]:2}"
printf '#!/bin/sh\necho rustc 1.0.0\n' >"$dir/rustc"
chmod +x "$dir/rustc"
expect "a rustc of another version than the kernel's is refused" \
	fails_with "is 'rustc [0-9.]+ .*\)': .*rustc is 'rustc 1.0.0'" "${build[@]}" RUSTC="$dir/rustc"
expect "a rustc that does not exist is refused" \
	fails_with "is 'rustc [0-9.]+ .*\)': .*none is missing" "${build[@]}" RUSTC="$dir/none"
expect "a bindgen that does not exist is refused" \
	fails_with "There is no $dir/none, which makes the types" "${build[@]}" BINDGEN="$dir/none"
expect "gcc is refused for a tree that clang has built; the line names LLVM=" \
	fails_with "was built by clang, and CC is .*gcc.*: give make the argument LLVM=-19" "${build[@]}" \
	CONFIG_CC_IS_CLANG=y CONFIG_CC_VERSION_TEXT='Debian clang version 19.1.7 (3+b1)'
expect "the line names LLVM=1 if there is no clang with a version in its name" \
	fails_with "was built by clang, and CC is .*gcc.*: give make the argument LLVM=1\." "${build[@]}" \
	CONFIG_CC_IS_CLANG=y CONFIG_CC_VERSION_TEXT='Debian clang version 7.0.1'
expect "a compiler that does not exist is refused" \
	fails_with "The compiler $dir/none is missing .* was built by '.*gcc.*'" "${build[@]}" CC="$dir/none"
expect "a CROSS_COMPILE that is no prefix of a compiler is refused" fails_with \
	"The compiler nosuch-gcc is missing .* CROSS_COMPILE=nosuch- is the prefix" "${build[@]}" CC=nosuch-gcc CROSS_COMPILE=nosuch-
expect "a clang that does not exist is refused for a tree that clang has built" \
	fails_with "The compiler $dir/clang is missing" "${build[@]}" CC="$dir/clang" CONFIG_CC_IS_CLANG=y
expect "a kernel tree that does not exist is refused" fails_with "There is no kernel tree $dir/none" KDIR="$dir/none"
expect "make clean succeeds without the kernel's configuration" \
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
