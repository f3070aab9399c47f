// SPDX-License-Identifier: GPL-2.0
/*
 * What a module has once: one in two roles links the crate d2d twice. The words are accessed from
 * Rust only.
 */

/* Of shared/d2d/trace.rs */
unsigned long d2d_told_by_owner;
/* Of shared/d2d/device/node.rs */
unsigned long d2d_opener;
