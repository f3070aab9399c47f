# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Settings of the kernel that several modes need. init sources this file.

# short_grace_periods - makes RCU's grace periods as short as possible. A run that loads and unloads many modules spends
# most of its time waiting for these periods
short_grace_periods() {
	echo 1 >/sys/kernel/rcu_expedited
}

# set_test_taint - sets TAINT_TEST, which the host expects after each run of kselftests. A test module in C sets it, too
# (MODULE_INFO(test)), but some kselftests load no such module
set_test_taint() {
	echo 262144 >/proc/sys/kernel/tainted
}
