# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Makes the entries of the cache: the roots, the kernels and the host programs. lib/lab.sh sources this file.

# key WORD... - prints a short hash of the words, for the name of an entry
key() {
	printf '%s\n' "$@" | sha256sum | cut -c1-12
}

need_cache() {
	if ! mkdir -p "$CACHE/lock" "$CACHE/log" 2>/dev/null || [ ! -w "$CACHE/lock" ]; then
		die "cannot write to the cache $CACHE: set XDG_CACHE_HOME to a directory of your own"
	fi
}

need_space() {
	local free
	# In tenths of a gigabyte
	free=$(($(df --output=avail -Bk "$CACHE" | tail -n 1 | tr -dc 0-9) * 10 / 1048576))
	[ "$free" -ge $(($1 * 10)) ] ||
		die "$2 needs $1 GB of disk space, $CACHE has $((free / 10)).$((free % 10)) GB free: make room or set XDG_CACHE_HOME"
}

# hold PATH - locks PATH, a folder or a file, until this script and its children have ended. Makes a missing file
hold() {
	local fd
	[ -e "$1" ] || : >>"$1"
	exec {fd}<"$1"
	flock -n "$fd" && return
	say "another run holds $1, waiting for it"
	flock "$fd"
}

# hold_build - takes the lock of this project's builds. The Makefile and install/lib.sh take the same lock
hold_build() {
	hold "$PROJECT"
}

# cached ENTRY LOCK CMD... - makes ENTRY of the cache, unless it exists. CMD gets a temporary path as its last argument,
# and makes the entry there. Never test the status of cached: bash then ignores set -e in it. A script that calls cached
# must not yet have a trap for EXIT: cached removes it.
cached() {
	local entry=$1 lock=$2
	shift 2
	[ ! -e "$entry" ] || return 0
	need_cache
	hold "$CACHE/lock/$lock"
	[ ! -e "$entry" ] || return 0
	# A killed run may have left a half-made entry.
	"$LAB/root/remove.sh" "$entry.tmp"
	# Not local: the trap outlives this function.
	incomplete=$entry.tmp
	trap '"$LAB/root/remove.sh" "$incomplete"' EXIT
	"$@" "$incomplete"
	mv "$incomplete" "$entry"
	trap - EXIT
}
