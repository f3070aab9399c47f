# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Settings of the kernel that several modes need. init sources this file.

# short_grace_periods - makes grace periods as short as possible. Loading and unloading modules mostly waits for them
short_grace_periods() {
	echo 1 >/sys/kernel/rcu_expedited
}

# set_test_taint - sets the taint that modules in C with MODULE_INFO(test) set (TAINT_TEST), and that the host
# expects of a run of kselftests. Not every kselftest loads such a module
set_test_taint() {
	echo 262144 >/proc/sys/kernel/tainted
}
