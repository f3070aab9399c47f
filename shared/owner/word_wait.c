// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for the word of a request. The kernel crate has no abstraction for wait_var_event(),
 * which needs no memory in the request.
 */
#include <linux/sched.h>
#include <linux/wait_bit.h>

#include "word_wait.h"

/*
 * Waits until the masked bits of the word have the value, for at most this many jiffies. Returns
 * whether they have the value. May sleep.
 */
bool d2d_word_wait(u64 *word, u64 mask, u64 value, long jiffies)
{
	/* Pairs with the fully ordered change of the word, before which the result was written. */
	return wait_var_event_timeout(word, (smp_load_acquire(word) & mask) == value, jiffies);
}

/*
 * Wakes the waiting threads. The caller has changed the word by an operation that is a full
 * barrier. Any context.
 */
void d2d_word_wake(u64 *word)
{
	wake_up_var(word);
}
