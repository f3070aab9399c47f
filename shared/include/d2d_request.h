/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver to driver: what a C driver does with requests. Rust drivers have
 * shared/d2d/packet.rs and shared/d2d/request.rs.
 *
 * Nobody has a pointer to a request, nor to its buffers: all of it is by handle, and
 * a handle that names nothing any more is refused and does no harm.
 */
#ifndef D2D_REQUEST_H
#define D2D_REQUEST_H

#include <linux/errno.h>

#include "d2d.h"

/* How to send something without buffers; the rest is filled in where it is needed. */
static inline struct d2d_send d2d_send_to(d2d_handle to, u32 code)
{
	return (struct d2d_send)D2D_SEND_INIT(to, code);
}

/*
 * Copies the output of a request that was completed with success, if it is len bytes
 * long. -EMSGSIZE it is not. Any context.
 */
static inline int d2d_request_output(d2d_handle request, const struct d2d_result *result,
				     void *output, u32 len)
{
	if (result->output_len != len)
		return -EMSGSIZE;
	return len ? d2d_request_read(request, output, len) : 0;
}

/* For the receiver: copies the input, if it is that long. -EMSGSIZE it is not. Any context. */
static inline int d2d_request_input(const struct d2d_request *request, void *input, u32 len)
{
	if (request->input_len != len)
		return -EMSGSIZE;
	return d2d_request_read(request->handle, input, len);
}

#endif /* D2D_REQUEST_H */
