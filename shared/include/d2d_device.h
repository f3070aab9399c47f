/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: the device by which user space uses a C driver. Rust drivers have
 * shared/d2d/device.rs.
 */
#ifndef D2D_DEVICE_H
#define D2D_DEVICE_H

#include <linux/errno.h>
#include <linux/miscdevice.h>

#include "d2d_step.h"

/**
 * d2d_device_register() - register a miscellaneous device, and print a refusal if that fails
 * @driver: the driver's name, which the refusal shows
 * @device: the device
 *
 * Nothing may fail in the initialization of a module after this: the kernel would free the module
 * although a process may have the device open.
 *
 * Context: Process context. May sleep.
 * Return: 0, or the errno of misc_register(): -EBUSY if there is no number left, -EEXIST if there
 * is a device of this name, or -ENOMEM.
 */
static inline int d2d_device_register(const char *driver, struct miscdevice *device)
{
	int err = misc_register(device);
	const char *reason = err == -ENOMEM ? "out-of-memory" : "device-not-registered";

	if (err)
		d2d_trace(D2D_RECORD(driver, REFUSE, 0, D2D_TEXT(REASON, reason),
				     D2D_NUMBER(ERRNO, err), D2D_TEXT(NAME, device->name)));
	return err;
}

#endif
