# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Functions that print the findings of lockdep and kmemleak. init sources this file.

# debug_locks - prints 1 if lockdep works, 0 if it has turned itself off after a report, or "none" without lockdep
debug_locks() {
	if [ -e /proc/lockdep_stats ]; then
		sed -n 's/^ *debug_locks: *//p' /proc/lockdep_stats
	else
		echo none
	fi
}

# leaks - prints the number of leaked allocations, "none" without kmemleak, or "unknown" if kmemleak has turned itself
# off. Logs the leaks. Waits first, because kmemleak reports no allocation younger than 5 s. Scans twice, because
# the first scan reports no allocation whose contents have changed
leaks() {
	kmemleak=/sys/kernel/debug/kmemleak
	if [ ! -e "$kmemleak" ]; then
		echo none
		return
	fi
	sleep 6
	if ! echo scan >"$kmemleak" || ! echo scan >"$kmemleak"; then
		echo unknown
		return
	fi
	head -n 200 "$kmemleak" | while IFS= read -r line; do
		echo "$line" >/dev/kmsg
	done
	grep -c '^unreferenced object' "$kmemleak"
}
