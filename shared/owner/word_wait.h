/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_WORD_WAIT_H
#define D2D_WORD_WAIT_H

#include <linux/types.h>

bool d2d_word_wait(u64 *word, u64 mask, u64 value, long jiffies);
void d2d_word_wake(u64 *word);

#endif /* D2D_WORD_WAIT_H */
