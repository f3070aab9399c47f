/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: helpers for requests, for C drivers. Rust drivers have shared/d2d/packet.rs
 * and shared/d2d/request.rs.
 *
 * A driver uses a request by its handle, and has no pointer to it. The owner refuses a stale
 * handle.
 */
#ifndef D2D_REQUEST_H
#define D2D_REQUEST_H

#include <linux/errno.h>

#include "d2d.h"

/* Describes a send without buffers. The caller fills in other members if it needs them. */
static inline struct d2d_send d2d_send_to(d2d_handle to, u32 code)
{
	return (struct d2d_send)D2D_SEND_INIT(to, code);
}

/*
 * For the sender: copies the output of a request that was completed with success. -EMSGSIZE: the
 * output does not have len bytes. Otherwise as d2d_request_read(). Any context.
 */
static inline int d2d_request_output(d2d_handle request, const struct d2d_result *result,
				     void *output, u32 len)
{
	if (result->output_len != len)
		return -EMSGSIZE;
	return len ? d2d_request_read(request, output, len) : 0;
}

/*
 * For the receiver: copies the input. -EMSGSIZE: the input does not have len bytes. Otherwise as
 * d2d_request_read(). Any context.
 */
static inline int d2d_request_input(const struct d2d_request *request, void *input, u32 len)
{
	if (request->input_len != len)
		return -EMSGSIZE;
	return d2d_request_read(request->handle, input, len);
}

#endif /* D2D_REQUEST_H */
