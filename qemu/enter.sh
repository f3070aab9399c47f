#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs a command as the superuser inside a toolchain root. The root is a Debian tree, which the command sees as "/". The
# project and the cache keep their absolute paths.
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
