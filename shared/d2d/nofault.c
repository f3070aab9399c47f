// SPDX-License-Identifier: GPL-2.0
/*
 * Copies from and to addresses that may be bad, for shared/d2d/probe.rs, which cannot call the
 * inline functions of d2d_nofault.h. Any context but NMI.
 */
#include "d2d_nofault.h"
#include "nofault.h"

bool d2d_nofault_read(void *to, const void *from, size_t size)
{
	return d2d_is_kernel_range((unsigned long)from, size) &&
	       d2d_copy_from_range(to, from, size);
}

bool d2d_nofault_write(void *to, const void *from, size_t size)
{
	return d2d_is_kernel_range((unsigned long)to, size) &&
	       d2d_copy_to_range(to, from, size);
}

/* Finds out by reading the byte and writing it back. */
static bool is_writable(void *at)
{
	u8 byte;

	return d2d_copy_from_range(&byte, at, 1) && d2d_copy_to_range(at, &byte, 1);
}

/*
 * The object has 1 to PAGE_SIZE bytes, so it lies on at most two pages: those of its first and
 * last byte.
 */
bool d2d_nofault_is_writable(void *at, size_t size)
{
	void *last = at + size - 1;

	return d2d_is_kernel_range((unsigned long)at, size) && is_writable(at) &&
	       ((((unsigned long)at ^ (unsigned long)last) & PAGE_MASK) == 0 || is_writable(last));
}
