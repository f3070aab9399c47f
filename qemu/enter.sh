#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs a command as root inside the toolchain root, in mount and PID namespaces of its own (root/unshare.sh). The
# command finds the project and the cache at the same absolute paths as outside.
# Usage: enter.sh CMD...
# Environment: D2D_ROOT, the root to enter; without it, the one of root/root.sh
. "$(dirname "$0")/lib/lab.sh"

root=${D2D_ROOT:-$("$LAB/root/root.sh")}
case $PWD/ in
"$PROJECT"/* | "$CACHE"/*) workdir=$PWD ;;
*) workdir=$PROJECT ;;
esac

exec "$LAB/root/unshare.sh" --pid --fork --kill-child -- \
	"$LAB/root/inside.sh" "$root" "$workdir" "$PROJECT" "$CACHE" -- "$@"
