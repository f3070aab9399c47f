#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Mounts into a toolchain root what a command needs of the host, such as the paths BIND, and runs the command there. The
# mounts disappear with the namespaces of enter.sh.
# Usage: inside.sh ROOT WORKDIR BIND... -- CMD...
set -eu

root=$1
workdir=$2
shift 2

mount --rbind /dev "$root/dev"
# In a container that hides parts of /proc, nobody may mount a new /proc.
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
while [ "$1" != -- ]; do
	mkdir -p "$root$1"
	mount --bind "$1" "$root$1"
	shift
done
shift
# The host's list of certificates may have that of a proxy.
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

# No exec: the command would be PID 1, which ignores Ctrl-C unless it handles the signal.
rc=0
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "${keep[@]}" \
	chroot "$root" sh -c 'cd "$0" && exec "$@"' "$workdir" "$@" || rc=$?
exit "$rc"
