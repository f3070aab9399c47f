/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The steps of the trace. A step is one struct d2d_record, from which the owner makes the line in
 * dmesg and the tracepoint:
 *
 *   module_a: d2d: seq=12 load=8231 in=task step=call-driver to=module_b code=0x00222003 ctx=c0
 *
 * The Rust types, the tracepoints and the trace tool take the steps and fields from this file.
 */
#ifndef D2D_STEP_H
#define D2D_STEP_H

#include <linux/string.h>
#include <linux/types.h>

/*
 * X(constant, tracepoint, name in the line, group): a step. A hot step has one of the groups in
 * D2D_GROUPS() of d2d.h. Every other step has the group "none".
 */
#define D2D_STEPS(X) \
	X(LOAD, load, "load", none) /* a driver's initialization begins */ \
	X(ALLOC, alloc, "alloc", none) \
	X(INIT_LOCK, init_lock, "init-lock", none) \
	X(INIT_QUEUE, init_queue, "init-queue", none) \
	X(EXPORT, export, "export", none) /* the owner's table can be used */ \
	X(REGISTER, register, "register", none) \
	X(LOOKUP, lookup, "lookup", none) /* the owner looks a driver up */ \
	X(BUILD_REQUEST, build_request, "build-request", requests) \
	X(CALL_DRIVER, call_driver, "call-driver", requests) \
	X(DISPATCH, dispatch, "dispatch", requests) \
	X(ADOPT, adopt, "adopt", none) /* the peer saves the context's address */ \
	X(FILL, fill, "fill", none) /* the peer fills in its functions and data */ \
	X(COMPLETE, complete, "complete", requests) \
	X(COMPLETION, completion, "completion", requests) /* the sender gets the result */ \
	X(ATTACHED, attached, "attached", none) /* from here on both sides may use the context */ \
	X(ENQUEUE, enqueue, "enqueue", queues) \
	X(DEQUEUE, dequeue, "dequeue", queues) \
	X(DRAIN, drain, "drain", none) /* queued items are freed, or handles revoked */ \
	X(DOORBELL, doorbell, "doorbell", queues) \
	X(OP_CALL, op_call, "op-call", ops) \
	X(OP_RETURN, op_return, "op-return", ops) /* the operation has returned */ \
	X(EVENT_CREATE, event_create, "event-create", none) \
	X(EVENT_OPEN, event_open, "event-open", none) \
	X(EVENT_SET, event_set, "event-set", events) \
	X(EVENT_WAIT, event_wait, "event-wait", events) \
	X(PEND, pend, "pend", requests) /* a driver leaves a request pending */ \
	X(CANCEL, cancel, "cancel", requests) /* a pending request is cancelled */ \
	X(DETACH, detach, "detach", none) /* detaching begins: new calls are refused */ \
	X(RUNDOWN, rundown, "rundown", none) /* the last call into the driver has returned */ \
	X(UNREGISTER, unregister, "unregister", none) \
	X(FREE, free, "free", none) \
	X(UNLOAD, unload, "unload", none) /* a driver's exit is done */ \
	X(REFUSE, refuse, "refuse", none) /* something is refused, with the reason */ \
	X(UPDATE, update, "update", none) /* a driver updates the shared data */

#define D2D_STEP_CONSTANT(constant, tracepoint, name, group)	D2D_STEP_##constant,
enum d2d_step { D2D_STEPS(D2D_STEP_CONSTANT) D2D_STEP_COUNT };

/**
 * enum d2d_form - how a line shows the number of a field
 * @D2D_FORM_NUMBER: 42
 * @D2D_FORM_SIGNED: -19
 * @D2D_FORM_HEX: 0x2a
 * @D2D_FORM_HEX2: 0x0f
 * @D2D_FORM_HEX8: 0x00222003
 * @D2D_FORM_CONTEXT: c0
 * @D2D_FORM_REQUEST: r0
 */
enum d2d_form {
	D2D_FORM_NUMBER,
	D2D_FORM_SIGNED,
	D2D_FORM_HEX,
	D2D_FORM_HEX2,
	D2D_FORM_HEX8,
	D2D_FORM_CONTEXT,
	D2D_FORM_REQUEST,
};

/*
 * X(constant, name, form): a field. The form is that of the field's number; a text does not use it.
 * All lines of a step have their fields in the same order.
 */
#define D2D_FIELDS(X) \
	X(ASKED, asked, NUMBER) X(BY, by, NUMBER) X(BYTES, bytes, NUMBER) \
	X(CAPACITY, capacity, NUMBER) X(CODE, code, HEX8) X(CTX, ctx, CONTEXT) \
	X(DEMONSTRATION, demonstration, NUMBER) X(DEPTH, depth, NUMBER) X(ERRNO, errno, SIGNED) \
	X(ERRORS, errors, NUMBER) X(EVENTS, events, NUMBER) X(EXPECTED, expected, HEX) \
	X(FLAGS, flags, HEX) X(FROM, from, NUMBER) X(FUNCTIONS, functions, NUMBER) \
	X(GOT, got, HEX) X(HANDLE, handle, HEX) X(INDEX, index, NUMBER) X(INFO, info, NUMBER) \
	X(INPUT, input, NUMBER) X(INTERFACE, interface, NUMBER) X(ITEM, item, NUMBER) \
	X(KIND, kind, NUMBER) X(LEFT, left, NUMBER) X(LENGTH, length, NUMBER) \
	X(LOCK, lock, NUMBER) X(MAJOR, major, HEX2) X(MAX, max, NUMBER) X(MIN, min, NUMBER) \
	X(MS, ms, NUMBER) X(N, n, NUMBER) X(NAME, name, NUMBER) X(NS, ns, NUMBER) \
	X(NUMBER, number, NUMBER) X(OF, of, NUMBER) X(ON_ITS_WAY, on_its_way, NUMBER) \
	X(OP, op, NUMBER) X(OUTPUT, output, NUMBER) X(PARAM, param, NUMBER) \
	X(PENDING, pending, NUMBER) X(PUT, put, NUMBER) X(QUEUE, queue, NUMBER) \
	X(REASON, reason, NUMBER) X(REFUSED, refused, NUMBER) X(REQ, req, REQUEST) \
	X(RETURNED, returned, SIGNED) X(REVOKED, revoked, NUMBER) X(SERVING, serving, NUMBER) \
	X(SET, set, NUMBER) X(STALE, stale, NUMBER) X(STATUS, status, SIGNED) \
	X(TAKEN, taken, NUMBER) X(TO, to, NUMBER) X(UNSETTLED, unsettled, NUMBER) \
	X(VALUE, value, NUMBER) X(VALUES, values, NUMBER) X(VIA, via, NUMBER) \
	X(WHAT, what, NUMBER)

#define D2D_FIELD_CONSTANT(constant, name, form)	D2D_FIELD_##constant,
enum d2d_key { D2D_FIELD_END, D2D_FIELDS(D2D_FIELD_CONSTANT) D2D_FIELD_COUNT };

/**
 * struct d2d_field - a field of a step: a number, or a text
 * @value: the number, or the address of the text
 * @key: enum d2d_key
 * @length: bytes of the text; D2D_IS_NUMBER if it is a number
 */
struct d2d_field {
	u64 value;
	u32 key;
	u32 length;
};

#define D2D_IS_NUMBER		0xffffffffu
/* The most fields of a step. */
#define D2D_RECORD_FIELDS	10

/**
 * struct d2d_record - a step
 * @driver: the name of the driver that takes the step
 * @driver_length: bytes of this name
 * @step: enum d2d_step
 * @flags: D2D_RECORD_HOT or 0
 * @reserved: 0
 * @fields: the fields; D2D_FIELD_END ends them
 */
struct d2d_record {
	const char *driver;
	u32 driver_length;
	u32 step;
	u32 flags;
	u32 reserved;
	struct d2d_field fields[D2D_RECORD_FIELDS];
};

/* The step is hot: it gets a line only if the owner prints the steps of its group. */
#define D2D_RECORD_HOT		0x1

/* Room for the fields in a line, with the NUL, in bytes. A longer text is cut off. */
#define D2D_DETAIL_SIZE		160

/**
 * d2d_trace() - print the line of a step, if it gets one, and hit its tracepoint
 * @record: the step
 *
 * A function of the owner. It prints "?" for the name of an unknown field, for a text that it
 * cannot read, and for each byte of a text that is not a visible ASCII character. It refuses a
 * record that it cannot read, or whose step does not exist.
 *
 * Context: Any context but NMI. Calls no routine of a driver.
 */
void d2d_trace(const struct d2d_record *record);

/* A field in the braces of D2D_RECORD(), for example D2D_NUMBER(CTX, context->id). */
#define D2D_NUMBER(constant, number) \
	{ .value = (u64)(s64)(number), .key = D2D_FIELD_##constant, .length = D2D_IS_NUMBER }
#define D2D_TEXT(constant, text) \
	{ .value = (unsigned long)(text), .key = D2D_FIELD_##constant, .length = strlen(text) }

/* The address of a record, for example D2D_RECORD("my_driver", ADOPT, 0, D2D_NUMBER(CTX, 0)). */
#define D2D_RECORD(name, constant, flag, ...)				\
	(&(const struct d2d_record) {					\
		.driver = (name),					\
		.driver_length = strlen(name),				\
		.step = D2D_STEP_##constant,				\
		.flags = (flag),					\
		.fields = { __VA_ARGS__ },				\
	})

/**
 * d2d_refuse() - print the step "refuse"
 * @driver: the name of the driver that refuses
 * @reason: the reason
 * @err: the negative errno
 * @got: what the driver has got
 * @expected: what it has expected
 *
 * Context: Any context.
 *
 * Return: @err
 */
static inline int d2d_refuse(const char *driver, const char *reason, int err, u64 got, u64 expected)
{
	d2d_trace(D2D_RECORD(driver, REFUSE, 0, D2D_TEXT(REASON, reason), D2D_NUMBER(ERRNO, err),
			     D2D_NUMBER(GOT, got), D2D_NUMBER(EXPECTED, expected)));
	return err;
}

#endif /* D2D_STEP_H */
