// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a module that registers the drivers "forgetful" and "forgetful_too", and forgets them. A
 * routine that is called after the init has failed, or after the exit, prints a line, and the test
 * fails.
 *
 * The parameter "at" says when the kernel unloads the module:
 *
 *   init               after the init has failed with -ENOTRECOVERABLE
 *   exit               after the exit
 *
 * The parameter "forgets" says what "forgetful" has when the module is unloaded:
 *
 *   nothing            only its registration; with at=exit, the exit unregisters both drivers
 *   registered         only its registration
 *   context            a context
 *   handshake          a handshake that it has pended
 *   sent               requests that it has sent to its owner
 *   pended             a request that it has sent to "forgetful_too", which has pended it
 *   event              an event
 *
 * With the following values, the module registers only one driver, which belongs to the module
 * stranger, and the init succeeds. This driver has an event and:
 *
 *   stranger           nothing else
 *   stranger-attached  a handshake that it has pended, and that has timed out
 *   stranger-attaching a work item of the module stranger, which attaches the driver
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/stringify.h>

#include "d2d_event.h"
#include "d2d_pair.h"
#include "d2d_request.h"
#include "d2d_table.h"
#include "pause_calls.h"
#include "stranger.h"

/* The files forgetful_*.c define another owner. */
#ifndef OWNER
#define OWNER module_a
#endif
D2D_OWNER(OWNER);

static char *forgets = "nothing";
module_param(forgets, charp, 0);
MODULE_PARM_DESC(forgets, "What the driver \"forgetful\" has when the module is unloaded");

static char *at = "init";
module_param(at, charp, 0);
MODULE_PARM_DESC(at, "When the kernel unloads the module: after its init or after its exit");

static d2d_handle self;
static d2d_handle second;
/* While this is set, the owner must call no routine. */
static bool has_ended;

static bool forgets_is(const char *what)
{
	return !strcmp(forgets, what);
}

static void check(const char *routine)
{
	if (READ_ONCE(has_ended))
		pr_err("%s was called after the module had ended\n", routine);
}

static int fill_in(struct d2d_endpoint *peer);

/* forgetful_lender.c defines OTHER_PAIR, and its own fill_in(). */
#ifndef OTHER_PAIR
static int peer_ping(void *this, u32 value, u32 *result)
{
	check("ping");
	*result = value + 1;
	return 0;
}

static const u64 chain[] = D2D_PAIR_PEER_CHAIN;

static const struct d2d_pair_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct d2d_pair_peer_ops, D2D_PAIR_MAJOR, D2D_PAIR_MINOR, chain),
	.ping = peer_ping,
};

static int fill_in(struct d2d_endpoint *peer)
{
	peer->ops = &ops.hdr;
	return 0;
}
#endif

static int dispatch(void *this, const struct d2d_request *request)
{
	struct d2d_context *context = request->user_buffer;
	int err;

	check("dispatch");
	d2d_pause_call();
	/* Pend each request, but the handshake only with forgets=handshake. */
	if (request->code != D2D_IOCTL_SHARE_CONTEXT || forgets_is("handshake"))
		return -D2D_STATUS_PENDING;
	err = fill_in(&context->peer);
	return d2d_complete(request->handle, err, 0) ?: err;
}

static int completed(void *this, d2d_handle request, const struct d2d_result *result)
{
	check("completed");
	return 0;
}

static void cancelled(void *this, d2d_handle request)
{
	check("cancelled");
}

static struct d2d_driver driver = D2D_DRIVER_INIT("forgetful", .dispatch = dispatch,
						  .completed = completed,
						  .cancelled = cancelled);

/* Sends a request, which the receiver pends. */
static int send(const char *to, u32 flags)
{
	static u64 key;
	d2d_handle target, request;
	struct d2d_send send;
	int err;

	err = d2d_lookup(to, &target) ?:
	      d2d_request_alloc(self, sizeof(key), sizeof(key), &request);
	if (err)
		return err;
	key++;
	send = d2d_send_to(target, D2D_PAIR_IOCTL_PEND);
	send.input = &key;
	send.input_len = sizeof(key);
	send.output_len = sizeof(key);
	send.flags = flags;
	err = d2d_request_send(request, &send);
	return err == -EINPROGRESS ? 0 : err ?: -EPROTO;
}

static int set_up_state(void)
{
	d2d_handle event;
	int err;

	if (forgets_is("registered") || forgets_is("nothing"))
		return 0;
	if (forgets_is("context"))
		return d2d_attach(self);
	if (forgets_is("handshake")) {
		/* The owner does not wait (completion=1), or its wait times out. */
		err = d2d_attach(self);
		return err == -EINPROGRESS || err == -ETIMEDOUT ? 0 : err ?: -EPROTO;
	}
	if (forgets_is("sent"))
		return send(__stringify(OWNER), D2D_SEND_ROUTINE) ?:
		       send(__stringify(OWNER), 0);
	if (forgets_is("pended"))
		return send("forgetful_too", D2D_SEND_ROUTINE);
	if (forgets_is("event"))
		return d2d_event_create(self, "forgotten", D2D_EVENT_NOTIFICATION, 0, &event) ?:
		       d2d_event_open(self, "forgotten", D2D_EVENT_NOTIFICATION, &event);
	return -EINVAL;
}

static int register_both(void)
{
	int err;

	err = d2d_register(&driver, &self);
	if (err)
		return err;
	strscpy(driver.name, "forgetful_too");
	err = d2d_register(&driver, &second);
	if (err)
		d2d_unregister(self);
	return err;
}

static void unregister_both(void)
{
	d2d_unregister(second);
	d2d_unregister(self);
}

static int register_stranger(void)
{
	d2d_handle event;
	int err;

	d2d_stranger_fill_driver(&driver);
	err = d2d_register(&driver, &self) ?:
	      d2d_event_create(self, "strange", D2D_EVENT_NOTIFICATION, 0, &event);
	if (err || forgets_is("stranger"))
		return err;
	if (forgets_is("stranger-attaching")) {
		d2d_stranger_attach_driver(self, d2d_the_owner->d2d_attach);
		return 0;
	}
	/* The driver never completes its handshake, so the context stays reserved. */
	err = d2d_attach(self);
	return err == -ETIMEDOUT ? 0 : err ?: -EPROTO;
}

static int __init forgetful_init(void)
{
	int err;

	if (strstarts(forgets, "stranger"))
		return register_stranger();
	err = register_both();
	if (err)
		return err;
	err = set_up_state();
	if (err) {
		unregister_both();
		return err;
	}
	if (!strcmp(at, "exit"))
		return 0;
	WRITE_ONCE(has_ended, true);
	return -ENOTRECOVERABLE;
}
module_init(forgetful_init);

static void __exit forgetful_exit(void)
{
	if (forgets_is("nothing"))
		unregister_both();
	WRITE_ONCE(has_ended, true);
	/* The owner must refuse a driver of a module that is being unloaded. */
	if (forgets_is("registered")) {
		strscpy(driver.name, "forgetful_anew");
		d2d_register(&driver, &self);
	}
}
module_exit(forgetful_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a module that is unloaded without unregistering its drivers");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
