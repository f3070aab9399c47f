#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Installs the modules in an image of the stock kernel, where kmod's modprobe loads and unloads them, and removes them
# again. Shows that a mistake ends with one line and changes nothing. Prints KTAP, and last a line of counts.
. "$(dirname "$0")/../lib/lab.sh"

unset KERNEL MAKELEVEL MAKEFLAGS MFLAGS MAKEOVERRIDES
D2D_KERNEL=$(kernel_dir stock)
export D2D_KERNEL
. "$D2D_KERNEL/kernel.env"
. "$LAB/lib/machine.sh"
mkdir -p "$PROJECT/build"
dir=$(mktemp -d "$PROJECT/build/install.XXXXXX")
trap 'rm -rf "$dir"' EXIT
log=$dir/log
. "$LAB/lib/ktap.sh"

# making DIR ARGUMENT... - runs make in DIR for the kernel $kver, in the toolchain root: it has kmod, the host need not.
# Programs in $dir/fails come first if $failing is set.
kver=$KVER failing=
making() {
	local in=$1
	shift
	"$LAB/enter.sh" env ${failing:+PATH="$dir/fails:/usr/bin:/bin"} \
		make --no-print-directory -C "$in" ${kver:+KVER="$kver"} "$@"
}

# state DIR - prints the folders in DIR, and a hash of each file
state() {
	(cd "$1" && { find . -type d && find . ! -type d -exec md5sum {} +; } | sort)
}

# has DIR FILE... - whether DIR has exactly these files, apart from the tables of depmod
has() {
	local at=$1
	shift
	diff <(printf '%s\n' "$@") <(cd "$at" && find . ! -type d ! -name 'modules.*' | sort)
}

# makes TARGET DIR FILE... - runs make TARGET; afterwards DIR must have exactly these files
makes() {
	local target=$1 at=$2
	shift 2
	making "$PROJECT" "$target" INSTALL_MOD_PATH="$at" && has "$at" "$@"
}

# removes DIR - runs make modules_uninstall, which must leave nothing in DIR
removes() {
	making "$PROJECT" modules_uninstall INSTALL_MOD_PATH="$1" && [ -z "$(ls -A "$1")" ]
}

# mistake REGEX ARGUMENT... - runs make in the copy of the installer, which must fail with one line that matches, and
# must not change $dir/to
mistake() {
	local why=$1 output before
	shift
	before=$(state "$dir/to")
	! output=$(making "$dir/project" "$@" 2>&1) || { echo "make succeeded" && return 1; }
	output=$(grep -v '^make: ' <<<"$output")
	echo "$output"
	[[ $output != *$'\n'* ]] && grep -qE -e "$why" <<<"$output" && diff <(echo "$before") <(state "$dir/to")
}

# boots - boots an image with kmod and the modules that are installed in $dir/root
boots() {
	mkdir -p "$dir/root/bin" "$dir/logs"
	# shellcheck disable=SC2016 # expanded by the inner shell
	"$LAB/enter.sh" sh -ec 'cp -L --parents /usr/bin/kmod $(ldd /usr/bin/kmod | grep -o "/[^ ]*") "$1"
		for name in modprobe insmod rmmod; do ln -s /usr/bin/kmod "$1/bin/$name"; done' sh "$dir/root"
	"$LAB/run/image.sh" "$dir" >/dev/null 2>&1
	D2D_TIMEOUT=60 machine "$D2D_KERNEL" install "$dir/initramfs.cpio" "$dir/logs" && return
	grep -h 'lab: ' "$dir/logs/output"
	return 1
}

ktap_begin
"$LAB/build.sh" >"$log" 2>&1 || { cat "$log" && exit 1; }

updates=./lib/modules/$KVER/updates
mkdir "$dir/root" "$dir/to" "$dir/fails"
expect "modules_install installs the pair and no other module" makes modules_install "$dir/root" "$updates"/module_{a,b}.ko
expect "modules_install replaces what is installed" makes modules_install "$dir/root" "$updates"/module_{a,b}.ko
cp -r "$dir/root" "$dir/again"
expect "modules_uninstall leaves nothing" removes "$dir/again"
cp -r "$dir/root" "$dir/shared"
touch "$dir/shared/$updates/other.ko.xz" "$dir/shared/lib/modules/$KVER/modules.order"
expect "modules_uninstall leaves what others have installed" makes modules_uninstall "$dir/shared" "$updates/other.ko.xz"

# A copy of the installer, with modules of its own
mkdir -p "$dir/project/build"
cp -r "$PROJECT"/{Makefile,install} "$dir/project/"
for name in "$KVER" other; do
	mkdir "$dir/project/build/$name"
	cp "$dir/root/$updates"/*.ko "$dir/project/build/$name/"
done
printf '#!/bin/sh\necho "depmod: out of memory"; exit 1\n' >"$dir/fails/depmod"
chmod +x "$dir/fails/depmod"
to=INSTALL_MOD_PATH=$dir/to
expect "a mistake: nothing is installed" mistake 'There is nothing to remove: .* has no module_a.ko' modules_uninstall "$to"
expect "a mistake: this machine has no such kernel" mistake "There is no kernel .* on this machine" modules_install
expect "a mistake: options that strip does not know" mistake 'strip --nosuch failed, nothing .*: strip: unrec' \
	modules_install "$to" INSTALL_MOD_STRIP=--nosuch
failing=y expect "depmod fails: nothing is installed" mistake 'depmod .* failed, nothing .*: depmod: out of memory' \
	modules_install "$to"
kver=other expect "a mistake: modules of another kernel" mistake "module_a.ko was built for the kernel ${KVER//+/.}, not for other" \
	modules_install "$to"
kver='' expect "a mistake: no kernel tree" mistake "There is no prepared kernel tree /nosuch: set KDIR" \
	modules_install "$to" KDIR=/nosuch
mkdir -p "$dir/to/$updates"
echo old | tee "$dir/to/$updates/module_a.ko" >"$dir/to/$updates/module_b.ko"
failing=y expect "depmod fails: what was installed stays" mistake 'depmod .* failed, nothing .*: depmod: out of memory' \
	modules_install "$to"
failing=y expect "depmod fails: nothing is removed" mistake 'depmod .* failed, nothing .*: depmod: out of memory' \
	modules_uninstall "$to"
expect "a mistake: a file where the folder should be" mistake "Cannot write to .*/module_a.ko/lib" \
	modules_install INSTALL_MOD_PATH="$dir/to/$updates/module_a.ko"
rm "$dir/project/build/$KVER/module_b.ko"
expect "a mistake: a module is not built" mistake 'There is no .*/module_b.ko: build the modules first' modules_install "$to"

expect "modprobe loads A for B, and removes both" boots
ktap_end
