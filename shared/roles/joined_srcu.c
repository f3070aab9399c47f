// SPDX-License-Identifier: GPL-2.0
/*
 * The SRCU structure that counts the threads that use the value of a module that is a peer of two
 * owners (two_peers.rs). Only Rust accesses this structure, but cannot define a static one.
 */
#include <linux/srcu.h>

DEFINE_SRCU_FAST(d2d_joined_srcu);
