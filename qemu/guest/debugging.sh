# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What lockdep and kmemleak have found during the run, for the result line. Sourced by init.

# debug_locks - prints 1 while lockdep works, 0 after its first report, which turns it off, and "none" in a kernel
# without lockdep
debug_locks() {
	if [ -e /proc/lockdep_stats ]; then
		sed -n 's/^ *debug_locks: *//p' /proc/lockdep_stats
	else
		echo none
	fi
}

# leaks - prints the number of allocations to which nothing points, and "none" in a kernel without kmemleak. Their
# descriptions go to the kernel's log. kmemleak leaves out an allocation that is younger than 5 s, and in a first
# scan one whose contents have changed: so wait, and scan twice.
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
