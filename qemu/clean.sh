#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Removes everything that was built in this checkout; with --cache, removes the cache of the lab instead.
# Usage: clean.sh [--cache]
. "$(dirname "$0")/lib/lab.sh"

if [ "${1-}" = --cache ]; then
	[ ! -d "$CACHE" ] || step "remove $CACHE" "1 min" /dev/null "$LAB/root/remove.sh" "$CACHE"
	exit 0
fi
hold_build
rm -rf "$PROJECT/build"
# `make KDIR=...` builds beside the sources; .gitignore lists the files that it leaves.
if [ -e "$PROJECT/.git" ] && command -v git >/dev/null; then
	git -C "$PROJECT" -c core.excludesFile=/dev/null clean -qfX
fi
