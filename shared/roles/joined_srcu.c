// SPDX-License-Identifier: GPL-2.0
/*
 * The SRCU structure of the threads inside Joined::with() (two_peers.rs). Rust cannot define it.
 */
#include <linux/srcu.h>

DEFINE_SRCU_FAST(d2d_joined_srcu);
