/* SPDX-License-Identifier: GPL-2.0 */
#ifndef STRANGER_H
#define STRANGER_H

#include "d2d.h"

/**
 * d2d_stranger_fill_driver() - Make a driver object belong to the module stranger
 * @driver: the driver object. The function sets the object's module and name to stranger, the
 *          dispatch routine to one of stranger, and the other routines to NULL
 */
void d2d_stranger_fill_driver(struct d2d_driver *driver);

/**
 * d2d_stranger_attach_driver() - Have a work item of the module stranger attach a driver
 * @driver: the driver's handle
 * @attach: the address of d2d_attach(), which the module stranger must not import
 */
void d2d_stranger_attach_driver(d2d_handle driver, int (*attach)(d2d_handle driver));

#endif /* STRANGER_H */
