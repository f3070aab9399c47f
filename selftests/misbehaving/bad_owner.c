// SPDX-License-Identifier: GPL-2.0
/*
 * Test: an owner that is loaded instead of module_a. In the handshake, it sends the peer a request
 * or a context with one fault, which the parameter "fault" names. The peer must refuse it.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "d2d_event.h"
#include "d2d_pair.h"
#include "d2d_table.h"

static char *fault = "none";
module_param(fault, charp, 0);
MODULE_PARM_DESC(fault, "What is wrong with the request or the context");

static u64 chain[] = D2D_PAIR_OWNER_CHAIN;

static struct d2d_pair_owner_ops ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_owner_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, chain),
};

/* The context, followed by its blocks of data */
static union {
	struct d2d_context context;
	u8 bytes[sizeof(struct d2d_context) + sizeof(struct d2d_pair_owner_data) +
		 sizeof(struct d2d_pair_peer_data) + sizeof(struct d2d_pair_shared_data)];
} block = {
	.context = {
		.hdr = D2D_HEADER_INIT(D2D_CONTEXT_MAGIC, struct d2d_context),
		.module = THIS_MODULE,
		.owner.ops = &ops.hdr,
		.data = {
			.owner_size = sizeof(struct d2d_pair_owner_data),
			.peer_size = sizeof(struct d2d_pair_peer_data),
			.shared_size = sizeof(struct d2d_pair_shared_data),
		},
	},
};

static struct d2d_context *const context = &block.context;

static struct d2d_request request = {
	.hdr = D2D_HEADER_INIT(D2D_REQUEST_MAGIC, struct d2d_request),
	.handle = 1,
	.major_function = D2D_MJ_INTERNAL_DEVICE_CONTROL,
	.code = D2D_IOCTL_SHARE_CONTEXT,
	.user_buffer = &block,
};

static struct d2d_driver peer;
static int status;
static void *page;

static bool fault_is(const char *name)
{
	return !strcmp(fault, name);
}

/* Returns a copy of the first @mapped bytes of @object. The memory behind it is not mapped. */
static void *cut_off(const void *object, size_t mapped)
{
	return memcpy(page + PAGE_SIZE - mapped, object, mapped);
}

int d2d_register(const struct d2d_driver *driver, d2d_handle *handle)
{
	peer = *driver;
	*handle = 1;
	return 0;
}

int d2d_attach(d2d_handle driver)
{
	int returned;

	if (fault_is("bad-request"))
		request.hdr.magic = 0;
	if (fault_is("unknown-code"))
		request.code = D2D_CTL_CODE(0xfff, D2D_METHOD_BUFFERED);
	if (fault_is("no-context"))
		request.user_buffer = NULL;
	if (fault_is("bad-context-pointer"))
		request.user_buffer = (char *)context + 1;
	if (fault_is("unreadable-context"))
		request.user_buffer = (void *)PAGE_SIZE;
	if (fault_is("unmapped-context"))
		request.user_buffer = page + PAGE_SIZE;
	if (fault_is("half-context"))
		/* Keep the copy aligned: peers check the alignment before they read. */
		request.user_buffer = cut_off(context, ALIGN(sizeof(context->hdr),
							     __alignof__(*context)));
	if (fault_is("half-data"))
		request.user_buffer = cut_off(context, sizeof(*context));
	if (fault_is("bad-data-size"))
		context->data.shared_size -= 8;
	if (fault_is("too-much-data"))
		context->data.shared_size = D2D_DATA_SIZE + 1;
	if (fault_is("bad-magic"))
		context->hdr.magic = D2D_DRIVER_MAGIC;
	if (fault_is("bad-size"))
		context->hdr.size += 8;
	if (fault_is("bad-major"))
		context->hdr.major++;
	if (fault_is("bad-layout"))
		context->hdr.layout ^= 1;
	if (fault_is("no-ops-table"))
		context->owner.ops = NULL;
	if (fault_is("bad-ops-pointer"))
		context->owner.ops = (void *)((char *)&ops + 1);
	if (fault_is("unmapped-ops"))
		context->owner.ops = page + PAGE_SIZE;
	if (fault_is("half-ops"))
		context->owner.ops = cut_off(&ops, sizeof(ops.hdr));
	if (fault_is("bad-ops-major"))
		ops.hdr.major++;
	if (fault_is("bad-ops-size"))
		ops.hdr.size = 0;
	if (fault_is("bad-build"))
		ops.hdr.build = 1;
	if (fault_is("bad-prefix"))
		chain[D2D_PAIR_MINOR + 1] ^= 1;
	if (fault_is("no-chain"))
		ops.hdr.chain = NULL;
	if (fault_is("misaligned-chain"))
		ops.hdr.chain = (void *)((char *)chain + 1);
	if (fault_is("unmapped-chain"))
		ops.hdr.chain = page + PAGE_SIZE;
	if (fault_is("half-chain"))
		ops.hdr.chain = cut_off(chain, sizeof(*chain));
	if (fault_is("bad-module-pointer"))
		context->module = NULL;
	if (fault_is("misaligned-module"))
		context->module = (void *)((char *)THIS_MODULE + 1);
	if (fault_is("unmapped-module"))
		context->module = page + PAGE_SIZE;
	if (fault_is("operation-outside-text"))
		ops.ping = (void *)context;
	status = 0;
	returned = peer.dispatch(peer.self, &request);
	return status ?: returned;
}

int d2d_detach(d2d_handle driver)
{
	return 0;
}

int d2d_leave(d2d_handle driver)
{
	return 0;
}

int d2d_unregister(d2d_handle driver)
{
	return 0;
}

int d2d_complete(d2d_handle handle, int result, u64 information)
{
	status = result;
	return 0;
}

int d2d_complete_with(d2d_handle handle, int result, u64 information, u32 output_len)
{
	return d2d_complete(handle, result, information);
}

/* The table also needs the following functions. */
int d2d_lookup(const char *name, d2d_handle *driver)
{
	*driver = 1;
	return 0;
}

int d2d_request_alloc(d2d_handle driver, u32 input_size, u32 output_size, d2d_handle *request)
{
	return -EOPNOTSUPP;
}

int d2d_request_send(d2d_handle request, const struct d2d_send *send)
{
	return -EOPNOTSUPP;
}

int d2d_request_wait(d2d_handle request, u32 ms, struct d2d_result *result)
{
	return -EOPNOTSUPP;
}

int d2d_request_cancel(d2d_handle request)
{
	return -EOPNOTSUPP;
}

int d2d_request_free(d2d_handle request)
{
	return -EOPNOTSUPP;
}

int d2d_request_read(d2d_handle request, void *buffer, u32 len)
{
	return -EOPNOTSUPP;
}

int d2d_request_write(d2d_handle request, const void *buffer, u32 len)
{
	return -EOPNOTSUPP;
}

int d2d_request_set_cancel(d2d_handle request)
{
	return -EOPNOTSUPP;
}

int d2d_request_call(d2d_handle request, const struct d2d_send *send, u32 ms,
		     struct d2d_result *result, void *output, u32 output_len)
{
	return -EOPNOTSUPP;
}

int d2d_request_pend(d2d_handle request)
{
	return -EOPNOTSUPP;
}

int d2d_request_forward(d2d_handle request, const struct d2d_send *send)
{
	return -EOPNOTSUPP;
}

/* Prints a line, in which refusals.sh looks for the reason of a refusal. */
void d2d_trace(const struct d2d_record *record)
{
	const struct d2d_field *reason = &record->fields[0];
	bool refuse = record->step == D2D_STEP_REFUSE;

	pr_info("%s: bad_owner: step=%s reason=%.*s errno=%lld\n", record->driver,
		refuse ? "refuse" : "other", refuse ? (int)reason->length : 0,
		(const char *)(unsigned long)reason->value, refuse ? reason[1].value : 0);
}

int d2d_event_create(d2d_handle driver, const char *name, u32 kind, u32 initial,
		     d2d_handle *event)
{
	return -ENODEV;
}

int d2d_event_open(d2d_handle driver, const char *name, u32 kind, d2d_handle *event)
{
	return -ENODEV;
}

int d2d_event_close(d2d_handle event)
{
	return -ENODEV;
}

int d2d_event_set(d2d_handle event)
{
	return -ENODEV;
}

int d2d_event_reset(d2d_handle event)
{
	return -ENODEV;
}

int d2d_event_query(d2d_handle event)
{
	return -ENODEV;
}

void d2d_event_ring(d2d_handle event)
{
}

int d2d_event_wait(const d2d_handle *events, u32 count, u32 flags, u32 timeout, u32 *index)
{
	return -ENODEV;
}

int d2d_event_on_set(d2d_handle event, d2d_event_routine routine, void *argument)
{
	return -ENODEV;
}

/* Under this name, the peers of module_a import the table. */
D2D_EXPORT_TABLE(module_a);

static int __init bad_owner_init(void)
{
	/* vzalloc() leaves an unmapped guard page after this page. */
	page = vzalloc(PAGE_SIZE);
	if (!page)
		return -ENOMEM;
	spin_lock_init(&context->data.lock);
	return 0;
}
module_init(bad_owner_init);

static void __exit bad_owner_exit(void)
{
	vfree(page);
}
module_exit(bad_owner_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: an owner that offers a faulty context");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
