# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode rust-headers: loads modules that were built from Debian's headers: the kernel's sample rust_minimal, and the pair
# as dkms has installed it (qemu/tests/rust-headers.sh).

. /d2d/steps.sh

short_grace_periods
set_test_taint
run_step insmod /lib/outside/rust_minimal.ko &&
	run_step log_has 'rust_minimal: Rust minimal sample (init)' &&
	run_step rmmod rust_minimal &&
	run_step insmod /lib/outside/module_a.ko &&
	run_step insmod /lib/outside/module_b.ko &&
	run_step log_has 'step=attached to=module_b' &&
	run_step rmmod module_b &&
	run_step rmmod module_a &&
	run_step loaded
