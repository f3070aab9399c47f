// SPDX-License-Identifier: GPL-2.0
/*
 * A module has these variables once, even if the module has several roles and links the crate d2d
 * once for each role. Only Rust code accesses the variables.
 */

/* Used by shared/d2d/trace.rs */
unsigned long d2d_reported_by_owner;
/* Used by shared/d2d/device/node.rs */
unsigned long d2d_opening_task;
