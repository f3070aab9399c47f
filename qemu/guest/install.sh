# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode install: loads the installed modules with kmod's modprobe, as on a real machine. Then loads the drivers that were
# built outside of the project (qemu/tests/install.sh).

. /d2d/steps.sh

# is_kmod - succeeds if /bin/modprobe is kmod's. For "modprobe" without a path, busybox's shell runs its own program
is_kmod() {
	/bin/modprobe -V | grep '^kmod'
}

# plays DRIVER - loads a driver, which must attach to module_a and exchange calls with it
plays() {
	insmod "/lib/outside/$1.ko" && log_has "step=attached to=$1" && [ -c "/dev/$1" ] && echo 1 >"/dev/$1" &&
		rmmod "$1"
}

# plays_pair OWNER PEER - loads and uses a pair, whose peer must attach
plays_pair() {
	insmod "/lib/outside/$1.ko" && insmod "/lib/outside/$2.ko" && log_has "step=attached to=$2" &&
		[ -c "/dev/$1" ] && echo 2 >"/dev/$1" && rmmod "$2" && rmmod "$1"
}

short_grace_periods
set_test_taint
run_step is_kmod &&
	run_step /bin/modprobe module_b &&
	run_step loaded module_b module_a &&
	run_step log_has 'step=attached to=module_b' &&
	run_step /bin/modprobe -r module_b &&
	run_step loaded &&
	run_step /bin/modprobe module_a &&
	run_step plays my_driver &&
	run_step plays meter &&
	run_step /bin/modprobe -r module_a &&
	run_step plays_pair consumer sensor &&
	run_step plays_pair consumer my_sensor &&
	run_step /lib/outside/test.sh &&
	run_step loaded
