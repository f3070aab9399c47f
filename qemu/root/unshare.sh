#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs a command with mounts of its own, as root: the real root, or a plain user as the root of a
# user namespace.
# Usage: unshare.sh [OPTION...] -- CMD...   OPTION is one of unshare(1)
. "$(dirname "$0")/../lib/lab.sh"

user=()
if [ "$(id -u)" -ne 0 ]; then
	# Tried without --map-auto: the helper for that stays asleep when the kernel refuses the
	# namespaces, and keeps the caller's pipe open.
	unshare --user --mount --pid --fork true
	user=(--user --map-root-user --map-auto)
fi
exec unshare "${user[@]}" --mount "$@"
