# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode lines: two pairs of drivers exchange requests on two CPUs, while QEMU's plugin (qemu/lines/main.rs) records
# which cache lines each CPU writes. When the machine ends, the plugin reads the kernel's symbols from $KTAP, and then writes its
# report to this file instead.

insmod /lib/d2d/module_a.ko && insmod /lib/d2d/two_pairs.ko || return
cat /proc/kallsyms >"$KTAP"
rmmod two_pairs && rmmod module_a
