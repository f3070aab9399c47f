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

# The pairs: bench, the project, and twin, the same in C. What follows is for the one that pair names.

# load PARAMETER... - the owner with these parameters, and the driver that measures
load() {
	insmod "/lib/d2d/${pair}_owner.ko" "$@" && insmod "/lib/d2d/${pair}_peer.ko"
}

unload() {
	rmmod "${pair}_peer" && rmmod "${pair}_owner"
}

# measure WHAT - the lines of a part of the measurements (bench_peer.rs, twin/loops.c)
measure() {
	case $pair in
	bench) echo "$1" >/sys/kernel/debug/d2d-bench_peer/run ;;
	twin) echo "$1" >/sys/module/twin_peer/parameters/run ;;
	esac
}

# used - bytes that the kernel uses: slabs and larger allocations, what each CPU has, and whole pages
used() {
	echo 1 >/proc/sys/vm/stat_refresh
	awk '/^(Slab|Percpu|VmallocUsed):/ { kb += $2 } END { printf "%d\n", kb * 1024 }' /proc/meminfo
}

# memory OF BEFORE AFTER COUNT - how much one of so many takes, by all that they have made the kernel
# use: its files in debugfs and the unused end of its allocations as well
memory() {
	case $pair in
	bench) who=project ;;
	twin) who=twin ;;
	esac
	echo "bench: memory of=$1 who=$who bytes=$((($3 - $2) / $4))" >/dev/kmsg
}

# kept WHAT - the same for events or requests. The first ones fill what memory was left over.
kept() {
	measure "keep-$1s" && before=$(used) && measure "keep-$1s" && memory "$1" "$before" "$(used)" 1024 &&
		measure keep-nothing
}

contexts=64 capacity=65536

# growth - what a pair that is not loaded takes, and its loops with more and with larger items
growth() {
	load contexts=1 && one=$(used) && unload &&
		load "contexts=$contexts" && memory context "$one" "$(used)" $((contexts - 1)) &&
		kept event && kept request && unload &&
		load contexts=1 && one=$(used) && unload &&
		load contexts=1 "capacity=$capacity" && memory item "$one" "$(used)" $((2 * (capacity - 256))) &&
		measure depth && unload &&
		load contexts=1 item_size=4096 && measure payload && unload
}

pair=twin
load contexts=2 || return
pair=bench
load "contexts=$contexts" && measure control && measure operations && measure contexts || return
pair=twin
measure operations && unload || return
pair=bench
unload && growth || return
pair=twin
growth || return
pair=bench
load contexts=1 && measure control && unload
