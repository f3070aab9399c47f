# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode lockdep: loads a peer that detaches where d2d.h forbids it. Lockdep reports this (qemu/tests/lockdep.sh).

# shellcheck disable=SC2154 # set by init from the kernel's command line
insmod /lib/d2d/module_a.ko
# In the background: a thread that detaches inside an operation waits for itself for ever.
insmod /lib/d2d/bad_peer.ko "fault=$case" && echo 1 >/dev/module_a &
until dmesg | grep -q 'WARNING: '; do
	sleep 1
done
printf 'TAP version 13\n1..1\nok 1 %s\n' "$case" >"$KTAP"
