# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode bench: runs the measurements. d2d-bench (qemu/bench/main.rs) reads the figures and their conditions in the
# kernel's log.

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

# busy - prints how long the CPUs have been busy, in 1/100 s
busy() {
	awk '/^cpu /{ print $2 + $3 + $4 + $7 + $8 }' /proc/stat
}

# After its boot, the kernel tests its ciphers. Wait until the CPUs are idle, at most a minute.
tries=60
before=$(busy)
while sleep 1 && after=$(busy) && [ $((after - before)) -gt 3 ] && [ $((tries -= 1)) -gt 0 ]; do
	before=$after
done
condition 'seconds until the CPUs were idle' $((60 - tries))

# load PAIR PARAMETER... - loads a pair, bench or twin. The parameters are the owner's
load() {
	pair=$1
	shift
	insmod "/lib/d2d/${pair}_owner.ko" "$@" && insmod "/lib/d2d/${pair}_peer.ko"
}

unload() {
	rmmod "$1_peer" && rmmod "$1_owner"
}

measure_part() {
	case $1 in
	bench) echo "$2" >/dev/bench_peer ;;
	twin) echo "$2" >/sys/module/twin_peer/parameters/run ;;
	esac
}

memory_in_use() {
	echo 1 >/proc/sys/vm/stat_refresh
	awk '/^(Slab|Percpu|VmallocUsed):/ { kb += $2 } END { printf "%d\n", kb * 1024 }' /proc/meminfo
}

# report_memory PAIR THING BEFORE COUNT - reports the memory of one THING. BEFORE is the memory that was in use before
# the pair created COUNT THINGs
report_memory() {
	case $1 in
	bench) name=project ;;
	*) name=$1 ;;
	esac
	echo "bench: memory of=$2 who=$name bytes=$((($(memory_in_use) - $3) / $4))" >/dev/kmsg
}

# load_and_report_memory PAIR THING COUNT PARAMETER... - loads a pair with contexts=1, then with the PARAMETERs, and
# reports the memory of one THING. With the PARAMETERs, the pair creates COUNT THINGs more. It stays loaded
load_and_report_memory() {
	pair=$1 thing=$2 count=$3
	shift 3
	load "$pair" contexts=1 && before=$(memory_in_use) && unload "$pair" && load "$pair" "$@" &&
		report_memory "$pair" "$thing" "$before" "$count"
}

# measure_kept PAIR THING - reports the memory of one THING, an event or a request. The first 1024 THINGs also fill
# slabs that were partly empty, so only the second 1024 count
measure_kept() {
	measure_part "$1" "keep-$2s" && before=$(memory_in_use) && measure_part "$1" "keep-$2s" &&
		report_memory "$1" "$2" "$before" 1024 && measure_part "$1" keep-nothing
}

# The case operations: the modules were built without tracepoints (D2D_NO_TRACEPOINTS).
if [ "${case-}" = operations ]; then
	load bench contexts=64 && measure_part bench empty-loop && measure_part bench operations && measure_part bench empty-loop &&
		unload bench
	return
fi

# The case rounds: a machine's speed may drift, so measure each contender three times, the project and the twin in turn.
rounds=1
[ "${case-}" != rounds ] || rounds='1 2 3'

# Measure both pairs under equal conditions: both stay loaded.
load_and_report_memory bench context 63 contexts=64 && load_and_report_memory twin context 63 contexts=64 &&
	measure_part bench empty-loop &&
	insmod /lib/d2d/check_twin.ko && rmmod check_twin || return
for _ in $rounds; do
	measure_part bench operations && measure_part twin operations || return
done
measure_part bench contexts || return
for pair in bench twin; do
	measure_kept "$pair" request && measure_kept "$pair" event && unload "$pair" || return
done

# The peer in C measures when it is loaded.
insmod /lib/d2d/bench_owner.ko && insmod /lib/d2d/bench_c_peer.ko languages=rust-c && rmmod bench_c_peer && rmmod bench_owner &&
	insmod /lib/d2d/bench_c_owner.ko && insmod /lib/d2d/bench_c_peer.ko languages=c-c && rmmod bench_c_peer &&
	insmod /lib/d2d/bench_peer.ko && measure_part bench owner-in-c && rmmod bench_peer && rmmod bench_c_owner || return

# The guest's memory suffices for a million items of one pair, not of both pairs.
default_capacity=256 capacity=1000000 queues=2
for pair in bench twin; do
	load_and_report_memory "$pair" item $((queues * (capacity - default_capacity))) contexts=1 "capacity=$capacity" &&
		measure_part "$pair" depth && unload "$pair" &&
		load "$pair" item_size=4096 contexts=1 && measure_part "$pair" payload && unload "$pair" || return
done
load bench && measure_part bench empty-loop && unload bench
