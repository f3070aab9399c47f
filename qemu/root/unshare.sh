#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs a command as the superuser, in a mount namespace of its own. If a plain user calls this script, the command also
# runs in a new user namespace, and is the superuser only in this namespace.
# Usage: unshare.sh [OPTION...] -- CMD...
# OPTION is an option of unshare(1), for a namespace of another kind.
. "$(dirname "$0")/../lib/lab.sh"

export_proxies

user=()
if [ "$(id -u)" -ne 0 ]; then
	# Fail here if the kernel refuses the namespaces: with --map-auto, unshare starts a helper before it asks the
	# kernel for them. If the kernel refused then, the helper would sleep for ever, and keep the caller's pipe open.
	unshare --user --mount --pid --fork true
	user=(--user --map-root-user --map-auto)
fi
exec unshare "${user[@]}" --mount "$@"
