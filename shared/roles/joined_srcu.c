// SPDX-License-Identifier: GPL-2.0
/*
 * The threads inside Joined::with() (two_peers.rs). Rust cannot define a static SRCU structure.
 */
#include <linux/srcu.h>

DEFINE_SRCU_FAST(d2d_joined_srcu);
