#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Installs module_a.ko and module_b.ko for modprobe, or removes them. Needs neither the lab nor the kernel's tree. If a
# step fails, what was there before is there again. docs/install.md is for users.
# Usage: modules.sh modules_install|modules_uninstall
# Environment:
#   KVER              the kernel's release; the modules are in build/KVER/. Without KVER, they are beside the Makefile
#   KDIR              without KVER, the kernel tree that the modules were built for (default: that of the running kernel)
#   INSTALL_MOD_PATH  the root of the file system to install in (default: /)
#   INSTALL_MOD_DIR   the folder below /lib/modules/RELEASE/ (default: updates)
#   INSTALL_MOD_STRIP 1 strips debug information; any other value is strip's options
. "$(dirname "$0")/lib.sh"

hold_build
modules=(module_a module_b)
root=${INSTALL_MOD_PATH-}
[ -z "$root" ] || root=$(realpath -m -- "$root")
find_release
lib=$root/lib/modules/$release
to=$lib/${INSTALL_MOD_DIR:-updates}

find_program depmod "package kmod"
[ -n "$root" ] || [ -d "$lib" ] || die "There is no kernel $release on this machine: $lib is missing"

# update - runs depmod, whose warnings about files of a kernel that is not there do not help
update() {
	local output
	output=$(depmod -b "${root:-/}" "$release" 2>&1) || die "depmod $release failed, nothing is changed: ${output%%$'\n'*}"
	output=$(grep -vE 'could not open modules\.(order|builtin|builtin\.modinfo) ' <<<"$output") || return 0
	echo "$output" >&2
}

# tidy - removes the folders that have nothing left in them, and the tables of depmod if there is no kernel beside them
tidy() {
	rmdir -p --ignore-fail-on-non-empty -- "$to" 2>/dev/null || :
	[ -d "$lib" ] || return 0
	if ! find "$lib" -mindepth 1 ! -regex '.*/modules\.\(alias\|builtin\|builtin\.alias\|dep\|symbols\)\(\.bin\)?' \
		! -regex '.*/modules\.\(devname\|softdep\|weakdep\)' -print -quit | grep -q .; then
		rm -r -- "$lib"
		rmdir -p --ignore-fail-on-non-empty -- "$root/lib/modules" 2>/dev/null || :
	fi
}

case $1 in
modules_install)
	find_program modinfo "package kmod"
	for name in "${modules[@]}"; do
		[ -f "$built/$name.ko" ] || die "There is no $built/$name.ko: build the modules first, by make with the same KDIR or KVER"
		magic=$(modinfo -F vermagic "$built/$name.ko") || die "$built/$name.ko is not a module"
		[ "${magic%% *}" = "$release" ] || die "$built/$name.ko was built for the kernel ${magic%% *}, not for $release"
	done
	case ${INSTALL_MOD_STRIP-} in
	1) options=--strip-debug ;;
	*) options=${INSTALL_MOD_STRIP-} ;;
	esac
	begin "$to"
	for name in "${modules[@]}"; do
		install -m 644 "$built/$name.ko" "$stage/"
		[ -n "$options" ] || continue
		# shellcheck disable=SC2086 # a list
		output=$("${STRIP:-strip}" $options "$stage/$name.ko" 2>&1) ||
			die "strip $options failed, nothing is changed: ${output%%$'\n'*}"
	done
	for name in "${modules[@]}"; do
		new "$to/$name.ko"
	done
	update
	commit
	;;
modules_uninstall)
	for name in "${modules[@]}"; do
		[ ! -f "$to/$name.ko" ] || found=y
	done
	[ -n "${found-}" ] || die "There is nothing to remove: $to has no ${modules[0]}.ko"
	begin "$to"
	for name in "${modules[@]}"; do
		old "$to/$name.ko"
	done
	update
	commit
	tidy
	;;
*) die "unknown action: $1" ;;
esac
