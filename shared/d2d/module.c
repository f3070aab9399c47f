// SPDX-License-Identifier: GPL-2.0
/*
 * The variables that a module has only once, even if it has several roles, and so links the crate
 * d2d once for each role. Only Rust code accesses them.
 */

/* Used by shared/d2d/trace.rs */
unsigned long d2d_reported_by_owner;
/* Used by shared/d2d/device/node.rs */
unsigned long d2d_opening_task;
