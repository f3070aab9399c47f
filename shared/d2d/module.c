// SPDX-License-Identifier: GPL-2.0
/*
 * What a module has once, even if it has several roles and so links the crate d2d several times.
 * Only Rust code accesses the variables.
 */
#include "d2d_device.h"
#include "module.h"

/* Used by shared/d2d/trace.rs */
unsigned long d2d_reported_task;
/* Used by shared/d2d/device/node.rs */
unsigned long d2d_opening_task;

/* As d2d_device_exists(), for shared/d2d/device/node.rs. May sleep. */
bool d2d_device_name_is_taken(const char *name)
{
	return d2d_device_exists(name);
}
