# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What the kernel's own debugging has found in the end, or "none" where it has none. Sourced by init.

# debug_locks - whether lockdep is still at work: after its first report it is not
debug_locks() {
	if [ -e /proc/lockdep_stats ]; then
		sed -n 's/^ *debug_locks: *//p' /proc/lockdep_stats
	else
		echo none
	fi
}

# leaks - the number of objects that nothing points to; what is known of them goes into the
# kernel's log. kmemleak leaves out what is younger than 5 s, and in a first scan what has changed.
leaks() {
	kmemleak=/sys/kernel/debug/kmemleak
	if [ ! -e "$kmemleak" ]; then
		echo none
		return
	fi
	sleep 6
	echo scan >"$kmemleak"
	echo scan >"$kmemleak"
	head -n 200 "$kmemleak" | while IFS= read -r line; do
		echo "$line" >/dev/kmsg
	done
	grep -c '^unreferenced object' "$kmemleak"
}
