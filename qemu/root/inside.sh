#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Mounts into a toolchain root what a command needs of the host: /dev, /proc, each directory BIND, and more. Then runs
# the command there by chroot. This script is the first process of a new mount and PID namespace (enter.sh). So other
# processes do not see its mounts, and the mounts disappear with the namespace's last process.
# Usage: inside.sh ROOT WORKDIR BIND... -- CMD...
# ROOT is the directory of the toolchain root.
set -eu

root=$1
workdir=$2
shift 2

mount --rbind /dev "$root/dev"
# In a container that hides parts of /proc, the kernel refuses to mount a new /proc.
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
while [ "$1" != -- ]; do
	mkdir -p "$root$1"
	mount --bind "$1" "$root$1"
	shift
done
shift
# Use the host's resolver and certificate authorities: a host behind a proxy may trust the authority of the proxy.
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

# Do not use exec here: the command would become PID 1. A Ctrl-C does not end PID 1 unless PID 1 handles the signal.
rc=0
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "${keep[@]}" \
	chroot "$root" sh -c 'cd "$0" && exec "$@"' "$workdir" "$@" || rc=$?
exit "$rc"
