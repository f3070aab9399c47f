#!/bin/bash
# Inside the root: makes a kernel directory (see kernel-uml.sh) of a stock kernel's source.
# Usage: prepare-uml.sh DIR STOCK CONFIG
set -euo pipefail

stock=$2
config=$3
cd "$1"
. "$stock/kernel.env"

# A copy without what was built: a tree that was built in takes no second configuration.
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

# Rust is compiled for a position-independent program there. The module loader knows no
# relocations of that kind, and modules may be far from the kernel; C modules get
# -mcmodel=large for the same reason.
kmake+=("RUSTFLAGS_MODULE=-Crelocation-model=static -Ccode-model=large")
{
	echo "KVER=$(cat include/config/kernel.release)"
	printf 'KMAKE=('
	printf '%q ' "${kmake[@]}"
	echo ')'
} >../kernel.env
