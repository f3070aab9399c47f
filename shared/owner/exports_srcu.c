// SPDX-License-Identifier: GPL-2.0
/* Rust cannot define a static SRCU structure. */
#include <linux/srcu.h>

#include "exports_srcu.h"

/* The threads inside the owner's exported functions. */
DEFINE_SRCU_FAST(d2d_exports_srcu);
