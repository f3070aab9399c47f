#!/bin/bash
# Runs a command inside the toolchain root, as its root user: the real root by a
# namespace of its own, a plain user by a user namespace in addition. The
# project and the cache are there under the same absolute paths as outside.
# Usage: enter.sh CMD...
. "$(dirname "$0")/lib.sh"

root=${D2D_ROOT:-$("$LAB/root/root.sh")}
case $PWD/ in
"$PROJECT"/* | "$CACHE"/*) workdir=$PWD ;;
*) workdir=$PROJECT ;;
esac

exec "$LAB/root/unshare.sh" --pid --fork --kill-child -- \
	"$LAB/root/inside.sh" "$root" "$workdir" "$PROJECT" "$CACHE" -- "$@"
