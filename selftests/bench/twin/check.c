// SPDX-License-Identifier: GPL-2.0
/* Checks what the measured loops do not use. If a check fails, loading this module fails. */
#include <linux/completion.h>
#include <linux/errno.h>
#include <linux/kthread.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "event.h"
#include "peer.h"
#include "queue.h"
#include "request.h"

#define NAME	"check_twin"

static int failures;

static void expect(int line, const char *expression, s64 value, s64 expected)
{
	if (value == expected)
		return;
	pr_err(NAME ": line %d: %s is %lld, not %lld\n", line, expression, value, expected);
	failures++;
}

#define EXPECT(expression, expected) expect(__LINE__, #expression, expression, expected)

#define ECHO	TWIN_CTL_CODE(0x801, 0)
#define PEND	TWIN_CTL_CODE(0x802, 0)
#define NOT_COMPLETED	TWIN_CTL_CODE(0x803, 0)
#define INSIDE	TWIN_CTL_CODE(0x804, 0)

static twin_handle sender, receiver, target;
static twin_handle held, cancelled, completed;
static int completed_status;
static DECLARE_COMPLETION(done);

static int dispatch(void *self, const struct twin_request *request)
{
	u32 value;
	int err;

	switch (request->code) {
	case TWIN_IOCTL_SHARE_CONTEXT:
		/* Neither complete nor pend the handshake: twin_attach() must fail. */
		return 0;
	case ECHO:
		err = twin_request_input(request, &value, sizeof(value)) ?:
		      twin_request_write(request->handle, &value, sizeof(value));
		return twin_complete(request->handle, err, 0) ?: err;
	case PEND:
		held = request->handle;
		return twin_request_set_cancel(held) ?: -TWIN_STATUS_PENDING;
	case INSIDE:
		err = twin_unregister(receiver);
		return twin_complete(request->handle, err, 0) ?: err;
	}
	/* NOT_COMPLETED */
	return 0;
}

static int on_completed(void *self, twin_handle request, const struct twin_result *result)
{
	completed = request;
	completed_status = result->status;
	complete(&done);
	return TWIN_MORE_PROCESSING_REQUIRED;
}

static void on_cancelled(void *self, twin_handle request)
{
	cancelled = request;
}

static const struct twin_driver objects[] = {
	{
		.hdr = TWIN_HEADER(struct twin_driver, TWIN_DRIVER_MAGIC),
		.name = NAME "_sender",
		.owner = THIS_MODULE,
		.dispatch = dispatch,
		.completed = on_completed,
	}, {
		.hdr = TWIN_HEADER(struct twin_driver, TWIN_DRIVER_MAGIC),
		.name = NAME "_receiver",
		.owner = THIS_MODULE,
		.dispatch = dispatch,
		.cancelled = on_cancelled,
	},
};

static void check_drivers(void)
{
	struct twin_driver object = objects[0];
	twin_handle handle;

	EXPECT(twin_register(NULL, &handle), -EFAULT);
	EXPECT(twin_register((void *)8, &handle), -EFAULT);
	object.hdr.magic++;
	EXPECT(twin_register(&object, &handle), -EBADMSG);
	object = objects[0];
	object.hdr.layout++;
	EXPECT(twin_register(&object, &handle), -EBADE);
	object = objects[0];
	object.hdr.size--;
	EXPECT(twin_register(&object, &handle), -EMSGSIZE);
	object = objects[0];
	memset(object.name, 'x', sizeof(object.name));
	EXPECT(twin_register(&object, &handle), -ENAMETOOLONG);
	strscpy(object.name, "a b");
	EXPECT(twin_register(&object, &handle), -EINVAL);
	object = objects[0];
	object.dispatch = NULL;
	EXPECT(twin_register(&object, &handle), -EFAULT);
	object.dispatch = (void *)check_drivers - SZ_1G;
	EXPECT(twin_register(&object, &handle), -ENOEXEC);
	object = objects[0];
	object.owner = (void *)16;
	EXPECT(twin_register(&object, &handle), -EFAULT);
	EXPECT(twin_register(&objects[0], &handle), -ENOTUNIQ);
	EXPECT(twin_attach(sender + (1ull << 32)), -ESTALE);
	EXPECT(twin_detach(sender), -ENOTCONN);
	EXPECT(twin_attach(sender), -EIO);
	EXPECT(twin_detach(sender), -ENOTCONN);
	EXPECT(twin_lookup("nobody", &handle), -ENOENT);
	EXPECT(twin_lookup(NULL, &handle), -EFAULT);
}

static void check_requests(void)
{
	struct twin_send send = twin_send_to(target, ECHO);
	struct twin_result result;
	twin_handle request;
	u32 value = 41, output = 0;

	EXPECT(twin_request_alloc(sender, 4097, 0, &request), -EMSGSIZE);
	EXPECT(twin_request_alloc(sender, sizeof(value), sizeof(value), &request), 0);
	EXPECT(twin_request_wait(request, 0, &result), -ENODATA);
	send.input = &value;
	send.input_len = sizeof(value);
	send.output_len = sizeof(value);
	EXPECT(twin_request_call(request, &send, &output, TWIN_FOREVER), 0);
	EXPECT(output, 41);
	/* With an atomic send, a worker calls the receiver, because the receiver may sleep. */
	send.flags = TWIN_SEND_ATOMIC;
	EXPECT(twin_request_call(request, &send, &output, TWIN_FOREVER), 0);
	send.flags = 0;
	send.input = (void *)8;
	EXPECT(twin_request_send(request, &send), -EFAULT);
	send.input = &value;
	send.input_len = 5;
	EXPECT(twin_request_send(request, &send), -EMSGSIZE);
	send.input_len = 0;
	send.code = TWIN_IOCTL_SHARE_CONTEXT;
	EXPECT(twin_request_send(request, &send), -EINVAL);
	send.code = NOT_COMPLETED;
	EXPECT(twin_request_call(request, &send, &output, TWIN_FOREVER), -EIO);
	send.code = INSIDE;
	EXPECT(twin_request_call(request, &send, &output, TWIN_FOREVER), -EDEADLK);

	/* Three sends: a timeout, a cancel by the sender, and a completion with a bad status */
	send.code = PEND;
	EXPECT(twin_request_send(request, &send), -EINPROGRESS);
	EXPECT(twin_request_send(request, &send), -EBUSY);
	EXPECT(twin_request_read(request, &value, 0), -EBUSY);
	EXPECT(twin_request_wait(request, 1, &result), 0);
	EXPECT(result.status, -ETIMEDOUT);
	EXPECT(cancelled == held, true);
	EXPECT(twin_complete(held, 0, 0), -ECANCELED);
	send.flags = TWIN_SEND_ROUTINE;
	EXPECT(twin_request_send(request, &send), -EINPROGRESS);
	EXPECT(twin_request_cancel(request), 0);
	EXPECT(completed == request && completed_status == -ECANCELED, true);
	EXPECT(twin_request_cancel(request), -EALREADY);
	reinit_completion(&done);
	EXPECT(twin_request_send(request, &send), -EINPROGRESS);
	EXPECT(twin_complete(held, 1, 0), 0);
	wait_for_completion(&done);
	EXPECT(completed_status, -EIO);
	EXPECT(twin_complete(held, 0, 0), -ESTALE);
	EXPECT(twin_request_free(request), 0);
	EXPECT(twin_request_free(request), -ESTALE);

	/* The receiver unregisters, and later the sender frees the request: both cancel it. */
	EXPECT(twin_request_alloc(sender, 0, 0, &request), 0);
	send.flags = 0;
	send.output_len = 0;
	EXPECT(twin_request_send(request, &send), -EINPROGRESS);
	EXPECT(twin_unregister(receiver), 0);
	EXPECT(twin_request_wait(request, TWIN_FOREVER, &result), 0);
	EXPECT(result.status, -ECANCELED);
	EXPECT(twin_request_send(request, &send), -ESTALE);
	EXPECT(twin_register(&objects[1], &receiver), 0);
	EXPECT(twin_request_send(request, &send), -ESTALE);
	EXPECT(twin_lookup(objects[1].name, &send.to), 0);
	EXPECT(twin_request_send(request, &send), -EINPROGRESS);
	EXPECT(twin_request_free(request), 0);
	EXPECT(twin_complete(held, 0, 0), -ECANCELED);
}

static twin_handle events[3];
static int waited;
static u32 waited_index;

static int wait_for_all(void *data)
{
	waited = twin_event_wait(events, 3, TWIN_EVENT_WAIT_ALL, TWIN_FOREVER, NULL);
	complete(&done);
	return 0;
}

static int wait_for_any(void *data)
{
	waited = twin_event_wait(events, 3, 0, TWIN_FOREVER, &waited_index);
	complete(&done);
	return 0;
}

static int begin_to_wait(int (*thread)(void *data))
{
	struct task_struct *task;

	reinit_completion(&done);
	task = kthread_run(thread, NULL, NAME);
	return PTR_ERR_OR_ZERO(task);
}

static void check_events(void)
{
	twin_handle twice[2], other;
	char name[80];
	u32 index, i;

	memset(name, 'n', sizeof(name));
	name[79] = 0;
	EXPECT(twin_event_create(sender, name, 0, 0, &other), -ENAMETOOLONG);
	name[64] = 0;
	EXPECT(twin_event_create(sender, name, 0, 0, &other), -ENAMETOOLONG);
	EXPECT(twin_event_create(sender, "a/b", 0, 0, &other), -EINVAL);
	EXPECT(twin_event_create(sender, "..", 0, 0, &other), -EINVAL);
	EXPECT(twin_event_create(sender, "kind", 2, 0, &other), -EINVAL);
	EXPECT(twin_event_open(sender, "check-0", 0, &other), -ENOENT);
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "check-%u", i);
		EXPECT(twin_event_create(sender, name, TWIN_EVENT_SYNCHRONIZATION, 0, &events[i]),
		       0);
	}
	EXPECT(twin_event_open(sender, "check-0", TWIN_EVENT_NOTIFICATION, &other), -EPROTOTYPE);
	EXPECT(twin_event_open(receiver, "check-0", TWIN_EVENT_SYNCHRONIZATION, &other), 0);
	EXPECT(twin_event_set(other), 0);
	EXPECT(twin_event_set(events[0]), 1);
	EXPECT(twin_event_query(events[0]), 1);
	EXPECT(twin_event_wait(events, 3, 0, 0, &index), 0);
	EXPECT(index, 0);
	EXPECT(twin_event_query(other), 0);
	EXPECT(twin_event_wait(events, 3, 0, 1, NULL), -ETIMEDOUT);
	EXPECT(twin_event_set(events[1]), 0);
	EXPECT(twin_event_reset(events[1]), 0);
	EXPECT(twin_event_wait(&events[1], 1, 0, 0, NULL), -ETIMEDOUT);
	EXPECT(twin_event_wait(events, 0, 0, 0, NULL), -EINVAL);
	EXPECT(twin_event_wait(events, 65, 0, 0, NULL), -EINVAL);
	EXPECT(twin_event_wait(NULL, 1, 0, 0, NULL), -EFAULT);
	twice[0] = events[0];
	twice[1] = other;
	EXPECT(twin_event_wait(twice, 2, 0, 0, NULL), -EINVAL);
	EXPECT(twin_event_close(other), 0);
	EXPECT(twin_event_set(other), -ESTALE);

	EXPECT(begin_to_wait(wait_for_all), 0);
	EXPECT(twin_event_set(events[2]), 0);
	EXPECT(twin_event_set(events[0]), 0);
	EXPECT(completion_done(&done), false);
	EXPECT(twin_event_set(events[1]), 0);
	wait_for_completion(&done);
	EXPECT(waited, 0);
	for (i = 0; i < 3; i++)
		EXPECT(twin_event_query(events[i]), 0);
	EXPECT(begin_to_wait(wait_for_any), 0);
	EXPECT(twin_event_set(events[2]), 0);
	wait_for_completion(&done);
	EXPECT(waited, 0);
	EXPECT(waited_index, 2);
}

/* The routines are not __init, because twin_register() refuses routines in the init text. */
static int __init check_twin_init(void)
{
	int err;

	err = twin_register(&objects[0], &sender);
	if (err)
		return err;
	err = twin_register(&objects[1], &receiver);
	if (!err) {
		EXPECT(twin_lookup(objects[1].name, &target), 0);
		check_drivers();
		check_requests();
		check_events();
		twin_unregister(receiver);
	}
	twin_unregister(sender);
	return failures ? -EBADMSG : err;
}
module_init(check_twin_init);

static void __exit check_twin_exit(void)
{
}
module_exit(check_twin_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Bench: checks of the C twin");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("TWIN");
