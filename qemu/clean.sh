#!/bin/bash
# Removes what the lab has built in this checkout, or with --cache what it keeps in the cache.
# Usage: clean.sh [--cache]
. "$(dirname "$0")/lib.sh"

if [ "${1-}" = --cache ]; then
	[ ! -d "$CACHE" ] || step "remove $CACHE" "1 min" /dev/null "$LAB/root/remove.sh" "$CACHE"
	exit 0
fi
need_cache
hold "$CACHE/lock/build-$(key "$PROJECT")"
rm -rf "$PROJECT/build"
# What a build for KDIR leaves beside the sources; git knows it by .gitignore
if [ -e "$PROJECT/.git" ] && command -v git >/dev/null; then
	git -C "$PROJECT" -c core.excludesFile=/dev/null clean -qfX
fi
