#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The part of check.sh that runs inside the toolchain root. Prints KTAP with a result for each check, and last a line of
# counts.
# Usage: check-inside.sh KERNEL PROOFREAD MUTATE EXTRA_ROOT
#   KERNEL      a kernel's directory (kernel/kernel-stock.sh)
#   PROOFREAD   the compiled program of qemu/proofread/
#   MUTATE      the compiled program of qemu/mutate/
#   EXTRA_ROOT  the directory of the extra root (root/root-extra.sh)
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
# The build must work with a kernel tree that the user cannot write to, so mount the tree read-only.
busybox mount -o bind "$tree" "$tree"
busybox mount -o remount,bind,ro "$tree"

# sources PATTERN... - prints the files of the project whose names match one of the patterns
sources() {
	local names=(-name "$1")
	shift
	for name; do
		names+=(-o -name "$name")
	done
	find . \( -path ./build -o -path ./.git \) -prune -o -type f \( "${names[@]}" \) -print | sort
}

# lints - compiles everything with clippy, and writes the documentation; a warning is a failure
lints() {
	make --no-print-directory -C "$tree" M="$PWD" MO="$PWD/$out" "${KMAKE[@]}" -j"$(nproc)" CLIPPY=1 \
		KRUSTFLAGS=-Dwarnings KCFLAGS=-Werror D2D_SELFTESTS=y D2D_BENCH=y D2D_DOCS="$PWD/$out/docs" modules 2>&1 | tee "$out/lints" || return 1
	if grep -i warning "$out/lints"; then
		# Make the next check print the warning again: without the .cmd files, make compiles everything.
		find "$out" -name '.*.cmd' -delete
		return 1
	fi
}

# unchanged - calls lints once more; the build must compile nothing
unchanged() {
	lints && ! grep -E '^  [A-Z]+ ' "$out/lints"
}

# builds_outside - builds a driver in C outside of the project, with the first Kbuild of docs/guide.md. In this Kbuild,
# $D2D is the folder of the project, and $D2D/build/KVER has the project's build.
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

# checkpatch FILE - runs checkpatch.pl in /tmp, because checkpatch.pl leaves a file in its working directory. Some macros
# are lists, such as D2D_STEPS(X). If the file has such a macro, the function turns off the checks that complain about
# lists. D2D_FUNCTIONS and the record in recorded.h are lists of functions. For these, it turns off more checks.
checkpatch() {
	local options=()
	! grep -qE 'D2D_(STEPS|FIELDS|GROUPS|FUNCTIONS|RECORDED_FUNCTION)\(' "$1" ||
		options=(--ignore "COMPLEX_MACRO,MACRO_ARG_REUSE,MACRO_ARG_UNUSED,TRAILING_SEMICOLON")
	! grep -qE 'D2D_(FUNCTIONS|RECORDED_FUNCTION)\(' "$1" ||
		options[1]+=",SPACING,MACRO_ARG_PRECEDENCE,MACRO_WITH_FLOW_CONTROL,MULTISTATEMENT_MACRO_USE_DO_WHILE,LINE_SPACING"
	(cd /tmp && "$tree/scripts/checkpatch.pl" --no-tree --strict --terse --no-summary "${options[@]}" -f "$OLDPWD/$1")
}

# kernel_doc HEADER - checks the comments of a header with the kernel's kernel-doc. Fails, too, if the header declares a
# function of the library without such a comment.
kernel_doc() {
	local function rc=0
	"$tree/scripts/kernel-doc" -none -Wall -Werror "$1" || rc=1
	while read -r function; do
		grep -qF " * $function() - " "$1" || { echo "$1: $function() has no kernel-doc" && rc=1; }
	done < <(sed -nE '/^(static|typedef)/d; s/^[a-z].*[ *](d2d_[a-z_]+)\(.*/\1/p' "$1")
	return "$rc"
}

# host_program FILE - checks a host program with clippy, and reports each of its unit tests
host_program() {
	local name
	expect "clippy $1" \
		clippy-driver --edition 2021 -D warnings --emit=metadata -o "$out/host.rmeta" "$1"
	rustc --edition 2021 -D warnings --test -o "$out/tests" "$1"
	while read -r name; do
		expect "unit test $name" "$out/tests" --exact "$name"
	done < <("$out/tests" --list | sed -n 's/: test$//p')
}

# raw_locks PATH... - prints each use of a raw lock or of a timer mode ..._HARD, and fails if there is one. Code that
# holds a raw lock, or that runs in a timer of such a mode, must not call the library. Lockdep reports such a call, but
# only with CONFIG_PROVE_RAW_LOCK_NESTING.
raw_locks() {
	! grep -rniE --include='*.[ch]' --include='*.rs' 'HRTIMER_MODE_[A-Z_]*_HARD|raw_spin_?lock' "$@"
}

# refusals - compares the refusals of docs/refusals.md with those in the sources of shared/. Prints each refusal that is
# only in the document or only in the sources, and fails if there is one
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

# kernels - compares the table of docs/kernels.md with kernels.sh. Prints each kernel of the table that kernels.sh does
# not test. Prints each release that kernels.sh names, and that the table lacks. Fails if it prints anything. kernels.sh
# names only one kernel of trixie, and finds the others in Debian's archive. So the table may have any kernel of trixie.
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

# test_modules - compares the table of selftests/README.md with the test modules of the makefiles. Prints each module
# that is only in the table or only in the makefiles, and fails if there is one. Some modules need an option of the
# kernel. So make reads the makefiles as for a kernel that has all these options.
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
expect "a driver in C outside of the project builds with the Kbuild of docs/guide.md" builds_outside
for driver in selftests/misbehaving/hostile/{refused,kernel_crate}/*.rs; do
	expect "rustc prints the expected errors for $driver" qemu/check/compile-hostile.sh "$out" "$driver"
done
for program in {qemu/vm/main,qemu/cache-lines/main,qemu/mutate/main,qemu/bench/main,qemu/proofread/main,selftests/programs/devctl,selftests/programs/eventctl,selftests/programs/fail_nth,selftests/programs/json,selftests/programs/one_call,selftests/programs/samples,selftests/torture/program/run_torture,selftests/programs/trace_check}.rs; do
	host_program "$program"
done
while read -r document; do
	expect "each quote in $document is in its source" "$proofread" quotes "$document"
	# Skip the change log, which names files and symbols that do not exist any more.
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
# Skip windows/, whose sources have the style of Windows drivers. Their own build fails on warnings (windows/build.sh).
while read -r file; do
	expect "checkpatch $file" checkpatch "$file"
done < <(sources '*.[ch]' | grep -v '^\./windows/')
expect "clang's analyzer finds no fault in windows/" qemu/check/windows-analysis.sh "$extra_root"
# The build writes a header for each pair, from the comments of the pair's declaration in Rust.
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
