# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode sins: a peer that detaches where d2d.h says that it must not. The owner cannot
# refuse it, but a kernel with lockdep says so, and the host has to see that (qemu/tests/).

# shellcheck disable=SC2154 # set by init from the kernel's command line
insmod /lib/d2d/module_a.ko
insmod /lib/d2d/bad_peer.ko "sin=$case" && echo 1 >/sys/kernel/debug/d2d-module_a/exercise &
# One of them never comes back; if the kernel says nothing, the host's limit ends this.
until dmesg | grep -q 'WARNING: '; do
	sleep 1
done
printf 'TAP version 13\n1..1\nok 1 %s\n' "$case" >"$KTAP"
