/* SPDX-License-Identifier: GPL-2.0 */
#ifndef STRANGER_H
#define STRANGER_H

#include "d2d.h"

/* Makes a driver object belong to the module stranger. */
void d2d_stranger_fill_driver(struct d2d_driver *driver);

/* Attaches @driver in a work item. @attach is d2d_attach(), which stranger must not import. */
void d2d_stranger_attach_driver(d2d_handle driver, int (*attach)(d2d_handle driver));

#endif /* STRANGER_H */
