#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The first process of a fresh mount and PID namespace: puts the outside world into
# the root where a command needs it, and runs the command there. Nobody else sees
# these mounts, and they go with the last process.
# Usage: inside.sh ROOT WORKDIR BIND... -- CMD...
set -eu

root=$1
workdir=$2
shift 2

mount --rbind /dev "$root/dev"
# A container may hide parts of /proc, and then none can be mounted anew.
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
while [ "$1" != -- ]; do
	mkdir -p "$root$1"
	mount --bind "$1" "$root$1"
	shift
done
shift
# How the host finds others, and whom it trusts: a proxy may have an authority of its own.
for file in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do
	if [ -e "$file" ] && [ -d "$root${file%/*}" ]; then
		: >>"$root$file"
		mount --bind "$(readlink -f "$file")" "$root$file"
	fi
done

keep=()
for name in TERM http_proxy https_proxy no_proxy; do
	[ -z "${!name-}" ] || keep+=("$name=${!name}")
done

# Not exec: as PID 1 the command would be deaf to a Ctrl-C that it does not catch.
rc=0
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "${keep[@]}" \
	chroot "$root" sh -c 'cd "$0" && exec "$@"' "$workdir" "$@" || rc=$?
exit "$rc"
