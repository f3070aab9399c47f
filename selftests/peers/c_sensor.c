// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a sensor in C for the consumer of examples/sensor/. The build generates the C header from
 * the pair's declaration. set_rate puts a whole burst of samples before it returns.
 */
#include <linux/module.h>
#include <linux/string.h>

#include "d2d_ops.h"
#include "d2d_queue.h"
#include "d2d_table.h"
#include "sensor_pair.h"

#define BURST	16

static bool newer;
module_param(newer, bool, 0);
MODULE_PARM_DESC(newer, "Whether an item of a newer kind follows each sample");

static d2d_handle self;
/* Set before the handshake is completed, and never NULL after that. */
static struct d2d_context *context;

static const u64 owner_chain[] = SENSOR_PAIR_OWNER_CHAIN;

static struct sensor_pair_owner_ops owner = {
	.hdr = D2D_OPS_INIT(struct sensor_pair_owner_ops, SENSOR_PAIR_MAJOR, SENSOR_PAIR_MINOR,
			    owner_chain),
};

/* Any context. */
static int c_sensor_set_rate(void *this, u32 period, u32 *result)
{
	int err = 0;

	for (u64 number = 0; number < BURST && !err; number++) {
		const struct sensor_pair_sample sample = { .number = number, .value = 2 * number };

		err = d2d_queue_put(&context->to_owner, SENSOR_PAIR_KIND_SAMPLE, &sample,
				    sizeof(sample));
		if (newer && !err)
			err = d2d_queue_put(&context->to_owner, SENSOR_PAIR_KIND_SAMPLE + 1,
					    &number, sizeof(number));
	}
	*result = 0;
	return err;
}

static const u64 chain[] = SENSOR_PAIR_PEER_CHAIN;

static const struct sensor_pair_peer_ops ops = {
	.hdr = D2D_OPS_INIT(struct sensor_pair_peer_ops, SENSOR_PAIR_MAJOR, SENSOR_PAIR_MINOR,
			    chain),
	.set_rate = c_sensor_set_rate,
};

static int adopt(struct d2d_context *offered)
{
	int err;

	err = d2d_context_check(offered) ?:
	      d2d_ops_copy(&owner.hdr, &offered->owner, offered->module);
	if (err)
		return err;
	context = offered;
	context->peer.ops = &ops.hdr;
	context->peer.self = context;
	return 0;
}

static int dispatch(void *this, const struct d2d_request *request)
{
	int err = -ENOTTY;

	if (request->code == D2D_IOCTL_SHARE_CONTEXT)
		err = adopt(request->user_buffer);
	return d2d_complete(request->handle, err, 0) ?: err;
}

static const struct d2d_driver driver = D2D_DRIVER_INIT(KBUILD_MODNAME, .dispatch = dispatch);

static int __init c_sensor_init(void)
{
	int err;

	err = d2d_register(&driver, &self);
	if (err)
		return err;
	err = d2d_attach(self);
	if (err)
		d2d_unregister(self);
	return err;
}
module_init(c_sensor_init);

static void __exit c_sensor_exit(void)
{
	d2d_detach(self);
	d2d_unregister(self);
}
module_exit(c_sensor_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: a sensor in C, built with the generated header of its pair");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(consumer);
