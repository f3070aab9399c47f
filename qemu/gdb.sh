#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Attaches gdb to a virtual machine that this tree has started with GDB=1. If its kernel is debug, gdb has the
# kernel's symbols and lx-... commands, and loads the symbols of each module.
# Usage: gdb.sh [RUN [GDB'S ARGUMENTS...]]
# RUN is the directory that vm.sh has printed (default: the directory of the machine that waits).
. "$(dirname "$0")/lib/lab.sh"

cd "$PROJECT"
if [ $# -eq 0 ]; then
	shopt -s nullglob
	sockets=(build/*/*.*/gdb)
	shopt -u nullglob
	case ${#sockets[@]} in
	0) die "no machine waits for a debugger: 'make shell GDB=1 KERNEL=debug' starts one" ;;
	1) set -- "${sockets[0]%/gdb}" ;;
	*) die "several machines wait for a debugger: make gdb VM=DIR, where DIR is one of ${sockets[*]%/gdb}" ;;
	esac
fi
run=$1
shift
[ -S "$run/gdb" ] || die "no machine waits for a debugger in $run"
kernel=$(readlink "$run/kernel")
cd "${run%/*}"

arguments=(-q -iex 'set auto-load python-scripts off' -ex 'set breakpoint pending on')
attach=(-ex "target remote ${run##*/}/gdb")
if [ -e "$kernel/tree/vmlinux-gdb.py" ]; then
	# The kernel was built in $kernel.tmp (`cached` in lib/cache.sh), so the debug information names sources there.
	arguments+=(
		-ex "set substitute-path $kernel.tmp $kernel" -ex "file $kernel/tree/vmlinux"
		-ex "source $kernel/tree/vmlinux-gdb.py" "${attach[@]}" -ex "source $LAB/run/gdb.py" -ex lx-symbols
	)
else
	say "this kernel has no symbols (KERNEL=debug has). To give gdb the symbols of a module, type" \
		"'add-symbol-file module_b.ko ADDRESS' with the address in the guest's /sys/module/module_b/sections/.text"
	arguments+=("${attach[@]}")
fi
D2D_ROOT=$("$LAB/root/root-extra.sh")
export D2D_ROOT
exec "$LAB/enter.sh" gdb "${arguments[@]}" "$@"
