// SPDX-License-Identifier: GPL-2.0
/*
 * In a module that is a peer of two owners, the SRCU structure that counts the threads inside
 * Joined::with() (two_peers.rs). Only Rust code accesses the structure, but Rust cannot define a
 * static one.
 */
#include <linux/srcu.h>

DEFINE_SRCU_FAST(d2d_joined_srcu);
