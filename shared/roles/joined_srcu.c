// SPDX-License-Identifier: GPL-2.0
/*
 * The SRCU structure that counts the threads that use what a module has made of its two roles as a
 * peer. Rust cannot define a static one, and accesses it alone.
 */
#include <linux/srcu.h>

DEFINE_SRCU_FAST(d2d_joined_srcu);
