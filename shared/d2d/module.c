// SPDX-License-Identifier: GPL-2.0
/*
 * A module has each of these variables once. If the module has several roles, it links the crate
 * d2d once for each role, and all these copies use the same variables. Only Rust code accesses the
 * variables.
 */

/* Used by shared/d2d/trace.rs */
unsigned long d2d_reported_by_owner;
/* Used by shared/d2d/device/node.rs */
unsigned long d2d_opening_task;
