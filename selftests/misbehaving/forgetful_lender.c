// SPDX-License-Identifier: GPL-2.0
/* Test: forgetful.c as a peer of lender or c_lender, to which it lends a counter of the module */
#define OWNER lender
#define OTHER_PAIR
#include "forgetful.c"

#include "d2d_lent.h"
#include "lending_pair.h"

static struct lending_counter counter;

static const u64 chain[] = LENDING_PEER_CHAIN;

static const struct lending_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct lending_peer_ops, LENDING_MAJOR, LENDING_MINOR, chain),
};

static int fill_in(struct d2d_endpoint *peer)
{
	peer->ops = &ops.hdr;
	return d2d_lend(peer, &counter, sizeof(counter), LENDING_COUNTER_HASH);
}
