/* SPDX-License-Identifier: GPL-2.0 */
#ifndef STRANGER_H
#define STRANGER_H

#include "d2d.h"

/**
 * d2d_stranger_becomes() - Make a driver object that of the module stranger
 * @driver: the object; gets the module's name, address and dispatch routine
 */
void d2d_stranger_becomes(struct d2d_driver *driver);

/**
 * d2d_stranger_attaches() - Have a work item of the module stranger attach a driver
 * @driver: the driver's handle
 * @by: d2d_attach(); called by its address, so that the kernel may unload the owner meanwhile
 */
void d2d_stranger_attaches(d2d_handle driver, int (*by)(d2d_handle driver));

#endif /* STRANGER_H */
