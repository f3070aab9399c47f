/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The checks of an offered context, for a C peer. Rust drivers have shared/d2d/driver.rs and
 * shared/d2d/interface.rs.
 *
 * The functions do not trust the owner's pointers. If a function refuses something, it prints the
 * step "refuse" with the name of this module. Any context but NMI; no function sleeps or allocates.
 */
#ifndef D2D_OPS_H
#define D2D_OPS_H

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/module.h>

#include "d2d.h"
#include "d2d_nofault.h"

/**
 * d2d_context_check() - check the header of an offered context, and that all of it can be read
 * @offered: what the owner has offered, which may be a bad pointer
 *
 * Return: 0, or
 * * %-EFAULT - the pointer is NULL or misaligned, or cannot be read
 * * %-EBADMSG, %-EPROTO, %-EMSGSIZE, %-EBADE - the header: magic, major version, size, layout
 */
static inline int d2d_context_check(const struct d2d_context *offered)
{
	const u8 *last = (const u8 *)(offered + 1) - 1;
	struct d2d_header hdr;
	u8 byte;

	if (!offered)
		return d2d_refuse(KBUILD_MODNAME, "no-context", -EFAULT, 0, 1);
	if (!IS_ALIGNED((unsigned long)offered, __alignof__(*offered)) ||
	    d2d_get_nofault(&hdr, &offered->hdr))
		return d2d_refuse(KBUILD_MODNAME, "bad-context-pointer", -EFAULT, 0, 1);
	if (hdr.magic != D2D_CONTEXT_MAGIC)
		return d2d_refuse(KBUILD_MODNAME, "bad-magic", -EBADMSG, hdr.magic,
				  D2D_CONTEXT_MAGIC);
	if (hdr.major != D2D_ABI_MAJOR)
		return d2d_refuse(KBUILD_MODNAME, "bad-major", -EPROTO, hdr.major, D2D_ABI_MAJOR);
	if (hdr.size != sizeof(*offered))
		return d2d_refuse(KBUILD_MODNAME, "bad-size", -EMSGSIZE, hdr.size,
				  sizeof(*offered));
	if (hdr.layout != D2D_LAYOUT)
		return d2d_refuse(KBUILD_MODNAME, "bad-layout", -EBADE, hdr.layout, D2D_LAYOUT);
	/* A context lies on two pages at most: that of hdr, which was read, and that of last. */
	static_assert(sizeof(*offered) <= PAGE_SIZE);
	if (d2d_get_nofault(&byte, last))
		return d2d_refuse(KBUILD_MODNAME, "bad-context-pointer", -EFAULT, 0, 1);
	return 0;
}

/**
 * d2d_ops_copy() - check the operations of the other side, and copy them
 * @to: the caller's table, whose D2D_OPS_INIT() says which interface the caller expects
 * @endpoint: the endpoint of a context that d2d_context_check() has accepted
 * @module: the module of that context
 *
 * If the other side lacks an operation, the operation is NULL in @to: check that before each call.
 *
 * Return: 0, or
 * * %-EFAULT - no table, or a pointer that is misaligned or cannot be read
 * * %-EPROTO - major version
 * * %-EMSGSIZE - size
 * * %-EXDEV - another build
 * * %-EBADR - another pair, or other operations
 * * %-ENOEXEC - an operation outside the module's text
 */
static inline int d2d_ops_copy(struct d2d_ops *to, const struct d2d_endpoint *endpoint,
			       const struct module *module)
{
	const struct d2d_ops *from = endpoint->ops;
	const unsigned long *operations = (const unsigned long *)(from + 1);
	struct module_memory text;
	unsigned long operation;
	struct d2d_ops hdr;
	u32 common, versions, n;
	u64 hash;

	if (!from)
		return d2d_refuse(KBUILD_MODNAME, "no-ops-table", -EFAULT, 0, 1);
	if (d2d_get_nofault(&hdr, from))
		return d2d_refuse(KBUILD_MODNAME, "bad-ops-pointer", -EFAULT, 0, 1);
	if (hdr.major != to->major)
		return d2d_refuse(KBUILD_MODNAME, "bad-ops-major", -EPROTO, hdr.major, to->major);
	if (hdr.size < sizeof(hdr) || (hdr.size - sizeof(hdr)) % sizeof(operation))
		return d2d_refuse(KBUILD_MODNAME, "bad-ops-size", -EMSGSIZE, hdr.size, to->size);
	if (hdr.build != to->build)
		return d2d_refuse(KBUILD_MODNAME, "bad-build", -EXDEV, hdr.build, to->build);

	common = (min(hdr.size, to->size) - sizeof(hdr)) / sizeof(operation);
	versions = min(hdr.minor, to->minor) + 1;
	for (n = 0; n < versions + common; n++) {
		u32 theirs = n < versions ? n : hdr.minor + 1 + n - versions;
		u32 ours = n < versions ? n : to->minor + 1 + n - versions;

		if (d2d_get_nofault(&hash, hdr.chain + theirs))
			return d2d_refuse(KBUILD_MODNAME, "bad-chain-pointer", -EFAULT, theirs, 0);
		if (hash != to->chain[ours])
			return d2d_refuse(KBUILD_MODNAME, "bad-prefix", -EBADR, hash,
					  to->chain[ours]);
	}
	if (!module || !IS_ALIGNED((unsigned long)module, __alignof__(*module)) ||
	    d2d_get_nofault(&text, &module->mem[MOD_TEXT]))
		return d2d_refuse(KBUILD_MODNAME, "bad-module-pointer", -EFAULT, 0, 1);
	for (n = 0; n < common; n++) {
		if (d2d_get_nofault(&operation, operations + n))
			return d2d_refuse(KBUILD_MODNAME, "bad-ops-pointer", -EFAULT, n, 0);
		if (operation && operation - (unsigned long)text.base >= text.size)
			return d2d_refuse(KBUILD_MODNAME, "operation-outside-text", -ENOEXEC, n, 0);
		((unsigned long *)(to + 1))[n] = operation;
	}
	return 0;
}

#endif /* D2D_OPS_H */
