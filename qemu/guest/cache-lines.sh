# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode cache-lines: two pairs of drivers exchange requests on two CPUs, and a plugin of QEMU records the cache lines
# (qemu/cache-lines/main.rs). At the end, the plugin replaces the kernel's symbols in $KTAP by its report.

insmod /lib/d2d/module_a.ko && insmod /lib/d2d/two_pairs.ko || return
cat /proc/kallsyms >"$KTAP"
rmmod two_pairs && rmmod module_a
