#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC1090,SC1091 # files that exist only at run time
# Plays the demonstration on Linux, in a virtual machine, and with the Windows version under Wine. Compares
# both traces with the spec, and the layouts of the shared block with each other. Fails for each difference
# that the file differences does not explain. KTAP on stdout, the counts last.
# Environment: KERNEL, KVER; see kernel_dir (qemu/lib/lab.sh). A_PARAMS, B_PARAMS: completion=N, deferred=N
. "$(dirname "$0")/../../qemu/lib/lab.sh"

# Finds the lines NAME BYTES of layout/layout.c in the compiler's output
layout='s/^.*"-> \(.*\)".*$/\1/p'

# require WHAT CMD... - runs a step without which there is nothing to compare; if it fails, shows its output
require() {
	local what=$1 log
	shift
	log=$out/log
	"$@" >"$log" 2>&1 && return
	sed 's/^/# /' "$log"
	printf 'not ok 1 %s\n0 passed, 1 failed, 0 skipped\n' "$what"
	exit 1
}

linux_run() {
	"$LAB/vm.sh" run >"$out/linux.log" && return
	cat "$out/linux.log"
	return 1
}

linux_layout() {
	mkdir -p "build/$KVER/layout"
	"$LAB/enter.sh" make --no-print-directory -C "$D2D_KERNEL/tree" M="$PROJECT/windows/compare/layout" \
		MO="$PROJECT/build/$KVER/layout" "${KMAKE[@]}" layout.s &&
		sed -n "$layout" "build/$KVER/layout/layout.s" >"$out/linux.layout"
}

D2D_KERNEL=$(kernel_dir "${KERNEL-stock}")
D2D_ROOT=$("$LAB/root/root.sh")
extra_root=$("$LAB/root/root-extra.sh")
export D2D_KERNEL D2D_ROOT
. "$D2D_KERNEL/kernel.env"
cd "$PROJECT"
out=build/compare
mkdir -p "$out"
rm -f "$out"/*.log "$out"/*.layout

# The parameters of this run for the spec; the last value of a name counts.
read -ra a_params <<<"${A_PARAMS-}"
read -ra b_params <<<"${B_PARAMS-}"
run=(completion=0 deferred=0 "${a_params[@]}" "${b_params[@]}")

require "the Windows version is built" "$LAB/windows.sh"
require "the tool is built" "$LAB/root/tools.sh" trace
require "the layout is compiled for Linux" linux_layout
require "the pair runs in Linux" linux_run
require "the pair runs under Wine" env D2D_ROOT="$extra_root" "$LAB/enter.sh" windows/play.sh build/windows "$out" \
	"${a_params[@]/#/module_a.}" "${b_params[@]/#/module_b.}"
"$("$LAB/root/tools.sh" trace)" compare selftests/spec/lifecycle.spec windows/compare/differences \
	"$out"/{linux.log,windows.log} "$out/linux.layout" build/windows/layout "${run[@]}"
