/* SPDX-License-Identifier: GPL-2.0 */
/* Requests between drivers, with the rules, limits and errnos of d2d.h. */
#ifndef TWIN_REQUEST_H
#define TWIN_REQUEST_H

#include <linux/errno.h>

#include "twin.h"

int twin_request_send(twin_handle request, const struct twin_send *send);
int twin_request_alloc(twin_handle driver, u32 input_size, u32 output_size, twin_handle *request);
int twin_request_wait(twin_handle request, u32 ms, struct twin_result *result);
int twin_request_cancel(twin_handle request);
int twin_request_free(twin_handle request);
int twin_request_read(twin_handle request, void *buffer, u32 len);
int twin_request_write(twin_handle request, const void *buffer, u32 len);
int twin_request_set_cancel(twin_handle request);

static inline struct twin_send twin_send_to(twin_handle to, u32 code)
{
	return (struct twin_send){
		.hdr = TWIN_HEADER(struct twin_send, TWIN_SEND_MAGIC),
		.to = to,
		.major_function = TWIN_MJ_INTERNAL_DEVICE_CONTROL,
		.code = code,
	};
}

/* Sends, waits, and reads the output. Returns -EMSGSIZE if the output does not fill the buffer. */
static inline int twin_request_call(twin_handle request, const struct twin_send *send,
				    void *output, u32 ms)
{
	struct twin_result result;
	int err;

	err = twin_request_send(request, send);
	if (err && err != -EINPROGRESS)
		return err;
	err = twin_request_wait(request, ms, &result) ?: result.status;
	if (err)
		return err;
	if (result.output_len != send->output_len)
		return -EMSGSIZE;
	return result.output_len ? twin_request_read(request, output, result.output_len) : 0;
}

/* For the receiver; -EMSGSIZE if the input is not @len bytes. Any execution context. */
static inline int twin_request_input(const struct twin_request *request, void *input, u32 len)
{
	if (request->input_len != len)
		return -EMSGSIZE;
	return twin_request_read(request->handle, input, len);
}

#endif /* TWIN_REQUEST_H */
