#!/bin/bash
# Makes the kernel directory of kernel-uml.sh from the source of a stock kernel; runs inside the toolchain root.
# Usage: prepare-uml.sh DIR STOCK CONFIG
set -euo pipefail

stock=$2
config=$3
cd "$1"
. "$stock/kernel.env"

# Copy the source tree without the files that the build of the stock kernel's Rust crates has made.
rsync -a --exclude='*.o' --exclude='*.cmd' --exclude='*.rmeta' --exclude=/vmlinux "$stock/tree" .
cp "$config" tree/
cd tree
make -s mrproper

kmake=(ARCH=um "${KMAKE[@]}")
make=(make -s "${kmake[@]}" LOCALVERSION=-uml)
"${make[@]}" tinyconfig
scripts/kconfig/merge_config.sh -m .config "$(basename "$config")"
"${make[@]}" olddefconfig
while read -r line; do
	case $line in
	CONFIG_* | '# CONFIG_'*)
		if ! grep -qxF -e "$line" .config; then
			echo "reason: the configuration has dropped '$line' of $config"
			exit 1
		fi
		;;
	esac
done <"$config"

"${make[@]}" -j"$(nproc)" all
cp linux ../linux

# By default, User-Mode Linux compiles Rust to position-independent code, whose relocations the module loader does not
# know. The code model is large because modules are far from the kernel; C modules get -mcmodel=large for this reason.
kmake+=("RUSTFLAGS_MODULE=-Crelocation-model=static -Ccode-model=large")
{
	echo "KVER=$(cat include/config/kernel.release)"
	printf 'KMAKE=('
	printf '%q ' "${kmake[@]}"
	echo ')'
} >../kernel.env
