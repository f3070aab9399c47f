// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for the word of a request, which the kernel crate has no means for.
 * The kernel's wait queues for variables cost a request no memory.
 */
#include <linux/sched.h>
#include <linux/wait_bit.h>

#include "word_wait.h"

/*
 * Waits until the masked word has this value, for at most so many jiffies. Returns
 * whether it has. May sleep.
 */
bool d2d_word_wait(u64 *word, u64 mask, u64 value, long jiffies)
{
	/* Pairs with the change of the word, a full barrier, by which the result is published. */
	return wait_var_event_timeout(word, (smp_load_acquire(word) & mask) == value, jiffies);
}

/* Wakes those that wait for it. The word was changed by a full barrier before. Any context. */
void d2d_word_wake(u64 *word)
{
	wake_up_var(word);
}
