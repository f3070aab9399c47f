/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers for requests, for C drivers. Rust drivers have shared/d2d/packet.rs and
 * shared/d2d/request.rs. Any context but NMI.
 */
#ifndef D2D_REQUEST_H
#define D2D_REQUEST_H

#include <linux/errno.h>

#include "d2d.h"

/**
 * d2d_send_to() - describe how to send a request without buffers
 * @to: the receiver; from d2d_lookup()
 * @code: the control code
 *
 * Return: the description
 */
static inline struct d2d_send d2d_send_to(d2d_handle to, u32 code)
{
	return (struct d2d_send)D2D_SEND_INIT(to, code);
}

/**
 * d2d_request_output() - copy the output of a request that was completed with success
 * @request: the request, with its sender's handle
 * @result: its result
 * @output: where to copy the output
 * @len: bytes of output that the sender expects
 *
 * Return: as d2d_request_read(), or %-EMSGSIZE if the output does not have @len bytes
 */
static inline int d2d_request_output(d2d_handle request, const struct d2d_result *result,
				     void *output, u32 len)
{
	if (result->output_len != len)
		return -EMSGSIZE;
	return len ? d2d_request_read(request, output, len) : 0;
}

/**
 * d2d_request_input() - copy the input of a request that this driver has received
 * @request: the request
 * @input: where to copy the input
 * @len: bytes of input that the receiver expects
 *
 * Return: as d2d_request_read(), or %-EMSGSIZE if the input does not have @len bytes
 */
static inline int d2d_request_input(const struct d2d_request *request, void *input, u32 len)
{
	if (request->input_len != len)
		return -EMSGSIZE;
	return d2d_request_read(request->handle, input, len);
}

#endif /* D2D_REQUEST_H */
