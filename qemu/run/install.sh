#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Copies the modules from OUT to DIR/lib/d2d, stripped, and signed if the kernel demands this. With "selftests", also
# installs the kselftests in DIR/kselftest. Runs inside the toolchain root.
# Usage: install.sh KERNEL OUT DIR [selftests]
# KERNEL is the kernel's directory, OUT a build directory. DIR becomes the root of the guest's file system.
set -euo pipefail

tree=$1/tree
out=$2
dir=$3
. "$1/kernel.env"
prefix=$(printf '%s\n' "${KMAKE[@]}" | sed -n 's/^CROSS_COMPILE=//p')

# The kernel checks the BTF of a module at each load, which takes a fifth of the time of loading and unloading it.
# kselftests load modules some 1,500 times, and do not need the BTF.
strip=("${prefix}strip" --strip-debug)
[ "${4-}" != selftests ] || strip+=(-R .BTF -R .BTF.base)

mkdir -p "$dir/lib/d2d"
while read -r object; do
	ko=$dir/lib/d2d/$(basename "$object" .o).ko
	"${strip[@]}" -o "$ko" "$out/${object%.o}.ko"
	[ -z "${SIGN-}" ] || "$tree/scripts/sign-file" "$SIGN" "$1/key.pem" "$1/key.der" "$ko"
done <"$out/modules.order"

[ "${4-}" = selftests ] || exit 0

project=$(realpath "$(dirname "$0")/../..")
kselftest=$tree/tools/testing/selftests
to=$dir/kselftest
# All kernels of an architecture share these programs.
programs=${out%/*}/programs${prefix:+-${prefix%-}}
mkdir -p "$to/kselftest" "$to/d2d/test_modules" "$programs"
cp "$kselftest"/kselftest/{runner.sh,ktap_helpers.sh,prefix.pl,module.sh} "$to/kselftest/"
cp "$kselftest/run_kselftest.sh" "$to/"
# With an empty TEST_GEN_MODS_DIR, lib.mk does not look for test modules beside the sources.
make=(make --no-print-directory -s -C "$project/selftests" KDIR="$tree" OUTPUT="$programs" TEST_GEN_MODS_DIR=)
[ -z "$prefix" ] || make+=("${KMAKE[@]}")
"${make[@]}" install INSTALL_PATH="$to/d2d"
"${make[@]}" emit_tests COLLECTION=d2d >"$to/kselftest-list.txt"
while read -r object; do
	case $object in
	*test_modules/*) ln "$dir/lib/d2d/$(basename "$object" .o).ko" "$to/d2d/test_modules/" ;;
	esac
done <"$out/modules.order"
