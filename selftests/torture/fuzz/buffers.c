// SPDX-License-Identifier: GPL-2.0
/*
 * Part of the fuzzer (fuzz.h). The receivers of a send write only one byte value to the output. It
 * follows from the tag, so the sender notices bytes of another send.
 */
#include <linux/string.h>

#include "fuzz.h"

/* The bytes of an answer's output before the call */
#define UNTOUCHED	0xa5

u8 fuzz_byte(u64 tag)
{
	u8 byte = fuzz_mix(tag);

	return byte == UNTOUCHED ? 0 : byte;
}

static u32 sum(const u8 *bytes, u32 len)
{
	u32 sum = 0;

	for (u32 n = 0; n < len; n++)
		sum = sum * 31 + bytes[n];
	return sum;
}

void fuzz_in_place_begins(struct fuzz_in_place *in_place, const struct d2d_request *request,
			  struct fuzz_registration *reg)
{
	bool has_buffers = request->input || request->output;

	*in_place = (struct fuzz_in_place){ .tag = (unsigned long)request->user_buffer };
	if (has_buffers && !(reg->object.flags & D2D_DISPATCH_IN_PLACE))
		fuzz_violation("buffers-in-place-unasked", "tag=0x%llx", in_place->tag);
	if (!has_buffers)
		return;
	in_place->request = request;
	in_place->sum = sum(request->input, request->input_len);
	memset(request->output, fuzz_byte(in_place->tag), request->output_len);
}

/*
 * Until a dispatch routine gives up the buffers, no other thread may use them, even if the request
 * is cancelled or freed, or its sender leaves.
 */
void fuzz_in_place_ends(struct fuzz_in_place *in_place)
{
	const struct d2d_request *request = in_place->request;

	in_place->request = NULL;
	if (!request)
		return;
	if (sum(request->input, request->input_len) != in_place->sum)
		fuzz_violation("input-in-place-changed", "tag=0x%llx", in_place->tag);
	if (memchr_inv(request->output, fuzz_byte(in_place->tag), request->output_len))
		fuzz_violation("output-in-place-changed", "tag=0x%llx", in_place->tag);
}

void fuzz_answer_prepare(struct fuzz_caller *caller, struct fuzz_answer *answer, u32 ms)
{
	answer->ms = ms;
	answer->room = fuzz_below(caller, FUZZ_OUTPUT + 1);
	memset(&answer->result, 0, sizeof(answer->result));
	memset(answer->output, UNTOUCHED, sizeof(answer->output));
}

/*
 * If the status is 0 and the output fits, d2d_request_call() must have copied the whole output of
 * this send, otherwise nothing.
 */
void fuzz_check_answer(u64 tag, int err, const struct fuzz_answer *answer)
{
	const struct d2d_result *result = &answer->result;
	bool to_owner = tag >> 48 & 1;
	u32 len = 0;

	if (!err && result->tag != tag)
		fuzz_violation("result-of-another-send", "tag=0x%llx other=0x%llx", tag,
			       result->tag);
	if (!err && !result->status && result->output_len <= answer->room)
		len = result->output_len;
	if (!to_owner && memchr_inv(answer->output, fuzz_byte(tag), len))
		fuzz_violation("output-of-another-send", "tag=0x%llx len=%u", tag, len);
	if (memchr_inv(answer->output + len, UNTOUCHED, sizeof(answer->output) - len))
		fuzz_violation("output-beyond-its-length",
			       "tag=0x%llx err=%d status=%d len=%u room=%u", tag, err,
			       result->status, result->output_len, answer->room);
}
