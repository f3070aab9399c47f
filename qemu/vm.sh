#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boots a kernel in a virtual machine with the modules of this tree.
# Usage: vm.sh MODE [APPEND...]
# MODE names a script of qemu/guest/. make uses the modes run, test, shell, torture and bench; only qemu/tests/ uses the
# others. APPEND goes to the kernel's command line. build/KVER/MODE/ gets the files that the guest writes.
# Environment:
#   ARCH           x86_64, or arm64 (with the stock kernel only)
#   KERNEL         stock, uml, sanitizer, debug or strict; see also kernel_dir (lib/lab.sh)
#   A_PARAMS, B_PARAMS   see run/image.sh
#   PAIR           a pair outside of this tree, for run, test and shell (run/pair.sh). With d2d.case=pair, test runs
#                  the pair's own test
#   GDB=1          the machine waits for a debugger (gdb.sh)
#   D2D_TIMEOUT    kill the machine after this many seconds; d2d-vm has a default for each mode
#   D2D_NAME=NAME  the guest's files go to build/KVER/MODE-NAME/, so machines of one mode can run side by side
#   D2D_ICOUNT=y   QEMU emulates one CPU, whose clock counts instructions
. "$(dirname "$0")/lib/lab.sh"

mode=$1
shift
known_mode "$mode"
append=("$@")
if [ "$mode" = shell ]; then
	[ -t 0 ] || die "make shell needs a terminal"
	read -r rows columns < <(stty size)
	terminal=$(stty -g)
	append+=("d2d.rows=$rows d2d.columns=$columns")
fi

if [ -n "${PAIR-}" ]; then
	[[ $mode = @(run|test|shell) ]] || die "PAIR is for make run, trace, test, torture, sweep and shell"
	PAIR=$(realpath -- "$PAIR")
	# Of this tree's modules, run/pair.sh needs only module_a.
	export PAIR D2D_ONLY=module_a
fi

case ${GDB:=} in
'') ;;
1)
	only_x86_64 GDB=1
	[ "$mode" = run ] || [ "$mode" = shell ] || die "GDB=1 is for make run and make shell"
	[[ ${KERNEL-} != @(uml|sanitizer) ]] ||
		die "gdb cannot attach to User-Mode Linux: KERNEL is stock or debug"
	# KASLR would move the kernel away from the addresses in its symbols.
	append+=(nokaslr)
	;;
*) die "GDB is 1 or empty, not '$GDB'" ;;
esac

D2D_KERNEL=$(kernel_dir "${KERNEL-stock}")
export D2D_KERNEL
. "$D2D_KERNEL/kernel.env"
. "$(dirname "$0")/lib/machine.sh"

name=$mode${D2D_NAME:+-$D2D_NAME}
logs=$PROJECT/build/$KVER/$name
mkdir -p "$PROJECT/build/$KVER"
run=$(mktemp -d "$logs.XXXXXX")
trap 'rm -rf "$run"' EXIT

modules=(--selftests)
case $mode in
run) modules=() ;;
bench) modules=(--bench) ;;
test) [[ " ${append[*]} " != *" d2d.case=pair "* ]] || modules=() ;;
shell)
	# A killed QEMU leaves the terminal in raw mode.
	trap 'rm -rf "$run"; stty "$terminal"' EXIT
	;;
esac
"$LAB/run/image.sh" "$run" "${modules[@]}"
if [ -n "$GDB" ]; then
	ln -s "$D2D_KERNEL" "$run/kernel"
	say "the machine waits for a debugger; type in another terminal: qemu/gdb.sh ${run#"$PROJECT"/}"
fi

rc=0
D2D_LOGS=build/$KVER/$name D2D_GDB=$GDB \
	run_machine "$D2D_KERNEL" ${D2D_ICOUNT:+--icount} "$mode" "$run/initramfs.cpio" "$run" "${append[@]}" || rc=$?
rm -rf "$run/initramfs.cpio" "$logs"
mv "$run" "$logs"
exit "$rc"
