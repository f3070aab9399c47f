// SPDX-License-Identifier: GPL-2.0
/*
 * The tuner: a driver in C that has no context, and only sends a request. Loading the tuner
 * configures the recorder. If the request fails, so does loading, with the same errno.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "d2d_request.h"
#include "d2d_table.h"
#include "sampler_pair.h"

/* Limit of the request, in milliseconds */
#define PATIENCE	30000

static unsigned int rate = 1000;
module_param(rate, uint, 0444);
MODULE_PARM_DESC(rate, "Samples a second, at most 50000; 0 stops the sampler");

static unsigned int watermark = 1;
module_param(watermark, uint, 0444);
MODULE_PARM_DESC(watermark, "A process waits until it has this many samples to read (1-8192)");

/* This driver's handle, from d2d_register() */
static d2d_handle self;

/* Sends the recorder new settings, and prints the old ones. */
static int configure(d2d_handle recorder, d2d_handle request)
{
	struct d2d_send send = d2d_send_to(recorder, SAMPLER_PAIR_IOCTL_CONFIGURE);
	struct sampler_pair_settings settings = { .rate = rate, .watermark = watermark };
	struct sampler_pair_settings before;
	struct d2d_result result;
	int err;

	send.input = &settings;
	send.input_len = sizeof(settings);
	send.output_len = sizeof(before);
	err = d2d_request_call(request, &send, PATIENCE, &result, &before, sizeof(before)) ?:
	      result.status;
	if (!err && result.output_len != sizeof(before))
		err = -EMSGSIZE;
	if (!err)
		pr_info("before: rate=%u watermark=%u\n", before.rate, before.watermark);
	return err;
}

/* Other drivers can send the tuner requests, but it knows none. */
static int dispatch(void *this, const struct d2d_request *request)
{
	d2d_complete(request->handle, -ENOTTY, 0);
	return -ENOTTY;
}

static const struct d2d_driver driver = D2D_DRIVER_INIT(KBUILD_MODNAME, .dispatch = dispatch);

static int __init tuner_init(void)
{
	d2d_handle recorder, request;
	int err;

	err = d2d_register(&driver, &self);
	if (err)
		return err;
	err = d2d_lookup("recorder", &recorder) ?:
	      d2d_request_alloc(self, sizeof(struct sampler_pair_settings),
				sizeof(struct sampler_pair_settings), &request) ?:
	      configure(recorder, request);
	/* Unregistering frees the request, too. */
	if (err)
		d2d_unregister(self);
	return err;
}
module_init(tuner_init);

static void __exit tuner_exit(void)
{
	d2d_unregister(self);
}
module_exit(tuner_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Example: configures the recorder by a request");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(sampler);
