// SPDX-License-Identifier: GPL-2.0
/*
 * Copies from and to addresses that another driver has named, for shared/d2d/probe.rs. See
 * d2d_nofault.h, whose functions are inline. Any context but NMI.
 */
#include "d2d_nofault.h"
#include "nofault.h"

/* Reads from an address that may be bad. Returns whether all was read. */
bool d2d_nofault_read(void *to, const void *from, size_t size)
{
	return d2d_is_kernel_range((unsigned long)from, size) &&
	       d2d_copy_from_range(to, from, size);
}

/* Writes to an address that may be bad. Returns whether all was written. */
bool d2d_nofault_write(void *to, const void *from, size_t size)
{
	return d2d_is_kernel_range((unsigned long)to, size) &&
	       d2d_copy_to_range(to, from, size);
}

/* Whether a byte can be written: reads it, and writes back what was there. */
static bool is_writable(void *at)
{
	u8 byte;

	return d2d_copy_from_range(&byte, at, 1) && d2d_copy_to_range(at, &byte, 1);
}

/*
 * Returns whether an object of this size can be written. The size is not 0, and at most a page.
 * Reads the first byte and writes it back. If the last byte is on another page, does the same with
 * the last byte.
 */
bool d2d_nofault_is_writable(void *at, size_t size)
{
	void *last = at + size - 1;

	return d2d_is_kernel_range((unsigned long)at, size) && is_writable(at) &&
	       ((((unsigned long)at ^ (unsigned long)last) & PAGE_MASK) == 0 || is_writable(last));
}
