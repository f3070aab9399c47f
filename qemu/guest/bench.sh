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

insmod /lib/d2d/bench_owner.ko && insmod /lib/d2d/bench_peer.ko || return
insmod /lib/d2d/twin_owner.ko && insmod /lib/d2d/twin_peer.ko || return
echo 1 >/sys/kernel/debug/d2d-bench_peer/run && rmmod bench_peer && rmmod bench_owner || return
echo all >/sys/module/twin_peer/parameters/run && rmmod twin_peer && rmmod twin_owner
