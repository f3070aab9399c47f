// SPDX-License-Identifier: GPL-2.0
/*
 * The SRCU structure of a module that is a peer of two owners. It counts the threads inside
 * Joined::with() (two_peers.rs). Only Rust code accesses the structure, but Rust cannot define a
 * static one.
 */
#include <linux/srcu.h>

DEFINE_SRCU_FAST(d2d_joined_srcu);
