// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting until the word of a request has a value. The kernel's wait_var_event() needs no memory in
 * the request. The kernel crate has no abstraction for it.
 */
#include <linux/sched.h>
#include <linux/wait_bit.h>

#include "word_wait.h"

/*
 * Waits until the masked bits of the word have this value, for at most this many jiffies.
 * Returns whether the bits have the value. May sleep.
 */
bool d2d_word_wait(u64 *word, u64 mask, u64 value, long jiffies)
{
	/* Pairs with the fully ordered change of the word, before which the result was written. */
	return wait_var_event_timeout(word, (smp_load_acquire(word) & mask) == value, jiffies);
}

/*
 * Wakes the threads that wait for the word. The caller has changed the word by an operation that is
 * a full barrier. Any context.
 */
void d2d_word_wake(u64 *word)
{
	wake_up_var(word);
}
