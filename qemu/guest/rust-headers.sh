# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode rust-headers: loads and unloads the modules in /lib/outside, which were built from Debian's headers
# (qemu/tests/rust-headers.sh). They are the kernel's sample rust_minimal, and the pair as dkms has installed it. Stops
# at the first step that fails, and notes it in the kernel's log.

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
