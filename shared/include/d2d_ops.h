/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: what a C peer does with the context that it is offered. Rust drivers have
 * shared/d2d/offer.rs and shared/d2d/interface.rs.
 *
 * All pointers of the owner are followed without trust. Any context but NMI; nothing here sleeps
 * or allocates.
 */
#ifndef D2D_OPS_H
#define D2D_OPS_H

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "d2d.h"

/*
 * Checks the header of an offered context. -EFAULT no context, or it is misaligned or cannot be
 * read, -EBADMSG magic, -EPROTO major version, -EMSGSIZE size, -EBADE layout.
 */
static inline int d2d_context_check(const struct d2d_context *offered)
{
	struct d2d_header hdr;

	if (!offered || !IS_ALIGNED((unsigned long)offered, __alignof__(*offered)) ||
	    copy_from_kernel_nofault(&hdr, &offered->hdr, sizeof(hdr)))
		return -EFAULT;
	if (hdr.magic != D2D_CONTEXT_MAGIC)
		return -EBADMSG;
	if (hdr.major != D2D_ABI_MAJOR)
		return -EPROTO;
	if (hdr.size != sizeof(*offered))
		return -EMSGSIZE;
	return hdr.layout == D2D_LAYOUT ? 0 : -EBADE;
}

/*
 * Copies the operations of the other side to a table of the caller's own, which D2D_OPS_INIT()
 * has initialized with what the caller expects. An operation that the other side does not have
 * stays NULL: look before calling it.
 *
 * endpoint and module are those of a context, which d2d_context_check() has found to be right.
 * -EFAULT no table, or a pointer that is misaligned or cannot be read, -EPROTO major version,
 * -EMSGSIZE size, -EXDEV another build, -EBADR other operations, -ENOEXEC an operation outside
 * the module's text.
 */
static inline int d2d_ops_copy(struct d2d_ops *to, const struct d2d_endpoint *endpoint,
			       const struct module *module)
{
	const struct d2d_ops *from = endpoint->ops;
	struct module_memory text;
	unsigned long operation;
	struct d2d_ops hdr;
	u32 common, n;
	u64 hash;

	if (!from || !IS_ALIGNED((unsigned long)from, __alignof__(*from)) ||
	    copy_from_kernel_nofault(&hdr, from, sizeof(hdr)))
		return -EFAULT;
	if (hdr.major != to->major)
		return -EPROTO;
	if (hdr.size < sizeof(hdr) || (hdr.size - sizeof(hdr)) % sizeof(operation))
		return -EMSGSIZE;
	if (hdr.build != to->build)
		return -EXDEV;

	common = (min(hdr.size, to->size) - sizeof(hdr)) / sizeof(operation);
	/* The hash of the interface, and one for each operation */
	for (n = 0; n <= common; n++) {
		if (copy_from_kernel_nofault(&hash, hdr.chain + n, sizeof(hash)))
			return -EFAULT;
		if (hash != to->chain[n])
			return -EBADR;
	}
	if (!module || copy_from_kernel_nofault(&text, &module->mem[MOD_TEXT], sizeof(text)))
		return -EFAULT;
	for (n = 0; n < common; n++) {
		if (copy_from_kernel_nofault(&operation, (unsigned long *)(from + 1) + n,
					     sizeof(operation)))
			return -EFAULT;
		if (operation && operation - (unsigned long)text.base >= text.size)
			return -ENOEXEC;
		((unsigned long *)(to + 1))[n] = operation;
	}
	return 0;
}

#endif /* D2D_OPS_H */
