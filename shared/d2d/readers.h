/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_READERS_H
#define D2D_READERS_H

#include <linux/srcu.h>
#include <linux/types.h>

int d2d_readers_init(struct srcu_struct *srcu, const char *name, struct lock_class_key *key);
struct srcu_ctr __percpu *d2d_readers_enter(struct srcu_struct *srcu, bool tell_lockdep);
void d2d_readers_leave(struct srcu_struct *srcu, struct srcu_ctr __percpu *counters,
		       bool tell_lockdep);
void d2d_readers_count(struct srcu_struct *srcu, u64 *entered, u64 *inside);
void d2d_readers_wait(struct srcu_struct *srcu, void (*end_waits)(void *), void *data);

#endif /* D2D_READERS_H */
