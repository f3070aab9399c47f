/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The device by which user space uses a C driver. Rust drivers have shared/d2d/device.rs.
 */
#ifndef D2D_DEVICE_H
#define D2D_DEVICE_H

#include <linux/errno.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/miscdevice.h>

#include "d2d_step.h"

/**
 * d2d_device_exists() - find out from sysfs whether a device of this name exists
 * @name: the name
 *
 * Looks in the classes whose devices have a file of their own name in /dev.
 *
 * Context: Process context. May sleep.
 * Return: whether it exists.
 */
static inline bool d2d_device_exists(const char *name)
{
	static const char * const classes[] = { "misc", "mem", "tty", "vc", "block" };
	/* The root of sysfs, the parent of /sys/kernel: neither is ever removed. */
	struct kernfs_node *root = rcu_dereference_protected(kernel_kobj->sd->__parent, true);
	struct kernfs_node *all = kernfs_find_and_get(root, "class");
	bool exists = false;

	for (size_t i = 0; i < ARRAY_SIZE(classes) && all && !exists; i++) {
		struct kernfs_node *class = kernfs_find_and_get(all, classes[i]);
		struct kernfs_node *device = class ? kernfs_find_and_get(class, name) : NULL;

		exists = device;
		kernfs_put(device);
		kernfs_put(class);
	}
	kernfs_put(all);
	return exists;
}

/**
 * d2d_device_register() - register a miscellaneous device, and print a refusal if that fails
 * @driver: the driver's name, which the refusal shows
 * @device: the device
 *
 * After this, nothing may fail in the initialization of the module: the kernel would free the
 * module although a process may have the device open.
 *
 * misc_register() prints a stack trace if a device of this name exists, so this function looks for
 * such a device first.
 *
 * Context: Process context. May sleep.
 * Return: 0, -EBUSY if there is a device of this name or no number is left, or -ENOMEM. Never
 * -EEXIST: init_module() returns this for a module that is loaded already.
 */
static inline int d2d_device_register(const char *driver, struct miscdevice *device)
{
	int err = d2d_device_exists(device->name) ? -EEXIST : misc_register(device);
	const char *reason = err == -ENOMEM ? "out-of-memory" : "device-not-registered";

	if (err == -EEXIST) {
		err = -EBUSY;
		reason = "device-exists";
	}
	if (err)
		d2d_trace(D2D_RECORD(driver, REFUSE, 0, D2D_TEXT(REASON, reason),
				     D2D_NUMBER(ERRNO, err), D2D_TEXT(NAME, device->name)));
	return err;
}

#endif
