# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode rust-headers: loads and unloads the modules that were built from Debian's headers (qemu/tests/rust-headers.sh),
# in /lib/outside: the kernel's sample rust_minimal, and the pair as dkms has installed it. Stops at the first step that
# fails, and notes it in the kernel's log.

. /d2d/steps.sh

short_grace_periods
set_test_taint
step insmod /lib/outside/rust_minimal.ko &&
	step logs 'rust_minimal: Rust minimal sample (init)' &&
	step rmmod rust_minimal &&
	step insmod /lib/outside/module_a.ko &&
	step insmod /lib/outside/module_b.ko &&
	step logs 'step=attached to=module_b' &&
	step rmmod module_b &&
	step rmmod module_a &&
	step loaded
