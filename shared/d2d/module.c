// SPDX-License-Identifier: GPL-2.0
/*
 * What a module has once: one in two roles links the crate d2d twice. The words are accessed from
 * Rust only.
 */

/* Used by shared/d2d/trace.rs */
unsigned long d2d_reported_by_owner;
/* Used by shared/d2d/device/node.rs */
unsigned long d2d_opening_task;
