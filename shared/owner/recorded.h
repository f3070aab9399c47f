/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The record of the boundary: what the owner's table and the objects of the headers are in a major
 * version. The compiler compares the headers with this record. Within a major version, a peer that
 * was built with the recorded headers works with each later owner. Each later peer works with an
 * owner that was built with the recorded headers. So what is recorded stays as it is. New things
 * are only appended: a function at the end of the table, a step, a field of a step, a flag or a
 * value of an enum.
 *
 * To change something else, raise D2D_ABI_MAJOR, and commit that. Then change what differs in this
 * file, and set D2D_RECORDED_MAJOR and D2D_RECORDED_COMMIT to that major version and that commit.
 * Until then, the compiler compares nothing. When the library is released, what was appended is
 * recorded, too.
 *
 * qemu/tests/abi.sh builds the drivers of the demonstration from the recorded commit, and runs them
 * with those of today. Their pair changes only by new minor versions: its baseline,
 * shared/pair/d2d_pair-1.0.h, makes sure of that. If the baseline has to be made anew, record a
 * later commit, too.
 */
#ifndef D2D_RECORDED_H
#define D2D_RECORDED_H

#include "d2d_table.h"

#define D2D_RECORDED_COMMIT	"586bb5a34c2e21c35119d4a6dfb3a403f4da3877"
#define D2D_RECORDED_MAJOR	1

#if D2D_RECORDED_MAJOR == D2D_ABI_MAJOR

#define D2D_AS_RECORDED(is_so, what)						\
	static_assert(is_so, what " differs from shared/owner/recorded.h: only append, "	\
		      "or raise D2D_ABI_MAJOR and record anew")

/* The function of this number in the table */
#define D2D_RECORDED_FUNCTION(number, result, name, parameters)			\
	D2D_AS_RECORDED(offsetof(struct d2d_table, name) ==			\
			sizeof(struct d2d_header) + (number) * sizeof(void *) &&	\
			__same_type(((struct d2d_table *)0)->name, result (*) parameters), #name)

D2D_RECORDED_FUNCTION(0, void, d2d_trace, (const struct d2d_record *record));
D2D_RECORDED_FUNCTION(1, int, d2d_register, (const struct d2d_driver *driver, d2d_handle *handle));
D2D_RECORDED_FUNCTION(2, int, d2d_attach, (d2d_handle driver));
D2D_RECORDED_FUNCTION(3, int, d2d_detach, (d2d_handle driver));
D2D_RECORDED_FUNCTION(4, int, d2d_leave, (d2d_handle driver));
D2D_RECORDED_FUNCTION(5, int, d2d_unregister, (d2d_handle driver));
D2D_RECORDED_FUNCTION(6, int, d2d_lookup, (const char *name, d2d_handle *driver));
D2D_RECORDED_FUNCTION(7, int, d2d_request_alloc,
		      (d2d_handle driver, u32 input_size, u32 output_size, d2d_handle *request));
D2D_RECORDED_FUNCTION(8, int, d2d_request_send, (d2d_handle request, const struct d2d_send *send));
D2D_RECORDED_FUNCTION(9, int, d2d_request_call,
		      (d2d_handle request, const struct d2d_send *send, u32 ms,
		       struct d2d_result *result, void *output, u32 output_len));
D2D_RECORDED_FUNCTION(10, int, d2d_request_wait,
		      (d2d_handle request, u32 ms, struct d2d_result *result));
D2D_RECORDED_FUNCTION(11, int, d2d_request_cancel, (d2d_handle request));
D2D_RECORDED_FUNCTION(12, int, d2d_request_free, (d2d_handle request));
D2D_RECORDED_FUNCTION(13, int, d2d_request_read, (d2d_handle request, void *buffer, u32 len));
D2D_RECORDED_FUNCTION(14, int, d2d_request_write,
		      (d2d_handle request, const void *buffer, u32 len));
D2D_RECORDED_FUNCTION(15, int, d2d_request_set_cancel, (d2d_handle request));
D2D_RECORDED_FUNCTION(16, int, d2d_request_pend, (d2d_handle request));
D2D_RECORDED_FUNCTION(17, int, d2d_request_forward,
		      (d2d_handle request, const struct d2d_send *send));
D2D_RECORDED_FUNCTION(18, int, d2d_complete, (d2d_handle request, int status, u64 information));
D2D_RECORDED_FUNCTION(19, int, d2d_complete_with,
		      (d2d_handle request, int status, u64 information, u32 output_len));
D2D_RECORDED_FUNCTION(20, int, d2d_event_create,
		      (d2d_handle driver, const char *name, u32 kind, u32 initial,
		       d2d_handle *event));
D2D_RECORDED_FUNCTION(21, int, d2d_event_open,
		      (d2d_handle driver, const char *name, u32 kind, d2d_handle *event));
D2D_RECORDED_FUNCTION(22, int, d2d_event_close, (d2d_handle event));
D2D_RECORDED_FUNCTION(23, int, d2d_event_set, (d2d_handle event));
D2D_RECORDED_FUNCTION(24, int, d2d_event_reset, (d2d_handle event));
D2D_RECORDED_FUNCTION(25, int, d2d_event_query, (d2d_handle event));
D2D_RECORDED_FUNCTION(26, void, d2d_event_ring, (d2d_handle event));
D2D_RECORDED_FUNCTION(27, int, d2d_event_wait,
		      (const d2d_handle *events, u32 count, u32 flags, u32 timeout, u32 *index));
D2D_RECORDED_FUNCTION(28, int, d2d_event_on_set,
		      (d2d_handle event, d2d_event_routine routine, void *argument));

/*
 * The exported symbol has no other functions. If a function is appended to the first list, all
 * offsets stay, but the symbol gets another version. Then the loader refuses older peers.
 */
D2D_AS_RECORDED(sizeof(struct D2D_EXPORTED) == sizeof(struct d2d_header) + 29 * sizeof(void *),
		"D2D_FIRST_FUNCTIONS");

/* A field of a structure. Reserved fields are left out. */
#define D2D_RECORDED_FIELD(object, offset, type, field)				\
	D2D_AS_RECORDED(offsetof(struct object, field) == (offset) &&		\
			__same_type(((struct object *)0)->field, type), #object "." #field)
#define D2D_RECORDED_SIZE(object, size)						\
	D2D_AS_RECORDED(sizeof(struct object) == (size), #object)

/* Only the size of a lock depends on the kernel's configuration. */
#define D2D_RECORDED_LOCK	ALIGN(sizeof(spinlock_t), 8)
#define D2D_RECORDED_ITEMS	ALIGN(sizeof(spinlock_t) + 4, 8)
#define D2D_RECORDED_RELEASED	ALIGN(D2D_RECORDED_ITEMS + 52, 64)
#define D2D_RECORDED_QUEUE	(D2D_RECORDED_RELEASED + 128)

D2D_RECORDED_SIZE(d2d_header, 16);
D2D_RECORDED_FIELD(d2d_header, 0, u32, magic);
D2D_RECORDED_FIELD(d2d_header, 4, u32, size);
D2D_RECORDED_FIELD(d2d_header, 8, u16, major);
D2D_RECORDED_FIELD(d2d_header, 10, u16, minor);
D2D_RECORDED_FIELD(d2d_header, 12, u32, layout);

D2D_RECORDED_SIZE(d2d_ops, 24);
D2D_RECORDED_FIELD(d2d_ops, 0, u32, size);
D2D_RECORDED_FIELD(d2d_ops, 4, u16, major);
D2D_RECORDED_FIELD(d2d_ops, 6, u16, minor);
D2D_RECORDED_FIELD(d2d_ops, 8, u64, build);
D2D_RECORDED_FIELD(d2d_ops, 16, const u64 *, chain);

D2D_RECORDED_SIZE(d2d_lent, 24);
D2D_RECORDED_FIELD(d2d_lent, 0, void *, memory);
D2D_RECORDED_FIELD(d2d_lent, 8, u64, size);
D2D_RECORDED_FIELD(d2d_lent, 16, u64, hash);

D2D_RECORDED_SIZE(d2d_endpoint, 40);
D2D_RECORDED_FIELD(d2d_endpoint, 0, const struct d2d_ops *, ops);
D2D_RECORDED_FIELD(d2d_endpoint, 8, void *, self);
D2D_RECORDED_FIELD(d2d_endpoint, 16, struct d2d_lent, lent);

D2D_RECORDED_SIZE(d2d_item, 40);
D2D_RECORDED_FIELD(d2d_item, 0, struct d2d_item *, next);
D2D_RECORDED_FIELD(d2d_item, 8, u64, seq);
D2D_RECORDED_FIELD(d2d_item, 16, u32, kind);
D2D_RECORDED_FIELD(d2d_item, 20, u16, len);
D2D_RECORDED_FIELD(d2d_item, 24, d2d_handle, handle);
D2D_RECORDED_FIELD(d2d_item, 32, d2d_handle, claim);
D2D_RECORDED_FIELD(d2d_item, 40, u8[], payload);

D2D_RECORDED_SIZE(d2d_queue, D2D_RECORDED_QUEUE);
D2D_RECORDED_FIELD(d2d_queue, 0, spinlock_t, lock);
D2D_RECORDED_FIELD(d2d_queue, sizeof(spinlock_t), u32, high_water);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_ITEMS, struct d2d_item *, first);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_ITEMS + 8, struct d2d_item *, last);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_ITEMS + 16, struct d2d_item *, free);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_ITEMS + 24, u64, put);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_ITEMS + 32, u64, taken);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_ITEMS + 40, u64, refused);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_ITEMS + 48, u32, handed);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_RELEASED, struct d2d_item *, released);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_RELEASED + 64, struct d2d_item **, pool);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_RELEASED + 72, u32, capacity);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_RELEASED + 76, u32, item_size);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_RELEASED + 80, d2d_handle, doorbell);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_RELEASED + 88, u64, stale);
D2D_RECORDED_FIELD(d2d_queue, D2D_RECORDED_RELEASED + 96, u32, id);

D2D_RECORDED_SIZE(d2d_data, D2D_RECORDED_LOCK + 24);
D2D_RECORDED_FIELD(d2d_data, 0, spinlock_t, lock);
D2D_RECORDED_FIELD(d2d_data, D2D_RECORDED_LOCK, u64, owner_size);
D2D_RECORDED_FIELD(d2d_data, D2D_RECORDED_LOCK + 8, u64, peer_size);
D2D_RECORDED_FIELD(d2d_data, D2D_RECORDED_LOCK + 16, u64, shared_size);
D2D_RECORDED_FIELD(d2d_data, D2D_RECORDED_LOCK + 24, u64[], blocks);

D2D_RECORDED_FIELD(d2d_context, 0, struct d2d_header, hdr);
D2D_RECORDED_FIELD(d2d_context, 16, u32, id);
D2D_RECORDED_FIELD(d2d_context, 24, struct module *, module);
D2D_RECORDED_FIELD(d2d_context, 32, struct d2d_endpoint, owner);
D2D_RECORDED_FIELD(d2d_context, 72, struct d2d_endpoint, peer);
D2D_RECORDED_FIELD(d2d_context, 128, struct d2d_queue, to_peer);
D2D_RECORDED_FIELD(d2d_context, 128 + D2D_RECORDED_QUEUE, struct d2d_queue, to_owner);
D2D_RECORDED_FIELD(d2d_context, 128 + 2 * D2D_RECORDED_QUEUE, struct d2d_data, data);

D2D_RECORDED_SIZE(d2d_request, 72);
D2D_RECORDED_FIELD(d2d_request, 0, struct d2d_header, hdr);
D2D_RECORDED_FIELD(d2d_request, 16, d2d_handle, handle);
D2D_RECORDED_FIELD(d2d_request, 24, u32, major_function);
D2D_RECORDED_FIELD(d2d_request, 28, u32, code);
D2D_RECORDED_FIELD(d2d_request, 32, void *, user_buffer);
D2D_RECORDED_FIELD(d2d_request, 40, d2d_handle, driver);
D2D_RECORDED_FIELD(d2d_request, 48, u32, input_len);
D2D_RECORDED_FIELD(d2d_request, 52, u32, output_len);
D2D_RECORDED_FIELD(d2d_request, 56, const void *, input);
D2D_RECORDED_FIELD(d2d_request, 64, void *, output);

D2D_RECORDED_SIZE(d2d_result, 32);
D2D_RECORDED_FIELD(d2d_result, 0, u64, information);
D2D_RECORDED_FIELD(d2d_result, 8, u64, tag);
D2D_RECORDED_FIELD(d2d_result, 16, s32, status);
D2D_RECORDED_FIELD(d2d_result, 20, u32, output_len);
D2D_RECORDED_FIELD(d2d_result, 24, u32, ended);

D2D_RECORDED_SIZE(d2d_send, 72);
D2D_RECORDED_FIELD(d2d_send, 0, struct d2d_header, hdr);
D2D_RECORDED_FIELD(d2d_send, 16, d2d_handle, to);
D2D_RECORDED_FIELD(d2d_send, 24, u32, major_function);
D2D_RECORDED_FIELD(d2d_send, 28, u32, code);
D2D_RECORDED_FIELD(d2d_send, 32, const void *, input);
D2D_RECORDED_FIELD(d2d_send, 40, void *, user_buffer);
D2D_RECORDED_FIELD(d2d_send, 48, u64, tag);
D2D_RECORDED_FIELD(d2d_send, 56, u32, input_len);
D2D_RECORDED_FIELD(d2d_send, 60, u32, output_len);
D2D_RECORDED_FIELD(d2d_send, 64, u32, flags);

D2D_RECORDED_SIZE(d2d_driver, 112);
D2D_RECORDED_FIELD(d2d_driver, 0, struct d2d_header, hdr);
D2D_RECORDED_FIELD(d2d_driver, 16, char[32], name);
D2D_RECORDED_FIELD(d2d_driver, 48, struct module *, owner);
D2D_RECORDED_FIELD(d2d_driver, 56, void *, self);
D2D_RECORDED_FIELD(d2d_driver, 64, int (*)(void *, const struct d2d_request *), dispatch);
D2D_RECORDED_FIELD(d2d_driver, 72,
		   int (*)(void *, const struct d2d_request *, const struct d2d_result *),
		   returned);
D2D_RECORDED_FIELD(d2d_driver, 80,
		   int (*)(void *, d2d_handle, const struct d2d_result *), completed);
D2D_RECORDED_FIELD(d2d_driver, 88, void (*)(void *, d2d_handle), cancelled);
D2D_RECORDED_FIELD(d2d_driver, 96, struct d2d_hot_keys *, hot_keys);
D2D_RECORDED_FIELD(d2d_driver, 104, u32, flags);

D2D_RECORDED_SIZE(d2d_hot_keys, 4 * sizeof(struct static_key_false));
D2D_RECORDED_FIELD(d2d_hot_keys, 0, struct static_key_false, queues);
D2D_RECORDED_FIELD(d2d_hot_keys, sizeof(struct static_key_false), struct static_key_false, ops);
D2D_RECORDED_FIELD(d2d_hot_keys, 2 * sizeof(struct static_key_false),
		   struct static_key_false, requests);
D2D_RECORDED_FIELD(d2d_hot_keys, 3 * sizeof(struct static_key_false),
		   struct static_key_false, events);

D2D_RECORDED_SIZE(d2d_field, 16);
D2D_RECORDED_FIELD(d2d_field, 0, u64, value);
D2D_RECORDED_FIELD(d2d_field, 8, u32, key);
D2D_RECORDED_FIELD(d2d_field, 12, u32, length);

D2D_RECORDED_SIZE(d2d_record, 184);
D2D_RECORDED_FIELD(d2d_record, 0, const char *, driver);
D2D_RECORDED_FIELD(d2d_record, 8, u32, driver_length);
D2D_RECORDED_FIELD(d2d_record, 12, u32, step);
D2D_RECORDED_FIELD(d2d_record, 16, u32, flags);
D2D_RECORDED_FIELD(d2d_record, 24, struct d2d_field[10], fields);

/* The numbers that drivers exchange */
D2D_AS_RECORDED(D2D_TABLE_MAGIC == 0x4c424154u && D2D_DRIVER_MAGIC == 0x4f565244u &&
		D2D_REQUEST_MAGIC == 0x55514552u && D2D_CONTEXT_MAGIC == 0x42585443u &&
		D2D_SEND_MAGIC == 0x444e4553u, "magic numbers");
D2D_AS_RECORDED(D2D_HANDLE_ITEM == 0x80000000u && D2D_ITEM_INDEX_BITS == 24 &&
		D2D_HANDLE_KIND_SHIFT == 28 && D2D_ITEM_HELD(D2D_HANDLE_ITEM) == 0 &&
		D2D_HANDLE_DRIVER == 1 && D2D_HANDLE_TARGET == 2 && D2D_HANDLE_EVENT == 3 &&
		D2D_HANDLE_SENT == 4 && D2D_HANDLE_HELD == 5, "a part of a handle");
D2D_AS_RECORDED(D2D_MJ_INTERNAL_DEVICE_CONTROL == 0x0f && D2D_IOCTL_SHARE_CONTEXT == 0x00222003 &&
		D2D_CTL_CODE(1, D2D_METHOD_BUFFERED) == 0x00220004 &&
		D2D_CTL_CODE(1, D2D_METHOD_NEITHER) == 0x00220007 && D2D_STATUS_PENDING == 529 &&
		D2D_MORE_PROCESSING_REQUIRED == 1 && D2D_FOREVER == 0xffffffffu &&
		D2D_SEND_ROUTINE == 1 && D2D_SEND_ATOMIC == 2 && D2D_SEND_TRACE == 4 &&
		D2D_DISPATCH_ATOMIC == 1 && D2D_DISPATCH_IN_PLACE == 2 &&
		D2D_ENDED_COMPLETED == 0 && D2D_ENDED_CANCELLED == 1 && D2D_ENDED_TIMED_OUT == 2 &&
		D2D_ENDED_LEFT == 3 && D2D_ENDED_NOT_COMPLETED == 4, "a number of requests");
D2D_AS_RECORDED(D2D_EVENT_NOTIFICATION == 0 && D2D_EVENT_SYNCHRONIZATION == 1 &&
		D2D_EVENT_FOREVER == 0xffffffffu && D2D_EVENT_WAIT_ALL == 1 &&
		D2D_EVENT_WAIT_INTERRUPTIBLE == 2 &&
		__same_type(d2d_event_routine, int (*)(void *, d2d_handle)),
		"a number of events");
D2D_AS_RECORDED(D2D_RECORD_HOT == 1 && D2D_IS_NUMBER == 0xffffffffu && D2D_FIELD_END == 0,
		"a number of records");
D2D_AS_RECORDED(D2D_STEP_LOAD == 0 && D2D_STEP_ALLOC == 1 && D2D_STEP_INIT_LOCK == 2 &&
		D2D_STEP_INIT_QUEUE == 3 && D2D_STEP_EXPORT == 4 && D2D_STEP_REGISTER == 5 &&
		D2D_STEP_LOOKUP == 6 && D2D_STEP_BUILD_REQUEST == 7 && D2D_STEP_CALL_DRIVER == 8 &&
		D2D_STEP_DISPATCH == 9 && D2D_STEP_ADOPT == 10 && D2D_STEP_FILL == 11 &&
		D2D_STEP_COMPLETE == 12 && D2D_STEP_COMPLETION == 13 && D2D_STEP_ATTACHED == 14 &&
		D2D_STEP_ENQUEUE == 15 && D2D_STEP_DEQUEUE == 16 && D2D_STEP_DRAIN == 17 &&
		D2D_STEP_DOORBELL == 18 && D2D_STEP_OP_CALL == 19 && D2D_STEP_OP_RETURN == 20 &&
		D2D_STEP_EVENT_CREATE == 21 && D2D_STEP_EVENT_OPEN == 22 &&
		D2D_STEP_EVENT_SET == 23 && D2D_STEP_EVENT_WAIT == 24 && D2D_STEP_PEND == 25 &&
		D2D_STEP_CANCEL == 26 && D2D_STEP_DETACH == 27 && D2D_STEP_RUNDOWN == 28 &&
		D2D_STEP_UNREGISTER == 29 && D2D_STEP_FREE == 30 && D2D_STEP_UNLOAD == 31 &&
		D2D_STEP_REFUSE == 32 && D2D_STEP_UPDATE == 33, "a step");
D2D_AS_RECORDED(D2D_FIELD_ASKED == 1 && D2D_FIELD_BY == 2 && D2D_FIELD_BYTES == 3 &&
		D2D_FIELD_CAPACITY == 4 && D2D_FIELD_CODE == 5 && D2D_FIELD_CTX == 6 &&
		D2D_FIELD_DEMONSTRATION == 7 && D2D_FIELD_DEPTH == 8 && D2D_FIELD_ERRNO == 9 &&
		D2D_FIELD_ERRORS == 10 && D2D_FIELD_EVENTS == 11 && D2D_FIELD_EXPECTED == 12 &&
		D2D_FIELD_FLAGS == 13 && D2D_FIELD_FROM == 14 && D2D_FIELD_FUNCTIONS == 15 &&
		D2D_FIELD_GOT == 16 && D2D_FIELD_HANDLE == 17 && D2D_FIELD_INDEX == 18 &&
		D2D_FIELD_INFO == 19 && D2D_FIELD_INPUT == 20 && D2D_FIELD_INTERFACE == 21 &&
		D2D_FIELD_ITEM == 22 && D2D_FIELD_KIND == 23 && D2D_FIELD_LEFT == 24 &&
		D2D_FIELD_LENGTH == 25 && D2D_FIELD_LOCK == 26 && D2D_FIELD_MAJOR == 27 &&
		D2D_FIELD_MAX == 28 && D2D_FIELD_MIN == 29 && D2D_FIELD_MS == 30 &&
		D2D_FIELD_N == 31 && D2D_FIELD_NAME == 32 && D2D_FIELD_NS == 33 &&
		D2D_FIELD_NUMBER == 34 && D2D_FIELD_OF == 35 && D2D_FIELD_ON_ITS_WAY == 36 &&
		D2D_FIELD_OP == 37 && D2D_FIELD_OUTPUT == 38 && D2D_FIELD_PARAM == 39 &&
		D2D_FIELD_PENDING == 40 && D2D_FIELD_PUT == 41 && D2D_FIELD_QUEUE == 42 &&
		D2D_FIELD_REASON == 43 && D2D_FIELD_REFUSED == 44 && D2D_FIELD_REQ == 45 &&
		D2D_FIELD_RETURNED == 46 && D2D_FIELD_REVOKED == 47 && D2D_FIELD_SERVING == 48 &&
		D2D_FIELD_SET == 49 && D2D_FIELD_STALE == 50 && D2D_FIELD_STATUS == 51 &&
		D2D_FIELD_TAKEN == 52 && D2D_FIELD_TO == 53 && D2D_FIELD_UNSETTLED == 54 &&
		D2D_FIELD_VALUE == 55 && D2D_FIELD_VALUES == 56 && D2D_FIELD_VIA == 57 &&
		D2D_FIELD_WHAT == 58, "a field of a step");

#endif /* D2D_RECORDED_MAJOR == D2D_ABI_MAJOR */

#endif /* D2D_RECORDED_H */
