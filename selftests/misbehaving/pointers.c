// SPDX-License-Identifier: GPL-2.0
/*
 * Test: calls each exported function with bad pointers. In each call, one pointer is bad, and the
 * others are valid. Each pointer gets each bad address of its kind, with each combination of
 * numbers and handles. pointers.awk generates the table of functions from the headers.
 *
 * A function may accept NULL and misaligned addresses. With the other bad addresses (must_fail), a
 * function that returns an int must fail, unless one of its numbers is 0, which may be the length
 * of the memory. It must fail with -EFAULT at least once: this shows that it uses the pointer.
 *
 * After each function, requests and events must work, and no refused call may have had an effect.
 */
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "d2d_event.h"
#include "d2d_hot_step.h"
#include "d2d_request.h"
#include "d2d_table.h"

#define CODE_ECHO	D2D_CTL_CODE(0x900, D2D_METHOD_BUFFERED)
#define CODE_HOLD	D2D_CTL_CODE(0x901, D2D_METHOD_BUFFERED)

enum kind { NUMBER, HANDLE, STRING, INPUT, OUTPUT };

struct argument {
	const char *name;
	const char *type;
	enum kind kind;
};

struct function {
	const char *name;
	int (*call)(const unsigned long *values);
	const struct argument *arguments;
	u32 count;
	bool has_result;
};

#define MAX_ARGUMENTS	8

#include "pointers_calls.h"

/* The two drivers, and the arguments of the calls */
static d2d_handle self;
static d2d_handle receiver;
static d2d_handle target;
static d2d_handle event;
static d2d_handle idle;		/* a request that was never sent */
static d2d_handle done;		/* a completed request with 8 bytes of output */
static d2d_handle pended;	/* the sender's handle of a request that is pending */
static d2d_handle held;		/* the receiver's handle of it */

static struct d2d_send send;
static u64 scratch[64];
static const u64 constant[64] = { 1 };

/* The page after it is not mapped. */
static char *last_page;

static u32 calls;
static u32 failures;

struct bad_pointer {
	const char *name;
	unsigned long address;
	bool must_fail;
	enum kind only;		/* 0: all kinds of pointers get this address */
};

static int serve_echo(const struct d2d_request *request)
{
	u64 value;

	return d2d_request_input(request, &value, sizeof(value)) ?:
	       d2d_request_write(request->handle, &value, sizeof(value));
}

static int dispatch(void *this, const struct d2d_request *request)
{
	int err = -ENOTTY;

	if (request->code == CODE_HOLD) {
		held = request->handle;
		return -D2D_STATUS_PENDING;
	}
	if (request->code == CODE_ECHO)
		err = serve_echo(request);
	return d2d_complete(request->handle, err, 0) ?: err;
}

#define DRIVER(name)	D2D_DRIVER_INIT(name, .dispatch = dispatch, .flags = D2D_DISPATCH_ATOMIC)

static const struct d2d_driver self_driver = DRIVER("pointers");
static const struct d2d_driver receiver_driver = DRIVER("receiver");
/* A valid argument of d2d_register(), whose other pointer is bad */
static const struct d2d_driver third_driver = DRIVER("third");

static __printf(1, 2) void fail(const char *format, ...)
{
	struct va_format text;
	va_list args;

	va_start(args, format);
	text.fmt = format;
	text.va = &args;
	pr_err("pointers: %pV\n", &text);
	va_end(args);
	failures++;
}

static int echo(d2d_handle request)
{
	u64 value = 0x6465726f62;
	u64 answer = 0;
	const struct d2d_send to = D2D_SEND_INIT(target, CODE_ECHO,
		.input = &value,
		.input_len = sizeof(value),
		.output_len = sizeof(answer));
	struct d2d_result result;
	int err;

	err = d2d_request_call(request, &to, D2D_FOREVER, &result, NULL, 0) ?: result.status;
	err = err ?: d2d_request_output(request, &result, &answer, sizeof(answer));
	return err ?: (answer == value ? 0 : -EBADMSG);
}

static int make(void)
{
	struct d2d_send hold;
	int err;

	err = d2d_register(&self_driver, &self) ?: d2d_register(&receiver_driver, &receiver) ?:
	      d2d_lookup("receiver", &target) ?:
	      d2d_event_create(self, "pointers", D2D_EVENT_NOTIFICATION, 1, &event) ?:
	      d2d_request_alloc(self, 64, 64, &idle) ?:
	      d2d_request_alloc(self, 64, 64, &done) ?:
	      d2d_request_alloc(self, 64, 64, &pended) ?: echo(done);
	if (err)
		return err;
	send = d2d_send_to(target, CODE_ECHO);
	hold = d2d_send_to(target, CODE_HOLD);
	hold.output_len = sizeof(u64);
	err = d2d_request_send(pended, &hold);
	return err == -EINPROGRESS ? 0 : -ENOTRECOVERABLE;
}

static void unmake(void)
{
	d2d_unregister(self);
	d2d_unregister(receiver);
}

static void check(const char *after)
{
	int err;

	err = echo(done);
	if (err)
		fail("after %s: a request ended with %d", after, err);
	err = d2d_event_wait(&event, 1, 0, 0, NULL);
	if (err)
		fail("after %s: a wait returned %d", after, err);
	/* The receiver must still hold this request. */
	err = d2d_request_write(held, scratch, sizeof(u64));
	if (err)
		fail("after %s: writing the held request returned %d", after, err);
	/* Each call that could register "third" or create "new" had a bad pointer. */
	if (d2d_lookup("third", &(d2d_handle){ 0 }) != -ENOENT)
		fail("after %s: a refused call has registered a driver", after);
	if (d2d_event_open(self, "new", D2D_EVENT_NOTIFICATION, &(d2d_handle){ 0 }) != -ENOENT)
		fail("after %s: a refused call has created an event", after);
}

static unsigned long valid(const struct argument *argument)
{
	if (argument->kind == STRING)
		return (unsigned long)(strstr(argument->name, "driver") ? "pointers" : "new");
	if (!strcmp(argument->type, "const struct d2d_driver *"))
		return (unsigned long)&third_driver;
	if (!strcmp(argument->type, "const struct d2d_send *"))
		return (unsigned long)&send;
	if (!strcmp(argument->type, "const d2d_handle *"))
		return (unsigned long)&event;
	return (unsigned long)scratch;
}

/*
 * Calls @function with the bad address as argument @which, and with the numbers and handles that
 * @combination selects. Returns whether the function returned -EFAULT.
 */
static bool call(const struct function *function, u32 which, const struct bad_pointer *bad,
		 u32 combination)
{
	const d2d_handle handles[] = { idle, done, pended, held, self, event, target, 0 };
	const struct argument *argument;
	unsigned long values[MAX_ARGUMENTS];
	bool has_zero = false;
	int result;
	u32 n;

	for (n = 0; n < function->count; n++) {
		argument = &function->arguments[n];
		switch (argument->kind) {
		case NUMBER:
			values[n] = combination & 1;
			has_zero |= !values[n];
			combination >>= 1;
			break;
		case HANDLE:
			values[n] = handles[combination % ARRAY_SIZE(handles)];
			combination /= ARRAY_SIZE(handles);
			break;
		default:
			values[n] = n == which ? bad->address : valid(argument);
		}
	}
	result = function->call(values);
	calls++;
	if (result < -MAX_ERRNO || result > 1)
		fail("%s returns %d", function->name, result);
	else if (function->has_result && bad->must_fail && !has_zero && result >= 0)
		fail("%s accepts a pointer that is %s as '%s'", function->name, bad->name,
		     function->arguments[which].name);
	return result == -EFAULT;
}

static u32 combinations(const struct function *function)
{
	u32 count = 1;
	u32 n;

	for (n = 0; n < function->count; n++) {
		if (function->arguments[n].kind == NUMBER)
			count *= 2;
		if (function->arguments[n].kind == HANDLE)
			count *= 8;
	}
	return count;
}

static void call_with_bad(const struct function *function, u32 which, const struct bad_pointer *bad)
{
	bool refused = false;
	u32 n;

	for (n = 0; n < combinations(function); n++)
		refused |= call(function, which, bad, n);
	if (function->has_result && bad->must_fail && !refused)
		fail("%s never returns -EFAULT although '%s' is %s", function->name,
		     function->arguments[which].name, bad->name);
}

/* Passes numbers that are no valid handles. */
static void call_without_pointers(const struct function *function)
{
	const unsigned long wrong[] = { 0, 1, 0x10, U32_MAX, 1UL << 63, ULONG_MAX };
	unsigned long values[MAX_ARGUMENTS];
	int result;
	u32 n, w;

	for (w = 0; w < ARRAY_SIZE(wrong); w++) {
		for (n = 0; n < function->count; n++)
			values[n] = wrong[w];
		result = function->call(values);
		calls++;
		if (function->has_result && (result >= 0 || result < -MAX_ERRNO))
			fail("%s accepts 0x%lx and returns %d", function->name, wrong[w], result);
	}
}

static void try(const struct function *function)
{
	const struct bad_pointer bads[] = {
		{ "small", 0x10, true },
		{ "in user space", current->mm->start_stack & ~7UL, true },
		{ "unmapped", (unsigned long)last_page + PAGE_SIZE, true },
		{ "non-canonical", 0x8000dead00000000, true },
		{ "wrapping", -8UL, true },
		{ "null", 0, false },
		{ "misaligned", (unsigned long)scratch + 1, false },
		{ "unterminated", (unsigned long)last_page + PAGE_SIZE - 8, true, STRING },
#ifdef CONFIG_STRICT_MODULE_RWX
		{ "read-only", (unsigned long)constant, true, OUTPUT },
#endif
	};
	bool has_pointer = false;
	u32 n, b;

	for (n = 0; n < function->count; n++) {
		if (function->arguments[n].kind < STRING)
			continue;
		has_pointer = true;
		for (b = 0; b < ARRAY_SIZE(bads); b++)
			if (!bads[b].only || bads[b].only == function->arguments[n].kind)
				call_with_bad(function, n, &bads[b]);
	}
	if (!has_pointer)
		call_without_pointers(function);
	check(function->name);
}

static void try_input(void)
{
	const unsigned long wrong[] = {
		0, 0x10, (unsigned long)last_page + PAGE_SIZE,
		(unsigned long)last_page + PAGE_SIZE - 4, 0x8000dead00000000,
		current->mm->start_stack & ~7UL,
	};
	struct d2d_send to = d2d_send_to(target, CODE_ECHO);
	u32 n;
	int err;

	to.input_len = sizeof(u64);
	to.output_len = sizeof(u64);
	for (n = 0; n < ARRAY_SIZE(wrong); n++) {
		to.input = (void *)wrong[n];
		err = d2d_request_send(done, &to);
		if (err != -EFAULT)
			fail("a send with an input at 0x%lx returns %d", wrong[n], err);
	}
	check("a bad input");
}

/* The owner must refuse a large input that ends in unmapped memory, and buffers over the limit. */
static void try_large(void)
{
	struct d2d_send to = d2d_send_to(target, CODE_ECHO);
	d2d_handle request = 0;
	int err;

	err = d2d_request_alloc(self, D2D_BUFFER_SIZE, D2D_BUFFER_SIZE, &request);
	if (err) {
		fail("allocating a large request returns %d", err);
		return;
	}
	to.input = last_page + 1;
	to.input_len = D2D_BUFFER_SIZE;
	err = d2d_request_send(request, &to);
	if (err != -EFAULT)
		fail("a send with a large input that ends in unmapped memory returns %d", err);
	to.input_len = D2D_BUFFER_SIZE + 1;
	err = d2d_request_send(request, &to);
	if (err != -EMSGSIZE)
		fail("a send with an input that is too large returns %d", err);
	err = d2d_request_write(held, last_page, D2D_BUFFER_SIZE + 1);
	if (err != -EMSGSIZE)
		fail("writing an output that is too large returns %d", err);
	d2d_request_free(request);
	check("a large input");
}

/* Unmaps @place, the memory for the index of d2d_event_wait(). Then sets events from @first on. */
struct vanishing {
	struct work_struct work;
	struct task_struct *waiter;
	void *place;
	const d2d_handle *events;
	u32 first;
	u32 count;
};

static void vanish(struct work_struct *work)
{
	struct vanishing *this = container_of(work, struct vanishing, work);

	/* When @waiter sleeps, the owner has checked @place, but has not written to it yet. */
	while (task_is_running(this->waiter))
		cond_resched();
	vunmap(this->place);
	vm_unmap_aliases();
	for (u32 n = this->first; n < this->count; n++)
		d2d_event_set(this->events[n]);
}

/* When the events are set, the wait must fail with -EFAULT, and must not reset an event. */
static void try_vanishing_index(const d2d_handle *events, u32 flags)
{
	struct vanishing vanishing = {
		.waiter = current,
		.events = events,
		.first = flags & D2D_EVENT_WAIT_ALL ? 0 : 1,
		.count = 2,
	};
	struct page *page = alloc_page(GFP_KERNEL);
	u32 n;
	int err;

	vanishing.place = page ? vmap(&page, 1, VM_MAP, PAGE_KERNEL) : NULL;
	if (!vanishing.place) {
		fail("no memory for the index");
		goto free;
	}
	INIT_WORK_ONSTACK(&vanishing.work, vanish);
	queue_work(system_dfl_wq, &vanishing.work);
	err = d2d_event_wait(events, 2, flags, 60000, vanishing.place);
	flush_work(&vanishing.work);
	destroy_work_on_stack(&vanishing.work);
	if (err != -EFAULT)
		fail("a wait whose index was unmapped returns %d", err);
	for (n = 0; n < 2; n++) {
		err = d2d_event_wait(&events[n], 1, 0, 0, NULL);
		if (err != (n < vanishing.first ? -ETIMEDOUT : 0))
			fail("event %u, flags %u, after a wait whose index was unmapped: %d",
			     n, flags, err);
	}
free:
	if (page)
		__free_page(page);
}

static void try_vanishing_indices(void)
{
	d2d_handle events[2] = {};
	int err;

	err = d2d_event_create(self, "first", D2D_EVENT_SYNCHRONIZATION, 0, &events[0]) ?:
	      d2d_event_create(self, "second", D2D_EVENT_SYNCHRONIZATION, 0, &events[1]);
	if (err) {
		fail("creating two events returns %d", err);
	} else {
		try_vanishing_index(events, 0);
		try_vanishing_index(events, D2D_EVENT_WAIT_ALL);
	}
	d2d_event_close(events[0]);
	d2d_event_close(events[1]);
}

static int __init pointers_init(void)
{
	struct d2d_result result;
	u32 n;
	int err;

	/* vmalloc() leaves an unmapped guard page after this one. */
	last_page = vmalloc(PAGE_SIZE);
	if (!last_page)
		return -ENOMEM;
	memset(last_page, 'x', PAGE_SIZE);
	err = make();
	for (n = 0; !err && n < ARRAY_SIZE(functions); n++)
		try(&functions[n]);
	if (!err) {
		try_input();
		try_large();
		try_vanishing_indices();
		err = d2d_complete(held, 0, 0) ?: d2d_request_wait(pended, 0, &result);
		if (err || result.status || result.output_len != sizeof(u64))
			fail("the held request ends with %d", err);
	}
	vfree(last_page);
	d2d_event_close(event);
	d2d_request_free(idle);
	d2d_request_free(done);
	d2d_request_free(pended);
	pr_info("pointers: functions=%zu calls=%u failures=%u\n", ARRAY_SIZE(functions), calls,
		failures);
	if (!err && !failures)
		return 0;
	unmake();
	return err ?: -ENOTRECOVERABLE;
}
module_init(pointers_init);

static void __exit pointers_exit(void)
{
	unmake();
}
module_exit(pointers_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: each exported function with bad pointers");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(module_a);
