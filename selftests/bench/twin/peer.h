/* SPDX-License-Identifier: GPL-2.0 */
/* Declarations that the parts of twin_peer share. */
#ifndef TWIN_PEER_H
#define TWIN_PEER_H

#include "link.h"
#include "twin.h"

extern struct twin_peer_link twin_link;
extern twin_handle twin_self;

/*
 * Executes a command. Some commands measure loops. The others allocate or free events or requests:
 * the bench measures how much memory these take.
 */
int twin_run_command(const char *what);

/* unchecked.c */
int loop_twin_queue_put_take_unchecked(void *arg, u64 n);

#endif /* TWIN_PEER_H */
