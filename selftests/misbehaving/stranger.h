/* SPDX-License-Identifier: GPL-2.0 */
#ifndef STRANGER_H
#define STRANGER_H

struct d2d_driver;

/**
 * d2d_stranger_becomes() - Make a driver object that of the module stranger
 * @driver: the object; gets the module's name, address and dispatch routine
 */
void d2d_stranger_becomes(struct d2d_driver *driver);

#endif /* STRANGER_H */
