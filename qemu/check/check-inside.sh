#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The part of check.sh that runs inside the toolchain root.
# Usage: check-inside.sh KERNEL PROOFREAD MUTATE EXTRA_ROOT
# KERNEL and EXTRA_ROOT are directories, PROOFREAD and MUTATE the compiled programs of qemu/.
set -euo pipefail

kernel=$1
proofread=$2
mutate=$3
extra_root=$4
cd "$(dirname "$0")/../.."
. "$kernel/kernel.env"
tree=$kernel/tree
out=build/$KVER-check
mkdir -p "$out"
log=$out/log
# A user may have no right to write to the kernel tree, so mount it read-only.
busybox mount -o bind "$tree" "$tree"
busybox mount -o remount,bind,ro "$tree"

sources() {
	local names=(-name "$1")
	shift
	for name; do
		names+=(-o -name "$name")
	done
	find . \( -path ./build -o -path ./.git \) -prune -o -type f \( "${names[@]}" \) -print | sort
}

# compile [NAME=VALUE...] - compiles with clippy the modules that these variables of Kbuild select
compile() {
	make --no-print-directory -C "$tree" M="$PWD" MO="$PWD/$out" "${KMAKE[@]}" -j"$(nproc)" CLIPPY=1 \
		KRUSTFLAGS=-Dwarnings KCFLAGS=-Werror "$@" modules 2>&1 | tee "$out/lints"
}

# lints - compiles everything with clippy, and writes the documentation. Fails if a tool prints a warning
lints() {
	compile D2D_SELFTESTS=y D2D_BENCH=y D2D_DOCS="$PWD/$out/docs" || return 1
	if grep -i warning "$out/lints"; then
		# Without the .cmd files, the next check compiles everything, and prints the warning again.
		find "$out" -name '.*.cmd' -delete
		return 1
	fi
}

unchanged() {
	lints && ! grep -E '^  [A-Z]+ ' "$out/lints"
}

# same_flags - fails if the demonstration's modules get other flags without the test modules. Then `make run` and
# `make test` would compile everything after each other
same_flags() {
	compile && ! grep -E '^  (BINDGEN|CC|RUSTC|CLIPPY) ' "$out/lints"
}

# builds_outside - builds a driver in C outside of the project, with the first Kbuild of docs/guide.md
builds_outside() {
	local D2D rc=0
	D2D=$(mktemp -d)
	mkdir "$D2D/build" "$D2D/driver"
	ln -s "$PWD/shared" "$D2D/shared"
	ln -s "$PWD/$out" "$D2D/build/$KVER"
	sed -n '/^```make$/,/^```$/{/^```$/q; /^```/!p}' docs/guide.md >"$D2D/driver/Kbuild"
	cp selftests/peers/c_peer.c "$D2D/driver/my_driver.c"
	make --no-print-directory -C "$tree" M="$D2D/driver" D2D="$D2D" "${KMAKE[@]}" KCFLAGS=-Werror modules &&
		modinfo -F depends "$D2D/driver/my_driver.ko" | grep -qx module_a || rc=1
	rm -r "$D2D"
	return "$rc"
}

# checkpatch FILE - runs checkpatch.pl in /tmp, because it leaves a file in its working directory. Turns off checks that
# complain about macros that are lists
checkpatch() {
	local options=()
	! grep -qE 'D2D_(STEPS|FIELDS|GROUPS|FUNCTIONS|RECORDED_FUNCTION)\(' "$1" ||
		options=(--ignore "COMPLEX_MACRO,MACRO_ARG_REUSE,MACRO_ARG_UNUSED,TRAILING_SEMICOLON")
	! grep -qE 'D2D_(FUNCTIONS|RECORDED_FUNCTION)\(' "$1" ||
		options[1]+=",SPACING,MACRO_ARG_PRECEDENCE,MACRO_WITH_FLOW_CONTROL,MULTISTATEMENT_MACRO_USE_DO_WHILE,LINE_SPACING"
	(cd /tmp && "$tree/scripts/checkpatch.pl" --no-tree --strict --terse --no-summary "${options[@]}" -f "$OLDPWD/$1")
}

# kernel_doc HEADER - runs kernel-doc. Each function d2d_... of the header must have a kernel-doc comment
kernel_doc() {
	local function rc=0
	"$tree/scripts/kernel-doc" -none -Wall -Werror "$1" || rc=1
	while read -r function; do
		grep -qF " * $function() - " "$1" || { echo "$1: $function() has no kernel-doc" && rc=1; }
	done < <(sed -nE '/^(static|typedef)/d; s/^[a-z].*[ *](d2d_[a-z_]+)\(.*/\1/p' "$1")
	return "$rc"
}

# host_program FILE - checks a host program with clippy, and runs its unit tests
host_program() {
	local name
	expect "clippy $1" \
		clippy-driver --edition 2021 -D warnings --emit=metadata -o "$out/host.rmeta" "$1"
	rustc --edition 2021 -D warnings --test -o "$out/tests" "$1"
	while read -r name; do
		expect "unit test $name" "$out/tests" --exact "$name"
	done < <("$out/tests" --list | sed -n 's/: test$//p')
}

# raw_locks PATH... - fails if a file uses a raw lock or a timer mode ..._HARD. Code under such a lock or in such a
# timer must not call the library. Lockdep reports these calls only with CONFIG_PROVE_RAW_LOCK_NESTING
raw_locks() {
	! grep -rniE --include='*.[ch]' --include='*.rs' 'HRTIMER_MODE_[A-Z_]*_HARD|raw_spin_?lock' "$@"
}

# refusals - docs/refusals.md and the sources of shared/ must have the same refusals
refusals() {
	local listed=$out/refusals reason difference
	sed -nE 's/^\| `([a-z0-9-]+)` \| `([A-Z0-9]+)`.*/\1 \2/p' docs/refusals.md | sort >"$listed"
	difference=$(cat shared/*/*.rs shared/*/*/*.rs | tr '\n' ' ' | grep -oE '"[a-z0-9]+(-[a-z0-9]+)+", *E[A-Z0-9]+' |
		sed -E 's/"([^"]*)", */\1 /' | sort -u | comm -23 - "$listed" | sed 's/^/not listed: /'
		while read -r reason _; do
			grep -rqF "\"$reason\"" shared || echo "listed, but not in shared/: $reason"
		done <"$listed")
	[ -z "$difference" ] || { echo "$difference" && return 1; }
}

# kernels - docs/kernels.md must have the releases that kernels.sh names. It may also have kernels of trixie, which
# kernels.sh finds in Debian's archive
kernels() {
	local named listed release kernel rc=0
	named=$(sed -nE 's/^(older|unstable)=(.+)/\2/p' qemu/kernels.sh)
	listed=$(sed -nE 's/^\| ([0-9][^ |]*) \|.*/\1/p' docs/kernels.md)
	if [ "$(wc -l <<<"$named")" -ne 2 ] || [ -z "$listed" ]; then
		echo "no releases, or no table"
		return 1
	fi
	for release in $named; do
		grep -qF "$release-" <<<"$listed" || { echo "not in the table: $release" && rc=1; }
	done
	for kernel in $listed; do
		[[ $kernel = *+deb13-* ]] || grep -qxF "${kernel%-*}" <<<"$named" || { echo "not in kernels.sh: $kernel" && rc=1; }
	done
	return "$rc"
}

# test_modules - selftests/README.md must list the test modules that the makefiles build with all options, and no others
test_modules() {
	local listed=$out/listed built=$out/built difference
	sed -nE 's/^\| `([a-z0-9_]+)` \|.*/\1/p' selftests/README.md | sort >"$listed"
	printf 'include Kbuild\nnames: ; @printf "%%s\\n" $(obj-m)\n' | make -s -f - src=. obj=. srctree="$tree" \
		objtree="$tree" D2D_SELFTESTS=y CONFIG_KUNIT=y CONFIG_MODVERSIONS=y names |
		sed -n 's|^selftests/test_modules/\(.*\)\.o$|\1|p' | sort >"$built"
	difference=$(comm -13 "$listed" "$built" | sed 's/^/not listed: /'
		comm -23 "$listed" "$built" | sed 's/^/listed, but not in a makefile: /')
	[ -z "$difference" ] || { echo "$difference" && return 1; }
}

. qemu/lib/ktap.sh
ktap_begin
mapfile -t rust < <(sources '*.rs')
expect "rustfmt with the kernel's settings changes no file" \
	rustfmt --check --edition 2021 --config-path "$tree/.rustfmt.toml" "${rust[@]}"
echo "# clippy has a build of its own, about 30 s the first time"
expect "clippy, rustdoc and the compilers print no warning" lints
expect "a second build compiles nothing" unchanged
expect "a build without the test modules compiles nothing, either" same_flags
expect "a driver in C outside of the project builds with the Kbuild of docs/guide.md" builds_outside
for driver in selftests/misbehaving/hostile/{refused/*,kernel_crate/*,undocumented}.rs; do
	expect "rustc prints the expected errors for $driver" qemu/check/compile-hostile.sh "$out" "$driver"
done
for program in {qemu/vm/main,qemu/cache-lines/main,qemu/mutate/main,qemu/bench/main,qemu/proofread/main,selftests/programs/devctl,selftests/programs/eventctl,selftests/programs/fail_nth,selftests/programs/json,selftests/programs/one_call,selftests/programs/samples,selftests/torture/program/run_torture,selftests/programs/trace_check}.rs; do
	host_program "$program"
done
while read -r document; do
	expect "each quote in $document is in its source" "$proofread" quotes "$document"
	# The change log may name what does not exist any more.
	[ "$document" = ./CHANGELOG.md ] || expect "each name in $document exists" "$proofread" names "$document"
done < <(sources '*.md')
expect "the figures in README.md are the recorded ones" "$proofread" figures README.md "Is it fast?" docs/results.tsv
expect "the figures in docs/limits.md are the recorded ones" "$proofread" figures docs/limits.md "Marks that are missed" docs/results.md
expect "the table of docs/kernels.md has the kernels of kernels.sh" kernels
expect "each path and function that a comment names exists" "$proofread" comments
expect "docs/soundness.md lists the public items of shared/" "$proofread" items docs/soundness.md shared/d2d shared/owner shared/roles
for document in docs/porting-{tables,kmdf}.md; do
	expect "each name in the C columns of $document is in a header" "$proofread" headers "$document" shared/include "$tree/include"
done
expect "the tables of docs/ list each Windows function that windows/ calls" "$proofread" apis docs/porting-{tables,kmdf}.md windows
expect "docs/refusals.md lists the refusals of shared/" refusals
expect "selftests/README.md lists the test modules" test_modules
expect "drivers use no raw lock, and no timer in a mode ..._HARD" raw_locks examples module_a module_b selftests/{peers,misbehaving,torture}
expect "each mutant applies to the sources" "$mutate" --check selftests/mutants/*.mutant selftests/abi.change
# The sources of windows/ have the style of Windows drivers; windows/build.sh fails on warnings.
while read -r file; do
	expect "checkpatch $file" checkpatch "$file"
done < <(sources '*.[ch]' | grep -v '^\./windows/')
expect "clang's analyzer finds no fault in windows/" qemu/check/windows-analysis.sh "$extra_root"
# Some headers come from pairs declared in Rust.
for file in shared/include/*.h "$out"/{shared/pair/d2d_pair,selftests/peers/lending/lending_pair,selftests/bench/bench}.h "$out"/examples/*/*_pair.h; do
	expect "kernel-doc ${file#"$out/"}" kernel_doc "$file"
done
expect "checkpatch leaves no file in the project" [ -z "$(find . -maxdepth 1 -name '.checkpatch*')" ]
mapfile -t shell < <(
	sources '*.sh'
	grep -rlE --exclude-dir=build --exclude-dir=.git '^#!.*\b(ba|busybox )?sh$' . | grep -v '\.sh$'
)
for file in "${shell[@]}"; do
	expect "shellcheck $file" shellcheck -x -P SCRIPTDIR "$file"
done
ktap_end
