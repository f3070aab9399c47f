// SPDX-License-Identifier: GPL-2.0
/*
 * Test: a driver unregisters while the *subject* is in a certain stage. The subject is a request,
 * an event, a handshake or an operation. It stays in the stage because a routine sleeps in a
 * checkpoint, a thread waits or repeats a call, or a driver keeps a request pending.
 *
 * The test writes these commands to /sys/kernel/debug/d2d-unregistering/do:
 *
 *   reach SUBJECT STAGE HOW	registers the drivers, and brings the subject into the stage
 *   unregister DRIVER		starts a thread in which this driver unregisters, and returns
 *				when the thread has ended or sleeps
 *   end			opens the checkpoints, and waits for all threads
 *
 * After "end", the file "seen" has one line: the OBSERVER=RESULT of unregistering.table for each
 * thread. If a thread does not end in time, the line has "hung=NAME:PID,..." instead, and all later
 * commands fail.
 */
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "d2d_table.h"
#include "unregistering.h"

/* The time limit of a command */
#define LIMIT		(30 * HZ)
/* The least time that the threads have to end, after the subject's end() has returned */
#define GRACE		(5 * HZ)
#define THREADS		12
/* Sizes of texts: a command, the file "seen", an errno */
#define LINE		96
#define SEEN		512
#define ERRNO_TEXT	24

static const struct subject * const subjects[] = { &requests, &events, &handshakes, &operations };

struct unreg_driver drivers[DRIVERS];
static struct unreg_thread threads[THREADS];
static int thread_count;
static const struct subject *subject;
static void (*unregister_by)(struct unreg_thread *thread);
static int unregistering_cpu;
static bool hung;
static unsigned long deadline;	/* of the command, in jiffies */
static char seen[SEEN];
static size_t seen_length;

void unreg_note(const char *name, const char *format, ...)
{
	va_list args;

	seen_length += scnprintf(seen + seen_length, SEEN - seen_length, "%s%s=",
				 seen_length ? " " : "", name);
	va_start(args, format);
	seen_length += vscnprintf(seen + seen_length, SEEN - seen_length, format, args);
	va_end(args);
}

static const char *errno_text(int err, char *text)
{
	static const struct {
		int err;
		const char *name;
	} names[] = {
		{ 0, "0" }, { -ECANCELED, "ECANCELED" }, { -ESTALE, "ESTALE" },
		{ -ESHUTDOWN, "ESHUTDOWN" }, { -EBUSY, "EBUSY" }, { -EALREADY, "EALREADY" },
		{ -EINPROGRESS, "EINPROGRESS" }, { -ENOTCONN, "ENOTCONN" },
		{ -ETIMEDOUT, "ETIMEDOUT" }, { -ENOENT, "ENOENT" }, { -EPERM, "EPERM" },
	};

	for (size_t n = 0; n < ARRAY_SIZE(names); n++)
		if (names[n].err == err)
			return names[n].name;
	snprintf(text, ERRNO_TEXT, "%d", err);
	return text;
}

void unreg_note_error(const char *name, int err)
{
	char text[ERRNO_TEXT];

	unreg_note(name, "%s", errno_text(err, text));
}

unsigned long unreg_time_left(void)
{
	return max_t(long, deadline - jiffies, 1);
}

/* Checkpoints */

void unreg_close_checkpoint(struct checkpoint *checkpoint)
{
	init_completion(&checkpoint->entered);
	init_completion(&checkpoint->opened);
	WRITE_ONCE(checkpoint->closed, true);
}

int unreg_await_thread_in(struct checkpoint *checkpoint)
{
	if (!wait_for_completion_timeout(&checkpoint->entered, unreg_time_left()))
		return -ETIMEDOUT;
	return 0;
}

static void pass(struct checkpoint *checkpoint)
{
	if (!READ_ONCE(checkpoint->closed))
		return;
	complete(&checkpoint->entered);
	wait_for_completion(&checkpoint->opened);
}

static void open_checkpoint(struct checkpoint *checkpoint)
{
	if (!checkpoint->closed)
		return;
	WRITE_ONCE(checkpoint->closed, false);
	complete_all(&checkpoint->opened);
}

/* Routines of the drivers */

static void enter_routine(struct unreg_driver *driver)
{
	atomic_inc(&driver->inside);
	if (READ_ONCE(driver->unregistered))
		atomic_inc(&driver->called_after);
}

static int leave_routine(struct unreg_driver *driver, int returned)
{
	atomic_dec(&driver->inside);
	return returned;
}

static int forward(struct unreg_driver *driver, const struct d2d_request *request)
{
	struct d2d_send send = d2d_send_to(driver->next->target, request->code);
	int err;

	send.flags = driver->in_dispatch == FORWARDS_BACK ? D2D_SEND_ROUTINE : 0;
	err = d2d_request_forward(request->handle, &send);
	if (err && err != -EINPROGRESS)
		return d2d_complete(request->handle, err, 0) ?: err;
	return -D2D_STATUS_PENDING;
}

static int react(struct unreg_driver *driver, const struct d2d_request *request)
{
	int err = 0;

	switch (driver->in_dispatch) {
	case FORWARDS:
	case FORWARDS_BACK:
		return forward(driver, request);
	case PENDS_NOTIFIED:
		d2d_request_set_cancel(request->handle);
		fallthrough;
	case PENDS:
		return -D2D_STATUS_PENDING;
	case REFUSES:
		err = -EPERM;
		break;
	case WAITS:
		err = d2d_event_wait(&driver->event, 1, 0, D2D_EVENT_FOREVER, NULL);
		break;
	case SETS:
		d2d_event_set(driver->event);
		break;
	case ANSWERS:
		if (request->code == D2D_IOCTL_SHARE_CONTEXT)
			return unreg_adopt(driver);
		break;
	}
	d2d_complete(request->handle, err, 0);
	return err;
}

static int unreg_dispatch(void *self, const struct d2d_request *request)
{
	struct unreg_driver *driver = self;
	int err;

	enter_routine(driver);
	WRITE_ONCE(driver->received, request->handle);
	if (request->code == D2D_IOCTL_SHARE_CONTEXT)
		driver->context = request->user_buffer;
	pass(&driver->before);
	err = react(driver, request);
	pass(&driver->after);
	return leave_routine(driver, err);
}

static int unreg_returned(void *self, const struct d2d_request *request,
			  const struct d2d_result *result)
{
	struct unreg_driver *driver = self;

	enter_routine(driver);
	driver->returned_status = result->status;
	pass(&driver->returned);
	if (driver->in_returned == WAITS)
		d2d_event_wait(&driver->event, 1, 0, D2D_EVENT_FOREVER, NULL);
	return leave_routine(driver, result->status);
}

static int unreg_completed(void *self, d2d_handle request, const struct d2d_result *result)
{
	struct unreg_driver *driver = self;

	enter_routine(driver);
	driver->completed_status = result->status;
	complete(&driver->completed_called);
	pass(&driver->completed);
	if (driver->in_completed == SETS)
		driver->completed_err = d2d_event_set(driver->event);
	else if (driver->in_completed == WAITS)
		driver->completed_err = d2d_event_wait(&driver->event, 1, 0, D2D_EVENT_FOREVER,
						       NULL);
	return leave_routine(driver, D2D_MORE_PROCESSING_REQUIRED);
}

static void unreg_cancelled(void *self, d2d_handle request)
{
	struct unreg_driver *driver = self;

	enter_routine(driver);
	atomic_inc(&driver->notified);
	pass(&driver->cancelled);
	leave_routine(driver, 0);
}

/*
 * Registers a driver, and resets its fields. A driver that is registered under this name already
 * keeps its handles.
 */
static int prepare(struct unreg_driver *driver, const char *name)
{
	bool is_registered = driver->self && !driver->unregistered &&
			     !strcmp(driver->object.name, name);
	struct unreg_driver fresh = {
		.object = D2D_DRIVER_INIT("",
			.self = driver,
			.dispatch = unreg_dispatch,
			.returned = unreg_returned,
			.completed = unreg_completed,
			.cancelled = unreg_cancelled,
		),
		.returned_status = NO_STATUS,
		.completed_status = NO_STATUS,
	};

	strscpy(fresh.object.name, name);
	if (is_registered) {
		fresh.self = driver->self;
		fresh.target = driver->target;
	} else if (driver->self && !driver->unregistered) {
		d2d_unregister(driver->self);
	}
	*driver = fresh;
	init_completion(&driver->completed_called);
	if (is_registered)
		return 0;
	return d2d_register(&driver->object, &driver->self) ?: d2d_lookup(name, &driver->target);
}

/* Threads */

static int run_thread(void *data)
{
	struct unreg_thread *thread = data;

	WRITE_ONCE(thread->started, true);
	thread->run(thread);
	complete_all(&thread->done);
	return 0;
}

struct unreg_thread *unreg_start(const char *name, void (*run)(struct unreg_thread *thread),
				 struct unreg_thread plan, int cpu)
{
	struct unreg_thread *thread;

	if (WARN_ON(thread_count == THREADS))
		return NULL;
	thread = &threads[thread_count];
	*thread = plan;
	thread->name = name;
	thread->run = run;
	init_completion(&thread->done);
	thread->task = kthread_create(run_thread, thread, "unreg-%s", name);
	if (IS_ERR(thread->task))
		return NULL;
	thread_count++;
	get_task_struct(thread->task);
	if (cpu >= 0)
		kthread_bind(thread->task, cpu);
	wake_up_process(thread->task);
	return thread;
}

static bool is_settled(struct unreg_thread *thread)
{
	return completion_done(&thread->done) ||
	       (READ_ONCE(thread->started) && !task_is_running(thread->task));
}

int unreg_settle(struct unreg_thread *thread)
{
	if (!thread)
		return -ENOMEM;
	while (!is_settled(thread)) {
		if (time_after(jiffies, deadline))
			return -ETIMEDOUT;
		usleep_range(50, 100);
	}
	return 0;
}

bool unreg_has_thread(const char *name)
{
	for (int n = 0; n < thread_count; n++)
		if (!strcmp(threads[n].name, name))
			return true;
	return false;
}

void unreg_await(const char *name)
{
	for (int n = 0; n < thread_count; n++)
		if (!strcmp(threads[n].name, name) &&
		    !wait_for_completion_timeout(&threads[n].done, unreg_time_left()))
			unreg_note("still-runs", "%s", name);
}

bool unreg_is_running(const char *name)
{
	for (int n = 0; n < thread_count; n++)
		if (!strcmp(threads[n].name, name) && !completion_done(&threads[n].done))
			return true;
	return false;
}

/* Waits for all threads. Notes those that do not end in time. */
static int join_threads(void)
{
	char stuck[SEEN / 2] = "";
	size_t length = 0;

	if (time_after(jiffies + GRACE, deadline))
		deadline = jiffies + GRACE;
	for (int n = 0; n < thread_count; n++) {
		struct unreg_thread *thread = &threads[n];

		if (!thread->task)
			continue;
		if (!wait_for_completion_timeout(&thread->done, unreg_time_left())) {
			length += scnprintf(stuck + length, sizeof(stuck) - length, "%s%s:%d",
					    length ? "," : "", thread->name,
					    task_pid_nr(thread->task));
			continue;
		}
		kthread_stop(thread->task);
		put_task_struct(thread->task);
		thread->task = NULL;
	}
	if (!length)
		return 0;
	unreg_note("hung", "%s", stuck);
	hung = true;
	/* Keeps this module loaded: the threads that hang are inside its code. */
	__module_get(THIS_MODULE);
	return -ETIMEDOUT;
}

static void note_threads(void)
{
	for (int n = 0; n < thread_count; n++) {
		char text[2][ERRNO_TEXT];
		struct unreg_thread *thread = &threads[n];

		if (thread->has_status)
			unreg_note(thread->name, "%s/%s", errno_text(thread->err, text[0]),
				   errno_text(thread->status, text[1]));
		else
			unreg_note_error(thread->name, thread->err);
	}
}

/* In a hard interrupt */

struct interrupt {
	struct hrtimer timer;
	struct completion done;
	int (*run)(void);
	int err;
};

static enum hrtimer_restart in_interrupt_run(struct hrtimer *timer)
{
	struct interrupt *interrupt = container_of(timer, struct interrupt, timer);

	interrupt->err = interrupt->run();
	complete(&interrupt->done);
	return HRTIMER_NORESTART;
}

int unreg_in_hardirq(int (*run)(void))
{
	struct interrupt interrupt = { .run = run };

	init_completion(&interrupt.done);
	hrtimer_setup_on_stack(&interrupt.timer, in_interrupt_run, CLOCK_MONOTONIC,
			       HRTIMER_MODE_REL);
	hrtimer_start(&interrupt.timer, ns_to_ktime(NSEC_PER_USEC), HRTIMER_MODE_REL);
	wait_for_completion(&interrupt.done);
	hrtimer_cancel(&interrupt.timer);
	destroy_hrtimer_on_stack(&interrupt.timer);
	return interrupt.err;
}

/* Commands */

void unreg_unregister_by(void (*run)(struct unreg_thread *thread), int cpu)
{
	unregister_by = run;
	unregistering_cpu = cpu;
}

void unreg_unregister(struct unreg_thread *thread)
{
	struct unreg_driver *driver = thread->driver;

	thread->err = d2d_unregister(driver->self);
	if (thread->err)
		return;
	WRITE_ONCE(driver->unregistered, true);
	if (atomic_read(&driver->inside))
		atomic_inc(&driver->called_after);
}

static int command_reach(char *line)
{
	const char *name = strsep(&line, " ");
	const char *stage_name = line ? strsep(&line, " ") : NULL;
	const char *how = line ?: "";
	int err = 0;

	subject = NULL;
	for (size_t n = 0; n < ARRAY_SIZE(subjects); n++)
		if (!strcmp(subjects[n]->name, name))
			subject = subjects[n];
	if (!subject || !stage_name)
		return -ENOENT;
	seen_length = 0;
	thread_count = 0;
	unreg_unregister_by(subject->unregister, -1);
	for (int n = 0; n < DRIVERS && !err; n++)
		err = prepare(&drivers[n], subject->names[n]);
	if (err)
		return err;
	for (const struct stage *stage = subject->stages; stage->name; stage++)
		if (!strcmp(stage->name, stage_name))
			return stage->reach(how);
	return -ENOENT;
}

static int command_unregister(char *line)
{
	struct unreg_thread *thread;

	for (int n = 0; n < DRIVERS; n++) {
		if (strcmp(drivers[n].object.name, line))
			continue;
		thread = unreg_start("unregister", unregister_by,
				     (struct unreg_thread){ .driver = &drivers[n] },
				     unregistering_cpu);
		/* If the thread still runs, the command "end" reports it. */
		return thread ? (unreg_settle(thread), 0) : -ENOMEM;
	}
	return -ENOENT;
}

static void wait_until_no_routine_runs(void)
{
	for (int n = 0; n < DRIVERS; n++)
		while (atomic_read(&drivers[n].inside)) {
			if (time_after(jiffies, deadline)) {
				unreg_note("inside", "%s", drivers[n].object.name);
				return;
			}
			usleep_range(50, 100);
		}
}

static int command_end(char *line)
{
	int called_after = 0;
	int err;

	if (!subject)
		return -ENOENT;
	for (int n = 0; n < DRIVERS; n++) {
		struct unreg_driver *driver = &drivers[n];

		open_checkpoint(&driver->before);
		open_checkpoint(&driver->after);
		open_checkpoint(&driver->returned);
		open_checkpoint(&driver->completed);
		open_checkpoint(&driver->cancelled);
	}
	subject->end();
	err = join_threads();
	if (err)
		return err;
	note_threads();
	if (subject->report)
		subject->report();
	wait_until_no_routine_runs();
	subject->clean();
	for (int n = 0; n < DRIVERS; n++)
		called_after += atomic_read(&drivers[n].called_after);
	if (called_after)
		unreg_note("calls-after-unregistering", "%d", called_after);
	return 0;
}

static ssize_t do_write(struct file *file, const char __user *buffer, size_t count, loff_t *offset)
{
	static const struct {
		const char *name;
		int (*run)(char *line);
	} commands[] = {
		{ "reach", command_reach },
		{ "unregister", command_unregister },
		{ "end", command_end },
	};
	static DEFINE_MUTEX(lock);
	char text[LINE] = {};
	char *line = text;
	const char *name;
	int err = -ENOENT;

	if (count >= sizeof(text))
		return -E2BIG;
	if (copy_from_user(text, buffer, count))
		return -EFAULT;
	if (count && text[count - 1] == '\n')
		text[count - 1] = 0;
	name = strsep(&line, " ");
	mutex_lock(&lock);
	deadline = jiffies + LIMIT;
	if (hung)
		err = -EIO;
	else
		for (size_t n = 0; n < ARRAY_SIZE(commands); n++)
			if (!strcmp(commands[n].name, name))
				err = commands[n].run(line ?: "");
	mutex_unlock(&lock);
	return err ?: count;
}

static ssize_t seen_read(struct file *file, char __user *buffer, size_t count, loff_t *offset)
{
	char text[SEEN + 1];
	int length = scnprintf(text, sizeof(text), "%.*s\n", (int)seen_length, seen);

	return simple_read_from_buffer(buffer, count, offset, text, length);
}

static const struct file_operations do_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = do_write,
};

static const struct file_operations seen_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = seen_read,
};

static struct dentry *dir;

static int __init unreg_init(void)
{
	dir = debugfs_create_dir("d2d-" KBUILD_MODNAME, NULL);
	debugfs_create_file("do", 0200, dir, NULL, &do_fops);
	debugfs_create_file("seen", 0400, dir, NULL, &seen_fops);
	return 0;
}
module_init(unreg_init);

static void __exit unreg_exit(void)
{
	debugfs_remove(dir);
	for (int n = 0; n < DRIVERS; n++)
		if (drivers[n].self && !drivers[n].unregistered)
			d2d_unregister(drivers[n].self);
}
module_exit(unreg_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: drivers that unregister while something is in progress");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(module_a);
