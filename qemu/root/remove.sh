#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Removes files and directories of the cache. In a plain user's cache, some belong to the user's ids of /etc/subuid.
# Usage: remove.sh PATH...
. "$(dirname "$0")/../lib/lab.sh"

user=()
[ "$(id -u)" -eq 0 ] || user=("$LAB/root/unshare.sh" --)
for path; do
	case $path in
	"$CACHE"*) [ ! -e "$path" ] || "${user[@]}" rm -rf --one-file-system "$path" ;;
	*) die "$path is not in the cache" ;;
	esac
done
