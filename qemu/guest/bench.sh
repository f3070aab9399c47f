# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode bench: the measurements, and what they were made on, into the kernel's log; qemu/bench/ reads
# both.

# condition NAME VALUE
condition() {
	echo "bench: condition $1: $2" >/dev/kmsg
}

condition kernel "$(uname -r)"
condition CPUs "$(nproc)"
condition clock "$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
for name in 'model name' flags; do
	condition "CPU's $name" "$(sed -n "s/^${name}[[:space:]]*: //p" /proc/cpuinfo | head -n 1)"
done
mitigation=/sys/devices/system/cpu/vulnerabilities/spectre_v2
[ ! -e "$mitigation" ] || condition 'indirect calls' "$(cat "$mitigation")"

# busy - what the CPUs have been doing so far, in 1/100 s
busy() {
	awk '/^cpu /{ print $2 + $3 + $4 + $7 + $8 }' /proc/stat
}

# The kernel tests its ciphers for some seconds after it has booted, and takes the CPU from what is
# measured. If it is never quiet, the calibration notices.
tries=60
before=$(busy)
while sleep 1 && after=$(busy) && [ $((after - before)) -gt 3 ] && [ $((tries -= 1)) -gt 0 ]; do
	before=$after
done
condition 'seconds until it was quiet' $((60 - tries))

# load PAIR PARAMETER... - the owner of a pair, bench or its twin in C, with these parameters, and the peer,
# which measures
load() {
	pair=$1
	shift
	insmod "/lib/d2d/${pair}_owner.ko" "$@" && insmod "/lib/d2d/${pair}_peer.ko"
}

# unload PAIR
unload() {
	rmmod "$1_peer" && rmmod "$1_owner"
}

# measure PAIR WHAT - the lines of a part of the measurements
measure() {
	case $1 in
	bench) echo "$2" >/sys/kernel/debug/d2d-bench_peer/run ;;
	twin) echo "$2" >/sys/module/twin_peer/parameters/run ;;
	esac
}

# used - bytes that the kernel uses: slabs and larger allocations, what each CPU has, and whole pages
used() {
	echo 1 >/proc/sys/vm/stat_refresh
	awk '/^(Slab|Percpu|VmallocUsed):/ { kb += $2 } END { printf "%d\n", kb * 1024 }' /proc/meminfo
}

# memory PAIR OF BEFORE COUNT - how much one of so many takes, by all that they have made the kernel
# use: the unused end of an allocation and files in debugfs as well
memory() {
	case $1 in
	bench) whose=project ;;
	*) whose=$1 ;;
	esac
	echo "bench: memory of=$2 who=$whose bytes=$((($(used) - $3) / $4))" >/dev/kmsg
}

# larger PAIR OF COUNT PARAMETER... - the same for what there is more of with these parameters than with
# one context as usual. The pair is loaded in the end.
larger() {
	who=$1 of=$2 count=$3
	shift 3
	load "$who" contexts=1 && before=$(used) && unload "$who" && load "$who" "$@" &&
		memory "$who" "$of" "$before" "$count"
}

# kept PAIR OF - the same for 1024 events or requests. The first ones fill what memory was left over.
kept() {
	measure "$1" "keep-$2s" && before=$(used) && measure "$1" "keep-$2s" &&
		memory "$1" "$2" "$before" 1024 && measure "$1" keep-nothing
}

# Of modules without tracepoints ($case is operations) nothing else is measured.
if [ "${case-}" = operations ]; then
	load bench contexts=64 && measure bench control && measure bench operations && measure bench control &&
		unload bench
	return
fi

# What each operation costs: all that are compared are loaded together, and measured one after
# the other.
larger bench context 63 contexts=64 && larger twin context 63 contexts=64 && measure bench control &&
	insmod /lib/d2d/check_twin.ko && rmmod check_twin &&
	measure bench operations && measure twin operations && measure bench contexts || return
for pair in bench twin; do
	kept "$pair" request && kept "$pair" event && unload "$pair" || return
done

# What it costs with more or larger items: so many do not fit into memory twice.
capacity=1000000
for pair in bench twin; do
	larger "$pair" item $((2 * (capacity - 256))) contexts=1 "capacity=$capacity" &&
		measure "$pair" depth && unload "$pair" &&
		load "$pair" item_size=4096 contexts=1 && measure "$pair" payload && unload "$pair" || return
done
load bench && measure bench control && unload bench
