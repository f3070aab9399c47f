#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs a command as the superuser in a mount namespace of its own. A plain user gets a user namespace, too.
# Usage: unshare.sh [OPTION OF UNSHARE(1)...] -- CMD...
. "$(dirname "$0")/../lib/lab.sh"

export_proxies

user=()
if [ "$(id -u)" -ne 0 ]; then
	# Fail here if the kernel refuses the namespaces: a helper of unshare --map-auto would sleep for ever, and keep
	# the caller's pipe open.
	unshare --user --mount --pid --fork true
	user=(--user --map-root-user --map-auto)
fi
exec unshare "${user[@]}" --mount "$@"
