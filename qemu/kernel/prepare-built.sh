#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Makes the kernel directory of kernel-built.sh; runs inside the toolchain root. The compiler is clang, because no other
# compiler can compile the kernel with both Rust and KASAN, or Rust and CFI.
# Usage: prepare-built.sh configure DIR NAME STOCK CONFIG [PATCH]
#        prepare-built.sh build DIR NAME
set -euo pipefail

action=$1
name=$3
cd "$2"
shift 3
# The array "kmake" has the arguments of each make in the tree. The array "own" has further ones, which only the build
# of the kernel itself needs.
kmake=(LLVM=-19)
own=()
if [ "$name" = sanitizer ]; then
	kmake+=(ARCH=um)
	# In the large code model, which User-Mode Linux asks for, clang puts data into sections that the linker script
	# does not name, and lockdep refuses locks in these sections. The kernel itself is at low addresses, so the
	# small code model suffices.
	own+=(CFLAGS_KERNEL=-mcmodel=small)
	# stub.c is the code in each process of the guest through which User-Mode Linux controls the process. Its
	# stub_signal_restorer() must have nothing on its stack when it calls rt_sigreturn, not even a frame pointer.
	# shellcheck disable=SC2016 # a variable of make
	own+=('CFLAGS_stub.o=$(CFLAGS_NO_HARDENING) -fomit-frame-pointer')
elif [ "$name" = strict ]; then
	# gendwarfksyms needs these headers; prepare_strict() puts them there.
	own+=("HOSTCFLAGS=-I$PWD/libdw/usr/include" "HOSTLDFLAGS=-L$PWD/libdw/usr/lib/x86_64-linux-gnu")
fi

# prepare_strict - makes the key that the kernel trusts, as docs/install.md says, and fetches libdw-dev. Only this
# kernel needs libdw-dev; if root.sh listed the package, every user would have to build the toolchain root again
prepare_strict() {
	openssl req -new -x509 -nodes -newkey rsa:2048 -subj /CN=lab -days 3650 -keyout key.pem -outform DER -out key.der
	openssl x509 -inform DER -in key.der -out key.crt
	apt-get -q -o APT::Sandbox::User=root download "libdw-dev=$(dpkg-query -W -f '${Version}' libdw1t64)"
	dpkg-deb -x libdw-dev_*.deb libdw
	rm libdw-dev_*.deb
	ln -sf /usr/lib/x86_64-linux-gnu/libdw.so.1 libdw/usr/lib/x86_64-linux-gnu/libdw.so
}

# configure STOCK CONFIG [PATCH]
configure() {
	local dropped
	[ "$name" != strict ] || prepare_strict
	# The trees can share the sources by hard links, because builds do not write to sources. When git patches a
	# file, it replaces the file, and so leaves the file of the other tree as it was.
	cp -al "$1/tree" tree
	[ -z "${3-}" ] || GIT_DIR=none git -C tree apply "$3"
	make -C tree "${kmake[@]}" -s mrproper
	KCONFIG_ALLCONFIG=$2 make -C tree "${kmake[@]}" allnoconfig
	# Kconfig drops an option whose dependencies are not met, without a message.
	dropped=$(grep -E '^(# )?CONFIG_' "$2" | grep -vxFf tree/.config || :)
	if [ -n "$dropped" ]; then
		echo "reason: Kconfig has dropped these lines of ${2##*/}: $(tr '\n' ' ' <<<"$dropped")"
		exit 1
	fi
}

build() {
	local make=(make -C tree "${kmake[@]}" "${own[@]}" -j"$(nproc)")
	if [ "$name" = sanitizer ]; then
		"${make[@]}" all
		cp tree/linux linux
		# By default, User-Mode Linux compiles Rust to position-independent code, whose relocations the module
		# loader does not know. The code model is large because modules are far from the kernel.
		kmake+=("RUSTFLAGS_MODULE=-Crelocation-model=static -Ccode-model=large")
	elif [ "$name" = strict ]; then
		"${make[@]}" vmlinux modules
		llvm-strip-19 -o vmlinux tree/vmlinux
		rm -r tree/vmlinux tree/vmlinux.unstripped libdw key.crt
	else
		"${make[@]}" vmlinux modules scripts_gdb
		# make has made vmlinux-gdb.py a link to an absolute path. That path would be wrong after the function
		# "cached" (lib/cache.sh) has renamed the directory. So make the link relative.
		ln -fsn scripts/gdb/vmlinux-gdb.py tree/vmlinux-gdb.py
		# gdb reads the symbols in tree/vmlinux; the virtual machine boots a copy without symbols.
		llvm-strip-19 -o vmlinux tree/vmlinux
		rm tree/vmlinux.unstripped
	fi
	rm tree/vmlinux.o
	{
		echo "KVER=$(cat tree/include/config/kernel.release)"
		printf 'KMAKE=('
		printf '%q ' "${kmake[@]}"
		echo ')'
		case $name in
		# The slab allocator's per-CPU arrays keep stale pointers to objects, which kmemleak would take for
		# references. A slab cache with debugging has no such arrays; slab_debug=F is the cheapest kind.
		sanitizer) echo "APPEND=slab_debug=F EXPECT='debug_locks=1 leaks=0'" ;;
		debug) echo "EXPECT='taint=4096 debug_locks=1'" ;;
		strict) echo "EXPECT='taint=4096' SIGN=sha256" ;;
		esac
	} >kernel.env
}

"$action" "$@"
