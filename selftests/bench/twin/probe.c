// SPDX-License-Identifier: GPL-2.0
/*
 * Checks what the other side passes. A bad pointer makes a check fail, and does not crash the
 * kernel.
 */
#include <linux/ctype.h>
#include <linux/uaccess.h>

#include "owner.h"

int twin_probe(void *to, const void *from, size_t size)
{
	if (!from || !IS_ALIGNED((unsigned long)from, sizeof(u64)))
		return -EFAULT;
	return copy_from_kernel_nofault(to, from, size);
}

int twin_probe_string(char *to, const char *from, size_t size)
{
	size_t n;

	for (n = 0; n < size; n++) {
		if (!from || copy_from_kernel_nofault(to + n, from + n, 1))
			return -EFAULT;
		if (!to[n])
			return 0;
	}
	return -ENAMETOOLONG;
}

int twin_check_header(const char *driver, const char *what, const struct twin_header *hdr,
		      const struct twin_header *expected)
{
	if (hdr->magic != expected->magic)
		return twin_refuse(driver, "bad-magic", -EBADMSG, "what=%s got=0x%x expected=0x%x",
				   what, hdr->magic, expected->magic);
	if (hdr->major != expected->major)
		return twin_refuse(driver, "bad-major", -EPROTO, "what=%s got=0x%x expected=0x%x",
				   what, hdr->major, expected->major);
	if (hdr->size != expected->size)
		return twin_refuse(driver, "bad-size", -EMSGSIZE, "what=%s got=0x%x expected=0x%x",
				   what, hdr->size, expected->size);
	if (hdr->layout != expected->layout)
		return twin_refuse(driver, "bad-layout", -EBADE, "what=%s got=0x%x expected=0x%x",
				   what, hdr->layout, expected->layout);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(twin_check_header, "TWIN");

/* Reads the address and the size of a module's text, without its init text. */
static int read_text(struct module_memory *text, const struct module *module)
{
	return module ? twin_probe(text, &module->mem[MOD_TEXT], sizeof(*text)) : -EFAULT;
}

static bool in_text(const struct module_memory *text, const void *function)
{
	return (unsigned long)function - (unsigned long)text->base < text->size;
}

static int refuse_ops(const char *driver, const char *reason, int err, const char *interface,
		      u64 got, u64 expected)
{
	return twin_refuse(driver, reason, err, "interface=%s got=0x%llx expected=0x%llx",
			   interface, got, expected);
}

/*
 * Copies the operations that both tables have. Checks the copies, because the other side cannot
 * change them.
 */
int twin_copy_ops(const char *driver, const char *interface, const struct twin_endpoint *from,
		  const struct module *module, const struct twin_ops *ours, void *table)
{
	const void *const *operations = (const void *)(from->ops + 1);
	const void **copies = table + sizeof(*ours);
	struct module_memory text;
	struct twin_ops ops;
	u32 count, i;
	u64 hash;

	if (!from->ops)
		return refuse_ops(driver, "no-ops-table", -EFAULT, interface, 0, 1);
	if (twin_probe(&ops, from->ops, sizeof(ops)))
		return refuse_ops(driver, "bad-ops-pointer", -EFAULT, interface, 0, 1);
	if (ops.major != ours->major)
		return refuse_ops(driver, "bad-ops-major", -EPROTO, interface, ops.major,
				  ours->major);
	if (ops.size < sizeof(ops) || (ops.size - sizeof(ops)) % sizeof(void *))
		return refuse_ops(driver, "bad-ops-size", -EMSGSIZE, interface, ops.size,
				  ours->size);
	if (ops.build != ours->build)
		return refuse_ops(driver, "bad-build", -EXDEV, interface, ops.build, ours->build);
	count = (min(ops.size, ours->size) - sizeof(ops)) / sizeof(void *);
	for (i = 0; i <= count; i++) {
		if (twin_probe(&hash, ops.chain + i, sizeof(hash)))
			return refuse_ops(driver, "bad-chain-pointer", -EFAULT, interface, i, 0);
		if (hash != ours->chain[i])
			return refuse_ops(driver, "bad-prefix", -EBADR, interface, hash,
					  ours->chain[i]);
	}
	if (read_text(&text, module))
		return refuse_ops(driver, "bad-module-pointer", -EFAULT, interface, 0, 1);
	memset(table, 0, ours->size);
	for (i = 0; i < count; i++) {
		if (twin_probe(&copies[i], &operations[i], sizeof(void *)))
			return refuse_ops(driver, "bad-ops-pointer", -EFAULT, interface, i, 0);
		if (copies[i] && !in_text(&text, copies[i]))
			return refuse_ops(driver, "operation-outside-text", -ENOEXEC, interface, i,
					  0);
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(twin_copy_ops, "TWIN");

static bool is_printable(const char *name)
{
	if (!*name)
		return false;
	for (; *name; name++) {
		if (!isascii(*name) || !isgraph(*name))
			return false;
	}
	return true;
}

int twin_check_driver(const struct twin_driver *from, struct twin_driver *object)
{
	static const struct twin_header expected =
		TWIN_HEADER(struct twin_driver, TWIN_DRIVER_MAGIC);
	struct module_memory text;
	int err;

	if (twin_probe(&object->hdr, from, sizeof(object->hdr)))
		return twin_refuse(TWIN_OWNER, "bad-driver-pointer", -EFAULT, "at=%p", from);
	err = twin_check_header(TWIN_OWNER, "driver", &object->hdr, &expected);
	if (err)
		return err;
	if (twin_probe(object, from, sizeof(*object)))
		return twin_refuse(TWIN_OWNER, "bad-driver-pointer", -EFAULT, "at=%p", from);
	if (strnlen(object->name, TWIN_NAME_SIZE) == TWIN_NAME_SIZE)
		return twin_refuse(TWIN_OWNER, "name-too-long", -ENAMETOOLONG, "max=%d",
				   TWIN_NAME_SIZE - 1);
	if (!is_printable(object->name))
		return twin_refuse(TWIN_OWNER, "bad-name", -EINVAL, "length=%zu",
				   strlen(object->name));
	if (!object->dispatch || !object->owner)
		return twin_refuse(TWIN_OWNER, "no-dispatch-or-owner", -EFAULT, "name=%s",
				   object->name);
	if (read_text(&text, object->owner))
		return twin_refuse(TWIN_OWNER, "bad-module-pointer", -EFAULT, "name=%s",
				   object->name);
	if (!in_text(&text, object->dispatch))
		return twin_refuse(TWIN_OWNER, "dispatch-outside-text", -ENOEXEC, "name=%s",
				   object->name);
	if ((object->completed && !in_text(&text, object->completed)) ||
	    (object->cancelled && !in_text(&text, object->cancelled)))
		return twin_refuse(TWIN_OWNER, "routine-outside-text", -ENOEXEC, "name=%s",
				   object->name);
	if (object->flags & ~TWIN_DISPATCH_ATOMIC || object->reserved)
		return twin_refuse(TWIN_OWNER, "bad-flags", -EINVAL, "flags=0x%x", object->flags);
	return 0;
}
