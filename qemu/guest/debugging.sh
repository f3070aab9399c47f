# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Functions that print the findings of lockdep and kmemleak, for the result line. init sources this file.

# debug_locks - prints the state of lockdep: 1 if it works, 0 if it has turned itself off after its first report, or
# "none" in a kernel without lockdep
debug_locks() {
	if [ -e /proc/lockdep_stats ]; then
		sed -n 's/^ *debug_locks: *//p' /proc/lockdep_stats
	else
		echo none
	fi
}

# leaks - prints the number of leaked allocations, "none" in a kernel without kmemleak, or "unknown" if kmemleak has
# turned itself off. Writes the descriptions of the leaked allocations to the kernel's log. kmemleak does not report an
# allocation that is younger than 5 s, so wait. The first scan does not report an allocation whose contents have
# changed, so scan twice.
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
