/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_D2D_NOFAULT_H
#define D2D_D2D_NOFAULT_H

#include <linux/types.h>

bool d2d_nofault_read(void *to, const void *from, size_t size);
bool d2d_nofault_write(void *to, const void *from, size_t size);
bool d2d_nofault_is_writable(void *at, size_t size);

#endif /* D2D_D2D_NOFAULT_H */
