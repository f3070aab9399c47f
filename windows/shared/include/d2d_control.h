/* SPDX-License-Identifier: GPL-2.0 */
/* What user mode can ask of a driver of the pair. Drivers and programs include this file. */
#ifndef D2D_CONTROL_H
#define D2D_CONTROL_H

/*
 * Calls the other driver and exchanges items with it. Input is a ULONG, the number of
 * rounds, 1 to 1000.
 */
#define IOCTL_D2D_EXERCISE \
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x810, METHOD_BUFFERED, FILE_WRITE_DATA)

#endif /* D2D_CONTROL_H */
