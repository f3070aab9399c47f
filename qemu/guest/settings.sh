# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Settings of the kernel. init sources this file.

# short_grace_periods - shortens RCU's grace periods. A run that loads many modules spends most of its time waiting for
# them
short_grace_periods() {
	echo 1 >/sys/kernel/rcu_expedited
}

# set_test_taint - sets TAINT_TEST, which the host expects. A test module in C sets it, too, but some kselftests load
# none
set_test_taint() {
	echo 262144 >/proc/sys/kernel/tainted
}
