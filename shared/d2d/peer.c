// SPDX-License-Identifier: GPL-2.0
/*
 * The functions by which a peer in Rust calls its owner, and the static keys of its hot steps.
 * An owner does not link this file: it defines functions of the same names itself. Nor does a peer
 * in C, for which D2D_OWNER() defines them.
 */
#include "d2d_table.h"

/* Defined by module_peer!. */
extern const struct d2d_table *const d2d_the_owner;

D2D_PEER_FUNCTIONS
D2D_DEFINE_HOT_KEYS;
