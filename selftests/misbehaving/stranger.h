/* SPDX-License-Identifier: GPL-2.0 */
#ifndef STRANGER_H
#define STRANGER_H

#include "d2d.h"

/**
 * d2d_stranger_fill_driver() - Make a driver object belong to the module stranger
 * @driver: the object; gets the name and the address of the module stranger, and the module's
 *          dispatch routine, but no other routine
 */
void d2d_stranger_fill_driver(struct d2d_driver *driver);

/**
 * d2d_stranger_attach_driver() - Have a work item of the module stranger attach a driver
 * @driver: the driver's handle
 * @attach: d2d_attach(); passed by its address, so that the module stranger does not import it
 */
void d2d_stranger_attach_driver(d2d_handle driver, int (*attach)(d2d_handle driver));

#endif /* STRANGER_H */
