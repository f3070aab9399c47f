#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs a command inside a toolchain root: the directory tree that the command has as "/". The command runs as the
# superuser, in mount and PID namespaces of its own (root/unshare.sh), and finds the project and the cache at the same
# absolute paths as outside.
# Usage: enter.sh CMD...
# Environment: D2D_ROOT, the directory of the toolchain root (default: the one that root/root.sh prints)
. "$(dirname "$0")/lib/lab.sh"

root=${D2D_ROOT:-$("$LAB/root/root.sh")}
case $PWD/ in
"$PROJECT"/* | "$CACHE"/*) workdir=$PWD ;;
*) workdir=$PROJECT ;;
esac

exec "$LAB/root/unshare.sh" --pid --fork --kill-child -- \
	"$LAB/root/inside.sh" "$root" "$workdir" "$PROJECT" "$CACHE" -- "$@"
