#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The harness must notice each fault in a guest (qemu/guest/harness.sh), and name the reason.
. "$(dirname "$0")/../lib/lab.sh"

ci_share 3 <<'TABLE' | "$LAB/run/boots.sh" -
stock harness/good             60
stock harness/failing-test     60  test: second
stock harness/missing-result   60  KTAP: the run: a plan of 2, but 1 results
stock harness/exit-status      60  result: rc is 3, expected 0
stock harness/stale-nonce      60  result: nonce is stale
stock harness/power-off        60  no result line
stock harness/hang              5  timeout after 5 s
stock harness/left-over        60  result: modules is 1, expected 0
stock harness/taint            60  result: taint is 274496, expected 274432
stock harness/lost-log         60  dmesg: the log has lost its beginning
stock harness/console-texts    60  console: BUG: KASAN
stock harness/log-only-texts   60  dmesg: traps: busybox
stock harness/warn             60  console: WARNING: .*splat_warn
stock harness/oops             60  console: BUG: kernel NULL pointer dereference
stock harness/panic            60  console: Kernel panic - not syncing: as asked
stock harness/sleep_in_atomic  60  console: BUG: scheduling while atomic: insmod
stock harness/spin             60  console: watchdog: BUG: soft lockup
stock harness/rcu-stall        60  console: rcu: INFO: rcu_preempt
stock harness/hung-task        90  console: INFO: task insmod:.* blocked for more than
stock harness/refcount         60  console: refcount_t: addition on 0
stock harness/list             60  console: kernel BUG at lib/list_debug.c
stock harness/slab             60  console: BUG splat .*Objects remaining
stock test/handles.sh:no?such?case  120  no case of handles.sh has 'no such case' in its name

sanitizer harness/good             180
sanitizer harness/use_after_free   180  console: BUG: KASAN: slab-use-after-free in splat_use_after_free
sanitizer harness/out_of_bounds    180  console: BUG: KASAN: slab-out-of-bounds in splat_out_of_bounds
sanitizer harness/inversion        180  console: WARNING: possible circular locking dependency detected
sanitizer harness/lockdep_off      180  result: debug_locks is 0, expected 1
sanitizer harness/sleep_under_lock 180  console: BUG: sleeping function called from invalid context at .*splat.c
sanitizer harness/leak             180  result: leaks is [1-9]
sanitizer harness/active_timer     180  console: ODEBUG: free active .* object type: timer_list

# These cases leak on purpose. With kmemleak, a test program skips them unless the run selects one (skips_leak).
sanitizer test/forgotten_drivers.sh:another?one?unregisters  300  result: leaks is [1-9]
sanitizer test/forgotten_drivers.sh:while?a?driver?is?in     300  result: leaks is [1-9]
sanitizer test/device.sh:has?leaked?its?jobs                 300  result: leaks is [1-9]
TABLE
