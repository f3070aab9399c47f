// SPDX-License-Identifier: GPL-2.0
/*
 * Drivers in C that only attach and detach, so that many contexts are in use while another driver
 * measures.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/module.h>

#include "d2d.h"
#include "measure.h"

/* bench_owner has 64 contexts, one of them for the measuring driver. */
#define MAX_CROWD	63

static d2d_handle crowd[MAX_CROWD];
static unsigned int crowd_size;

/*
 * The measuring driver's context, whose endpoints are checked. The drivers of the crowd copy its
 * peer's endpoint.
 */
static const struct d2d_context *model;

static int dispatch(void *this, const struct d2d_request *request)
{
	struct d2d_context *offered = request->user_buffer;
	int err = -ENOTTY;

	if (request->code == D2D_IOCTL_SHARE_CONTEXT) {
		err = -EBADE;
		if (offered && offered->hdr.magic == D2D_CONTEXT_MAGIC &&
		    offered->hdr.major == D2D_ABI_MAJOR &&
		    offered->hdr.size == sizeof(*offered) &&
		    offered->hdr.layout == D2D_LAYOUT &&
		    offered->owner.ops == model->owner.ops) {
			offered->peer = model->peer;
			err = 0;
		}
	}
	return d2d_complete(request->handle, err, 0) ?: err;
}

static const struct d2d_driver driver = D2D_DRIVER_INIT("bench_crowd", .dispatch = dispatch);

static int attach_one(const struct d2d_driver *object, d2d_handle *handle)
{
	int err;

	err = d2d_register(object, handle);
	if (err)
		return err;
	err = d2d_attach(*handle);
	if (err)
		d2d_unregister(*handle);
	return err;
}

static int detach_one(d2d_handle handle)
{
	int err;

	err = d2d_detach(handle);
	return d2d_unregister(handle) ?: err;
}

int d2d_bench_crowd(const struct d2d_context *context, u32 size)
{
	struct d2d_driver object = driver;
	int err = 0;

	if (size > MAX_CROWD)
		return -ERANGE;
	model = context;
	while (crowd_size < size && !err) {
		snprintf(object.name, sizeof(object.name), "bench_crowd%u", crowd_size);
		err = attach_one(&object, &crowd[crowd_size]);
		if (!err)
			crowd_size++;
	}
	while (crowd_size > size && !err)
		err = detach_one(crowd[--crowd_size]);
	return err;
}

/* The measured time includes printing the lines of the trace. */
static noinline int loop_attach_detach(void *arg, u64 n)
{
	const d2d_handle *handle = arg;
	int err = 0;

	while (n-- && !err)
		err = d2d_attach(*handle) ?: d2d_detach(*handle);
	return err;
}

int d2d_bench_attach_detach(const struct d2d_context *context)
{
	d2d_handle handle;
	const struct d2d_bench_contender contender = {
		"attach-detach", "work-item-unbound", "d2d_attach", loop_attach_detach,
		.arg = &handle,
	};
	int err;

	model = context;
	err = d2d_register(&driver, &handle);
	if (err)
		return err;
	err = d2d_bench_run(&contender);
	return d2d_unregister(handle) ?: err;
}
