# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode harness: the guest of qemu/tests/harness.sh. d2d-vm must notice the fault that $case names. "good" has no fault.

second_result='ok 2 second'
# d2d-vm expects the taint that a test module sets.
insmod /lib/d2d/splat.ko && rmmod splat

splat() {
	insmod /lib/d2d/splat.ko "kind=$1"
	rmmod splat
}

# shellcheck disable=SC2154 # set by init from the kernel's command line
case $case in
good) ;;
failing-test) second_result='not ok 2 second' ;;
missing-result) second_result= ;;
exit-status) (exit 3) ;;
stale-nonce)
	# shellcheck disable=SC2034 # init writes it
	nonce=stale
	;;
power-off) poweroff -f ;;
hang) while :; do sleep 1000; done ;;
left-over) insmod /lib/d2d/splat.ko ;;
lost-log) dmesg -c >/dev/null ;;
console-texts)
	while read -r text; do
		echo "<4>$text" >/dev/kmsg
	done </d2d/console-texts.expected
	;;
log-only-texts)
	# The console does not get lines of this level.
	while read -r text; do
		echo "<6>$text" >/dev/kmsg
	done </d2d/log-only-texts.expected
	;;
spin)
	echo 2 >/proc/sys/kernel/watchdog_thresh
	splat spin
	;;
rcu-stall)
	echo 0 >/proc/sys/kernel/soft_watchdog
	echo 3 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
	splat spin &
	until dmesg | grep -q 'rcu: INFO: '; do
		sleep 1
	done
	;;
hung-task)
	# Not less than 10 s: on a busy host, other tasks may be blocked for some seconds, too.
	echo 10 >/proc/sys/kernel/hung_task_timeout_secs
	splat hang
	;;
*) splat "$case" ;;
esac
rc=$?
printf 'TAP version 13\n1..2\nok 1 first\n%s\n' "$second_result" >"$KTAP"
return "$rc"
