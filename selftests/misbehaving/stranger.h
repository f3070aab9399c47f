/* SPDX-License-Identifier: GPL-2.0 */
/* Test: a module that another one registers as a driver; see stranger.c. */
#ifndef STRANGER_H
#define STRANGER_H

struct d2d_driver;

void d2d_stranger_becomes(struct d2d_driver *driver);

#endif /* STRANGER_H */
