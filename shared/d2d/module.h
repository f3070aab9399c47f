/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_MODULE_H
#define D2D_MODULE_H

#include <linux/types.h>

bool d2d_device_name_is_taken(const char *name);

#endif /* D2D_MODULE_H */
