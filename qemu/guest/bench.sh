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

# load PAIR PARAMETER... - the owner of a pair (bench or its twin) with these parameters, and the driver
# that measures
load() {
	pair=$1
	shift
	insmod "/lib/d2d/${pair}_owner.ko" "$@" && insmod "/lib/d2d/${pair}_peer.ko"
}

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

# memory PAIR OF BEFORE AFTER COUNT - how much one of so many takes, by all that they have made the
# kernel use: its files in debugfs and the unused end of its allocations as well
memory() {
	who=project
	[ "$1" = bench ] || who=$1
	echo "bench: memory of=$2 who=$who bytes=$((($4 - $3) / $5))" >/dev/kmsg
}

# kept PAIR WHAT - the same for events or requests. The first ones fill what memory was left over.
kept() {
	measure "$1" "keep-$2s" && before=$(used) && measure "$1" "keep-$2s" && memory "$1" "$2" "$before" "$(used)" 1024 &&
		measure "$1" keep-nothing
}

# sizes PAIR - how much memory a context and an item take
contexts=64 capacity=65536
sizes() {
	load "$1" contexts=1 && one=$(used) && unload "$1" &&
		load "$1" "contexts=$contexts" && memory "$1" context "$one" "$(used)" $((contexts - 1)) && unload "$1" &&
		load "$1" contexts=1 "capacity=$capacity" && memory "$1" item "$one" "$(used)" $((2 * (capacity - 256))) &&
		unload "$1"
}

# growth PAIR - with fuller and fuller queues, and with larger and larger items
growth() {
	load "$1" contexts=1 "capacity=$capacity" && measure "$1" depth && unload "$1" &&
		load "$1" contexts=1 item_size=4096 && measure "$1" payload && unload "$1"
}

# All that is compared is measured in one order of loading; of modules without tracepoints ($case is
# operations) nothing else.
load bench contexts=64 && load twin && measure bench control && measure bench operations || return
if [ "$case" != operations ]; then
	measure twin all && measure bench contexts && kept bench event && kept bench request || return
fi
unload twin && unload bench || return
if [ "$case" != operations ]; then
	sizes bench && sizes twin && growth bench || return
fi
load bench contexts=1 && measure bench control && unload bench
