#!/bin/bash
# Inside the root: makes the kernel directory of kernel-sanitizer.sh. With clang, as Rust and
# KASAN go together with no other compiler.
# Usage: prepare-sanitizer.sh configure DIR STOCK CONFIG
#        prepare-sanitizer.sh build DIR
set -euo pipefail

action=$1
cd "$2"
shift 2
make=(make -C tree LLVM=-19)

# configure STOCK CONFIG
configure() {
	local dropped
	# Sources are never written to: both trees can have the same files.
	cp -al "$1/tree" tree
	"${make[@]}" -s mrproper
	KCONFIG_ALLCONFIG=$2 "${make[@]}" allnoconfig
	# Kconfig says nothing of an option whose dependencies are not met.
	dropped=$(sed '/^#/d; /^$/d' "$2" | grep -vxFf tree/.config || :)
	if [ -n "$dropped" ]; then
		echo "reason: this kernel source cannot have $(tr '\n' ' ' <<<"$dropped")of ${2##*/}"
		exit 1
	fi
}

build() {
	"${make[@]}" -j"$(nproc)" vmlinux modules scripts_gdb
	# make's link is an absolute one, and this directory gets another name.
	ln -fsn scripts/gdb/vmlinux-gdb.py tree/vmlinux-gdb.py
	# tree/vmlinux is the debugger's; the VM boots it without its symbols.
	llvm-strip-19 -o vmlinux tree/vmlinux
	rm tree/vmlinux.o tree/vmlinux.unstripped
	cat >kernel.env <<-ENV
		KVER=$(cat tree/include/config/kernel.release)
		KMAKE=LLVM=-19
		EXPECT='taint=4096 debug_locks=1 leaks=0'
	ENV
}

"$action" "$@"
