// SPDX-License-Identifier: GPL-2.0
/*
 * Test: passes handles of the wrong kind to each function that takes a handle. The function must
 * fail with -ESTALE, and must not change what the handle names. Otherwise the init fails with
 * -ENOTRECOVERABLE. The test runs during the handshake, because item handles need a context.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>

#include "d2d_pair.h"
#include "d2d_queue.h"
#include "d2d_request.h"
#include "d2d_table.h"

/* A request's sender has the handle SENT, its holder the handle HELD. */
enum kind { NOTHING, DRIVER, TARGET, EVENT, SENT, HELD, ITEM, KINDS };

static const char * const kinds[] = {
	"nothing", "driver", "target", "event", "sent", "held", "item",
};

/* A valid handle of each kind; 0 for NOTHING. The request of live[SENT] is pending. */
static d2d_handle live[KINDS];
/* The handle of a request that is never sent */
static d2d_handle idle;
static struct d2d_context *context;

static int alloc(d2d_handle handle)
{
	d2d_handle request;

	return d2d_request_alloc(handle, 0, 0, &request);
}

static int send(d2d_handle handle)
{
	struct d2d_send send = d2d_send_to(live[TARGET], D2D_PAIR_IOCTL_PEND);

	return d2d_request_send(handle, &send);
}

static int send_to(d2d_handle handle)
{
	struct d2d_send send = d2d_send_to(handle, D2D_PAIR_IOCTL_PEND);

	return d2d_request_send(idle, &send);
}

static int wait(d2d_handle handle)
{
	struct d2d_result result;

	return d2d_request_wait(handle, 1, &result);
}

static int call(d2d_handle handle)
{
	struct d2d_send send = d2d_send_to(live[TARGET], D2D_PAIR_IOCTL_PEND);
	struct d2d_result result;

	return d2d_request_call(handle, &send, 0, &result, NULL, 0);
}

static int read(d2d_handle handle)
{
	u8 byte;

	return d2d_request_read(handle, &byte, 0);
}

static int write(d2d_handle handle)
{
	u8 byte = 0;

	return d2d_request_write(handle, &byte, 0);
}

static int forward(d2d_handle handle)
{
	struct d2d_send send = d2d_send_to(live[TARGET], D2D_PAIR_IOCTL_PEND);

	return d2d_request_forward(handle, &send);
}

static int forward_to(d2d_handle handle)
{
	struct d2d_send send = d2d_send_to(handle, D2D_PAIR_IOCTL_PEND);

	return d2d_request_forward(live[HELD], &send);
}

static int complete_it(d2d_handle handle)
{
	return d2d_complete(handle, 0, 0);
}

static int complete_it_with(d2d_handle handle)
{
	return d2d_complete_with(handle, 0, 0, 0);
}

static int create(d2d_handle handle)
{
	d2d_handle event;

	return d2d_event_create(handle, "handle_kinds.other", D2D_EVENT_NOTIFICATION, 0, &event);
}

static int open(d2d_handle handle)
{
	d2d_handle event;

	return d2d_event_open(handle, "handle_kinds", D2D_EVENT_NOTIFICATION, &event);
}

static int wait_for(d2d_handle handle)
{
	return d2d_event_wait(&handle, 1, 0, 0, NULL);
}

/* Returns what must_refuse() expects, because d2d_event_ring() has no result. */
static int ring(d2d_handle handle)
{
	d2d_event_ring(handle);
	return -ESTALE;
}

static int ignore_set(void *argument, d2d_handle handle)
{
	return 0;
}

static int on_set(d2d_handle handle)
{
	return d2d_event_on_set(handle, ignore_set, NULL);
}

static int redeem(d2d_handle handle)
{
	return d2d_queue_redeem(&context->to_owner, handle) ? 0 : -ESTALE;
}

static int release(d2d_handle handle)
{
	return d2d_queue_release(&context->to_owner, handle);
}

static const struct function {
	const char *name;
	int (*call)(d2d_handle handle);
	unsigned long accepts;	/* kinds of handles, as bits */
	bool silent;		/* refuses without printing a line */
} functions[] = {
	{ "d2d_attach", d2d_attach, BIT(DRIVER) },
	{ "d2d_detach", d2d_detach, BIT(DRIVER) },
	{ "d2d_leave", d2d_leave, BIT(DRIVER) },
	{ "d2d_unregister", d2d_unregister, BIT(DRIVER) },
	{ "d2d_request_alloc", alloc, BIT(DRIVER) },
	{ "d2d_request_send", send, BIT(SENT) },
	{ "d2d_request_send to", send_to, BIT(TARGET) },
	{ "d2d_request_call", call, BIT(SENT) },
	{ "d2d_request_wait", wait, BIT(SENT) },
	{ "d2d_request_cancel", d2d_request_cancel, BIT(SENT) },
	{ "d2d_request_free", d2d_request_free, BIT(SENT) },
	{ "d2d_request_read", read, BIT(SENT) | BIT(HELD) },
	{ "d2d_request_write", write, BIT(HELD) },
	{ "d2d_request_set_cancel", d2d_request_set_cancel, BIT(HELD) },
	{ "d2d_request_pend", d2d_request_pend, BIT(HELD) },
	{ "d2d_request_forward", forward, BIT(HELD) },
	{ "d2d_request_forward to", forward_to, BIT(TARGET) },
	{ "d2d_complete", complete_it, BIT(HELD) },
	{ "d2d_complete_with", complete_it_with, BIT(HELD) },
	{ "d2d_event_create", create, BIT(DRIVER) },
	{ "d2d_event_open", open, BIT(DRIVER) },
	{ "d2d_event_close", d2d_event_close, BIT(EVENT) },
	{ "d2d_event_set", d2d_event_set, BIT(EVENT) },
	{ "d2d_event_reset", d2d_event_reset, BIT(EVENT) },
	{ "d2d_event_query", d2d_event_query, BIT(EVENT) },
	{ "d2d_event_wait", wait_for, BIT(EVENT) },
	{ "d2d_event_on_set", on_set, BIT(EVENT) },
	{ "d2d_event_ring", ring, BIT(EVENT), true },
	{ "d2d_queue_redeem", redeem, BIT(ITEM), true },
	{ "d2d_queue_release", release, BIT(ITEM), true },
};

#define BEFORE	"before the calls"
#define AFTER	"after the calls"

static u32 refusals;	/* lines that the owner must have printed */
static u32 wrong;	/* failed checks */

static void expect(bool right, const char *what, const char *kind)
{
	if (!right) {
		pr_err("%s, handle '%s': not as expected\n", what, kind);
		wrong++;
	}
}

static void must_refuse(const struct function *function, d2d_handle handle, const char *kind)
{
	refusals += !function->silent;
	expect(function->call(handle) == -ESTALE, function->name, kind);
}

/* Returns the kind that a handle's bits stand for (see d2d.h). The handle need not be valid. */
static enum kind kind_of(d2d_handle handle)
{
	static const enum kind of[] = {
		[D2D_HANDLE_DRIVER] = DRIVER,
		[D2D_HANDLE_TARGET] = TARGET,
		[D2D_HANDLE_EVENT] = EVENT,
		[D2D_HANDLE_SENT] = SENT,
		[D2D_HANDLE_HELD] = HELD,
	};
	u32 bits = (u32)handle >> D2D_HANDLE_KIND_SHIFT;

	if (handle & D2D_HANDLE_ITEM)
		return ITEM;
	return bits < ARRAY_SIZE(of) ? of[bits] : NOTHING;
}

/*
 * Passes a valid handle of each kind that the function does not accept. For each accepted kind,
 * alters the kind bits of a valid handle, and passes each result, unless the function accepts the
 * new kind. A handle whose bits now stand for an item is passed in any case, because no item has
 * this handle.
 */
static void pass_all_to(const struct function *function)
{
	for (enum kind kind = NOTHING; kind < KINDS; kind++) {
		if (!(function->accepts & BIT(kind))) {
			must_refuse(function, live[kind], kinds[kind]);
			continue;
		}
		for (u32 bits = 1; bits < 16; bits++) {
			d2d_handle altered = live[kind] ^ (bits << D2D_HANDLE_KIND_SHIFT);
			enum kind other = kind_of(altered);

			if (other == ITEM || !(function->accepts & BIT(other)))
				must_refuse(function, altered, "altered");
		}
	}
}

/* The dispatch routine fills in live[HELD], the init live[DRIVER]. */
static int make_all(void)
{
	struct d2d_send send;
	u64 note = 0;
	int err;

	err = d2d_lookup(KBUILD_MODNAME, &live[TARGET]) ?:
	      d2d_event_create(live[DRIVER], KBUILD_MODNAME, D2D_EVENT_NOTIFICATION, 1,
			       &live[EVENT]) ?:
	      d2d_request_alloc(live[DRIVER], 0, 0, &idle) ?:
	      d2d_request_alloc(live[DRIVER], 0, 0, &live[SENT]);
	if (err)
		return err;
	send = d2d_send_to(live[TARGET], D2D_PAIR_IOCTL_PEND);
	err = d2d_request_send(live[SENT], &send);
	if (err != -EINPROGRESS)
		return err ?: -EPROTO;
	err = d2d_queue_put(&context->to_owner, D2D_PAIR_KIND_NOTE, &note, sizeof(note));
	if (err)
		return err;
	live[ITEM] = d2d_queue_take(&context->to_owner);
	return 0;
}

/* The objects that the handles name must be unchanged. */
static void check_all(void)
{
	struct d2d_result result = {};
	d2d_handle target;
	u8 byte;

	expect(!d2d_lookup(KBUILD_MODNAME, &target) && target == live[TARGET], AFTER, "target");
	expect(d2d_event_query(live[EVENT]) == 1, AFTER, "event");
	expect(!d2d_event_close(live[EVENT]), AFTER, "event");
	expect(!d2d_request_read(live[HELD], &byte, 0), AFTER, "held");
	expect(!d2d_complete(live[HELD], -EPERM, 0), AFTER, "held");
	expect(!d2d_request_wait(live[SENT], 0, &result) && result.status == -EPERM, AFTER,
	       "sent");
	expect(!d2d_request_free(live[SENT]) && !d2d_request_free(idle), AFTER, "sent");
	expect(d2d_queue_redeem(&context->to_owner, live[ITEM]), AFTER, "item");
	expect(!d2d_queue_release(&context->to_owner, live[ITEM]), AFTER, "item");
}

static void run(void)
{
	int err = make_all();

	expect(!err, BEFORE, "any");
	for (enum kind kind = DRIVER; kind < KINDS; kind++)
		expect(kind_of(live[kind]) == kind && live[kind] >> 32, BEFORE, kinds[kind]);
	if (!err) {
		for (const struct function *function = functions;
		     function < functions + ARRAY_SIZE(functions); function++)
			pass_all_to(function);
		check_all();
	}
}

static int dispatch(void *this, const struct d2d_request *request)
{
	if (request->code != D2D_IOCTL_SHARE_CONTEXT) {
		live[HELD] = request->handle;
		return -D2D_STATUS_PENDING;
	}
	context = request->user_buffer;
	run();
	return d2d_complete(request->handle, -EPERM, 0) ?: -EPERM;
}

static const struct d2d_driver driver = D2D_DRIVER_INIT(KBUILD_MODNAME, .dispatch = dispatch);

static int __init handle_kinds_init(void)
{
	int err;

	err = d2d_register(&driver, &live[DRIVER]);
	if (err)
		return err;
	expect(d2d_attach(live[DRIVER]) == -EPERM, AFTER, "handshake");
	expect(!d2d_unregister(live[DRIVER]), AFTER, "driver");
	pr_info("refusals=%u wrong=%u\n", refusals, wrong);
	return wrong ? -ENOTRECOVERABLE : 0;
}
module_init(handle_kinds_init);

static void __exit handle_kinds_exit(void)
{
}
module_exit(handle_kinds_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: handles of the wrong kind");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(module_a);
