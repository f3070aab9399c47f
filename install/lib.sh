# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the scripts of this folder share: messages, and changes of files that are all made or all undone. Source it first.

set -euo pipefail

PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

die() {
	echo "$*" >&2
	exit 1
}

# find_program NAME FROM - dies if there is no program NAME. A plain user's PATH lacks the folders sbin
find_program() {
	PATH=$PATH:/usr/sbin:/sbin
	command -v "$1" >/dev/null || die "There is no $1 on this machine: install it ($2)"
}

# find_release - sets $release to the release of the kernel that KVER or KDIR name, and $built to the folder of its modules
# shellcheck disable=SC2034 # for the scripts that source this file
find_release() {
	local kdir
	if [ -n "${KVER-}" ]; then
		release=$KVER built=$PROJECT/build/$KVER
		return
	fi
	kdir=${KDIR:-/lib/modules/$(uname -r)/build}
	release=$(cat "$kdir/include/config/kernel.release" 2>/dev/null) ||
		die "There is no prepared kernel tree $kdir: set KDIR or KVER as for the build"
	built=$PROJECT
}

# hold_build - keeps builds of the project from running until the script ends, and waits for one that runs
hold_build() {
	local fd
	exec {fd}<"$PROJECT"
	flock -n "$fd" && return
	echo "install: another build holds $PROJECT, waiting for it" >&2
	flock "$fd"
}

# begin DIR - begins changes of files in DIR, which is created if it is missing. Until commit is called, each exit of the
# script undoes them
begin() {
	created=$1 above=$1
	until [ -d "$above" ]; do
		above=$(dirname -- "$above")
	done
	[ "$above" != "$1" ] || created=
	olds=() news=()
	trap undo EXIT
	trap 'exit 130' INT TERM HUP
	{ mkdir -p -- "$1" && stage=$(mktemp -d -- "$1/.beyond-irps.XXXXXX"); } 2>/dev/null ||
		die "Cannot write to $1: run this as root, or set another folder (docs/install.md)"
}

# undo - removes the new files, puts the old ones back, and removes the folders that begin has created
undo() {
	local i
	for i in "${!news[@]}"; do
		rm -rf -- "${news[i]}"
	done
	for i in "${!olds[@]}"; do
		mv -- "$stage/old-$i" "${olds[i]}"
	done
	[ -z "${stage-}" ] || rm -rf -- "$stage"
	while [ -n "$created" ] && [ "$created" != "$above" ]; do
		rmdir -- "$created" 2>/dev/null || :
		created=$(dirname -- "$created")
	done
}

# old PATH - takes away the file or folder PATH, if it is there
old() {
	[ -e "$1" ] || return 0
	mv -- "$1" "$stage/old-${#olds[@]}"
	olds+=("$1")
}

# new PATH - moves what the caller has put in $stage under the name of PATH to PATH, and replaces what was there
new() {
	old "$1"
	news+=("$1")
	mv -- "$stage/$(basename -- "$1")" "$1"
}

# commit - keeps the changes
commit() {
	trap - EXIT
	rm -rf -- "$stage"
}
