# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode cache-lines: two pairs of drivers exchange requests on two CPUs. Meanwhile, a plugin of QEMU
# (qemu/cache-lines/main.rs) records which cache lines each CPU writes. This script writes the kernel's symbols to the
# file $KTAP. When the machine ends, the plugin reads the symbols from $KTAP, and then replaces them by its report.

insmod /lib/d2d/module_a.ko && insmod /lib/d2d/two_pairs.ko || return
cat /proc/kallsyms >"$KTAP"
rmmod two_pairs && rmmod module_a
