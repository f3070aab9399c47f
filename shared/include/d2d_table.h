/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of functions that an owner exports, and how a peer names its owner.
 *
 * The owner NAME exports one symbol, NAME_d2d: a constant table with a pointer to each function of
 * d2d.h, d2d_event.h and d2d_step.h. A peer imports the symbol. So the kernel loads no peer without
 * its owner, and unloads no owner while a peer is loaded.
 *
 * The peer's module has functions of the same names, which call the functions in the owner's table
 * by static calls.
 */
#ifndef D2D_TABLE_H
#define D2D_TABLE_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/static_call.h>
#include <linux/stddef.h>

#include "d2d.h"
#include "d2d_event.h"
#include "d2d_hot_step.h"

/*
 * X(result, name, parameters, arguments): a function, in the order of the table. A new function is
 * appended to the second list. The first list changes only with the major version, because it
 * determines the version of the exported symbol (see D2D_EXPORTED).
 */
#define D2D_FUNCTIONS(X)	D2D_FIRST_FUNCTIONS(X) D2D_LATER_FUNCTIONS(X)

#define D2D_FIRST_FUNCTIONS(X) \
	X(void, d2d_trace, (const struct d2d_record *record), (record)) \
	X(int, d2d_register, (const struct d2d_driver *driver, d2d_handle *handle), \
	  (driver, handle)) \
	X(int, d2d_attach, (d2d_handle driver), (driver)) \
	X(int, d2d_detach, (d2d_handle driver), (driver)) \
	X(int, d2d_leave, (d2d_handle driver), (driver)) \
	X(int, d2d_unregister, (d2d_handle driver), (driver)) \
	X(int, d2d_lookup, (const char *name, d2d_handle *driver), (name, driver)) \
	X(int, d2d_request_alloc, \
	  (d2d_handle driver, u32 input_size, u32 output_size, d2d_handle *request), \
	  (driver, input_size, output_size, request)) \
	X(int, d2d_request_send, (d2d_handle request, const struct d2d_send *send), \
	  (request, send)) \
	X(int, d2d_request_call, \
	  (d2d_handle request, const struct d2d_send *send, u32 ms, struct d2d_result *result, \
	   void *output, u32 output_len), \
	  (request, send, ms, result, output, output_len)) \
	X(int, d2d_request_wait, (d2d_handle request, u32 ms, struct d2d_result *result), \
	  (request, ms, result)) \
	X(int, d2d_request_cancel, (d2d_handle request), (request)) \
	X(int, d2d_request_free, (d2d_handle request), (request)) \
	X(int, d2d_request_read, (d2d_handle request, void *buffer, u32 len), \
	  (request, buffer, len)) \
	X(int, d2d_request_write, (d2d_handle request, const void *buffer, u32 len), \
	  (request, buffer, len)) \
	X(int, d2d_request_set_cancel, (d2d_handle request), (request)) \
	X(int, d2d_request_pend, (d2d_handle request), (request)) \
	X(int, d2d_request_forward, (d2d_handle request, const struct d2d_send *send), \
	  (request, send)) \
	X(int, d2d_complete, (d2d_handle request, int status, u64 information), \
	  (request, status, information)) \
	X(int, d2d_complete_with, \
	  (d2d_handle request, int status, u64 information, u32 output_len), \
	  (request, status, information, output_len)) \
	X(int, d2d_event_create, \
	  (d2d_handle driver, const char *name, u32 kind, u32 initial, d2d_handle *event), \
	  (driver, name, kind, initial, event)) \
	X(int, d2d_event_open, \
	  (d2d_handle driver, const char *name, u32 kind, d2d_handle *event), \
	  (driver, name, kind, event)) \
	X(int, d2d_event_close, (d2d_handle event), (event)) \
	X(int, d2d_event_set, (d2d_handle event), (event)) \
	X(int, d2d_event_reset, (d2d_handle event), (event)) \
	X(int, d2d_event_query, (d2d_handle event), (event)) \
	X(void, d2d_event_ring, (d2d_handle event), (event)) \
	X(int, d2d_event_wait, \
	  (const d2d_handle *events, u32 count, u32 flags, u32 timeout, u32 *index), \
	  (events, count, flags, timeout, index)) \
	X(int, d2d_event_on_set, \
	  (d2d_handle event, d2d_event_routine routine, void *argument), \
	  (event, routine, argument))

#define D2D_LATER_FUNCTIONS(X)

#define D2D_COUNT_FUNCTION(result, name, parameters, arguments)	+ 1
enum { D2D_FUNCTION_COUNT = 0 D2D_FUNCTIONS(D2D_COUNT_FUNCTION) };

/* "TABL" */
#define D2D_TABLE_MAGIC		0x4c424154u

/*
 * In all major versions, d2d_trace and d2d_register have the same places. So a peer of another
 * major version finds d2d_register() here, and this function refuses the peer.
 */
#define D2D_TABLE_MEMBER(result, name, parameters, arguments)	result (*name) parameters;
struct d2d_table {
	struct d2d_header hdr;
	D2D_FUNCTIONS(D2D_TABLE_MEMBER)
};

static_assert(sizeof(struct d2d_table) ==
	      sizeof(struct d2d_header) + D2D_FUNCTION_COUNT * sizeof(void *));

/* Whether the owner has this function. The owner may be older, or of another major version. */
#define D2D_OWNER_HAS(name)							\
	(offsetofend(struct d2d_table, name) <=					\
	 offsetofend(struct d2d_table, d2d_register) ||				\
	 (d2d_the_owner->hdr.major == D2D_ABI_MAJOR &&				\
	  offsetofend(struct d2d_table, name) <= d2d_the_owner->hdr.size))

/*
 * A peer's function "name". Its static call first goes to "name_by_table". d2d_register() directs
 * the call to the owner's function, if the owner has it. The peer's two functions are notrace, so
 * that the compiler adds no code for ftrace to hot paths.
 */
#define D2D_PEER_FUNCTION(result, name, parameters, arguments)			\
static result notrace name##_by_table parameters				\
{										\
	if (!D2D_OWNER_HAS(name))						\
		return (result)-EOPNOTSUPP;					\
	return d2d_the_owner->name arguments;					\
}										\
DEFINE_STATIC_CALL(name, name##_by_table);					\
										\
result notrace name parameters							\
{										\
	if (!__builtin_strcmp(#name, "d2d_register"))				\
		d2d_bind();							\
	return static_call(name) arguments;					\
}

#define D2D_BIND(result, name, parameters, arguments)				\
	if (D2D_OWNER_HAS(name))						\
		static_call_update(name, d2d_the_owner->name);

#define D2D_PEER_FUNCTIONS							\
	static void d2d_bind(void);						\
	D2D_FUNCTIONS(D2D_PEER_FUNCTION)					\
	static void d2d_bind(void) { D2D_FUNCTIONS(D2D_BIND) }

/*
 * Makes this module a peer of an owner, as in "D2D_OWNER(module_a);". A peer in C has this line in
 * one of its files, beside MODULE_IMPORT_NS("D2D"). In Rust, module_peer! does the same.
 */
#define D2D_OWNER(owner)	D2D_PEER_OF(owner)
#define D2D_PEER_OF(owner)						\
	extern const struct d2d_table owner##_d2d;			\
	static const struct d2d_table *const d2d_the_owner = &owner##_d2d; \
	D2D_PEER_FUNCTIONS						\
	D2D_DEFINE_HOT_KEYS

#define D2D_TABLE_ENTRY(result, name, parameters, arguments)	.name = name,

/*
 * The type of the exported symbol: the header and the functions that all minor versions have. The
 * kernel computes the version of the symbol (CONFIG_MODVERSIONS) from this type, whose name
 * contains the major version. So the loader refuses a peer of another major version, and one that
 * was built with another signature of one of these functions.
 */
#define D2D_EXPORTED		D2D_EXPORTED_OF(D2D_ABI_MAJOR)
#define D2D_EXPORTED_OF(major)	D2D_EXPORTED_AS(major)
#define D2D_EXPORTED_AS(major)	d2d_table_##major
struct D2D_EXPORTED {
	struct d2d_header hdr;
	D2D_FIRST_FUNCTIONS(D2D_TABLE_MEMBER)
};

/*
 * With this rule, the version of an exported symbol does not depend on the members of the
 * structure: see the kernel's Documentation/kbuild/gendwarfksyms.rst. If the members change,
 * D2D_LAYOUT changes instead, except for those of d2d_record.
 */
#define D2D_DECLARED_ONLY(name)								\
	static const char name##_rule[] __used __aligned(1)				\
		__section(".discard.gendwarfksyms.kabi_rules") = "1\0declonly\0" #name "\0"

/* Exports the table of an owner, as in "D2D_EXPORT_TABLE(module_a);". */
#define D2D_EXPORT_TABLE(owner)	D2D_TABLE_OF(owner)
#define D2D_TABLE_OF(owner)								\
	D2D_DECLARED_ONLY(d2d_driver);							\
	D2D_DECLARED_ONLY(d2d_record);							\
	D2D_DECLARED_ONLY(d2d_send);							\
	D2D_DECLARED_ONLY(d2d_result);							\
	static const struct d2d_table owner##_table __used = {				\
		.hdr = D2D_HEADER_INIT(D2D_TABLE_MAGIC, struct d2d_table),		\
		D2D_FUNCTIONS(D2D_TABLE_ENTRY)						\
	};										\
	extern const struct D2D_EXPORTED owner##_d2d __alias(owner##_table);		\
	EXPORT_SYMBOL_NS_GPL(owner##_d2d, "D2D")

#endif /* D2D_TABLE_H */
