# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode cache-lines: two pairs of drivers exchange requests on two CPUs, while QEMU's plugin (qemu/cache-lines/main.rs)
# records which cache lines each CPU writes. This script writes the kernel's symbols to $KTAP. When the machine ends,
# the plugin reads the symbols from there, and then overwrites them with its report in KTAP.

insmod /lib/d2d/module_a.ko && insmod /lib/d2d/two_pairs.ko || return
cat /proc/kallsyms >"$KTAP"
rmmod two_pairs && rmmod module_a
