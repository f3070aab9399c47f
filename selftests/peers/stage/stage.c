// SPDX-License-Identifier: GPL-2.0
/*
 * Drivers of which one leaves while a request or an event is in a certain stage. It uses
 * only what shared/include/ declares. A stage is held open by a routine that blocks, or by
 * a driver that keeps a request, and never by a delay. Commands are written to
 * /sys/kernel/debug/d2d-stage/do:
 *
 *   open SUBJECT STAGE HOW	registers those drivers that have left, and returns when the
 *				stage is reached
 *   leave ROLE			unregisters a driver in a thread, and returns when that
 *				thread is through, or sleeps
 *   end			lets everything go on, and waits for all threads
 *
 * What each thread has observed is in .../seen after that, as a line of NAME=VALUE. A value is
 * what the call has returned, and after a "/" the status of the request. If a thread does
 * not come back in time, the line is "hung=NAME:PID ...", and the module does nothing any more.
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

#include "stage.h"

/* A command that takes longer hangs. */
#define LIMIT		(30 * HZ)
/* What threads have to come back when a command has taken that long. */
#define GRACE		(5 * HZ)
#define ACTS		12
#define LINE		96
#define SEEN		512
#define ERRNO_TEXT	24

static const struct subject * const subjects[] = { &requests, &events, &handshakes, &operations };

struct party parties[PARTIES];
static struct act acts[ACTS];
static int act_count;
static const struct subject *subject;
static void (*leave_by)(struct act *act);
static int leave_cpu;
static bool hung;
static unsigned long deadline;	/* of the command, in jiffies */
static char seen[SEEN];
static size_t seen_length;

void stage_note(const char *name, const char *format, ...)
{
	va_list args;

	seen_length += scnprintf(seen + seen_length, SEEN - seen_length, "%s%s=",
				 seen_length ? " " : "", name);
	va_start(args, format);
	seen_length += vscnprintf(seen + seen_length, SEEN - seen_length, format, args);
	va_end(args);
}

/* The name of an errno; those that are not expected anywhere are numbers. */
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

void stage_note_error(const char *name, int err)
{
	char text[ERRNO_TEXT];

	stage_note(name, "%s", errno_text(err, text));
}

unsigned long stage_time_left(void)
{
	return max_t(long, deadline - jiffies, 1);
}

/* Gates */

void stage_close(struct gate *gate)
{
	init_completion(&gate->entered);
	init_completion(&gate->opened);
	WRITE_ONCE(gate->closed, true);
}

int stage_held(struct gate *gate)
{
	return wait_for_completion_timeout(&gate->entered, stage_time_left()) ? 0 : -ETIMEDOUT;
}

static void pass(struct gate *gate)
{
	if (!READ_ONCE(gate->closed))
		return;
	complete(&gate->entered);
	wait_for_completion(&gate->opened);
}

static void open_gate(struct gate *gate)
{
	if (!gate->closed)
		return;
	WRITE_ONCE(gate->closed, false);
	complete_all(&gate->opened);
}

/* Routines of the drivers */

static void enter(struct party *party)
{
	atomic_inc(&party->inside);
	if (READ_ONCE(party->left))
		atomic_inc(&party->late);
}

static int leave(struct party *party, int returned)
{
	atomic_dec(&party->inside);
	return returned;
}

static int forward(struct party *party, const struct d2d_request *request)
{
	struct d2d_send send = d2d_send_to(party->next->target, request->code);
	int err;

	send.flags = party->plays == FORWARDS_BACK ? D2D_SEND_ROUTINE : 0;
	err = d2d_request_forward(request->handle, &send);
	if (err && err != -EINPROGRESS)
		return d2d_complete(request->handle, err, 0) ?: err;
	return -D2D_STATUS_PENDING;
}

static int play(struct party *party, const struct d2d_request *request)
{
	int err = 0;

	switch (party->plays) {
	case FORWARDS:
	case FORWARDS_BACK:
		return forward(party, request);
	case PENDS_TOLD:
		d2d_request_set_cancel(request->handle);
		fallthrough;
	case PENDS:
		return -D2D_STATUS_PENDING;
	case REFUSES:
		err = -EPERM;
		break;
	case WAITS:
		err = d2d_event_wait(&party->event, 1, 0, D2D_FOREVER, NULL);
		break;
	case ANSWERS:
		if (request->code == D2D_IOCTL_SHARE_CONTEXT)
			return stage_adopt(party);
		break;
	}
	d2d_complete(request->handle, err, 0);
	return err;
}

static int stage_dispatch(void *self, const struct d2d_request *request)
{
	struct party *party = self;
	int err;

	enter(party);
	WRITE_ONCE(party->kept, request->handle);
	if (request->code == D2D_IOCTL_SHARE_CONTEXT)
		party->context = request->user_buffer;
	pass(&party->before);
	err = play(party, request);
	pass(&party->after);
	return leave(party, err);
}

static int stage_returned(void *self, const struct d2d_request *request,
			  const struct d2d_result *result)
{
	struct party *party = self;

	enter(party);
	party->returned_status = result->status;
	pass(&party->returned);
	if (party->returns == WAITS)
		d2d_event_wait(&party->event, 1, 0, D2D_EVENT_FOREVER, NULL);
	return leave(party, result->status);
}

static int stage_completed(void *self, d2d_handle request, const struct d2d_result *result)
{
	struct party *party = self;

	enter(party);
	party->completed_status = result->status;
	complete(&party->called);
	pass(&party->completed);
	return leave(party, D2D_MORE_PROCESSING_REQUIRED);
}

static void stage_cancelled(void *self, d2d_handle request)
{
	struct party *party = self;

	enter(party);
	atomic_inc(&party->told);
	pass(&party->cancelled);
	leave(party, 0);
}

/* Resets a driver, and registers it unless it is registered already. */
static int prepare(struct party *party, const char *name)
{
	bool stays = party->self && !party->left && !strcmp(party->object.name, name);
	struct party fresh = {
		.object = {
			.hdr = {
				.magic = D2D_DRIVER_MAGIC,
				.size = sizeof(party->object),
				.major = D2D_ABI_MAJOR,
				.minor = D2D_ABI_MINOR,
				.layout = D2D_LAYOUT,
			},
			.owner = THIS_MODULE,
			.self = party,
			.dispatch = stage_dispatch,
			.returned = stage_returned,
			.completed = stage_completed,
			.cancelled = stage_cancelled,
		},
		.returned_status = NO_STATUS,
		.completed_status = NO_STATUS,
	};

	strscpy(fresh.object.name, name);
	if (stays) {
		fresh.self = party->self;
		fresh.target = party->target;
	} else if (party->self && !party->left) {
		d2d_unregister(party->self);
	}
	*party = fresh;
	init_completion(&party->called);
	if (stays)
		return 0;
	return d2d_register(&party->object, &party->self) ?: d2d_lookup(name, &party->target);
}

/* Threads */

static int run_act(void *data)
{
	struct act *act = data;

	WRITE_ONCE(act->started, true);
	act->run(act);
	complete_all(&act->done);
	return 0;
}

struct act *stage_start(const char *name, void (*run)(struct act *act), struct act plan, int cpu)
{
	struct act *act;

	if (WARN_ON(act_count == ACTS))
		return NULL;
	act = &acts[act_count];
	*act = plan;
	act->name = name;
	act->run = run;
	init_completion(&act->done);
	act->task = kthread_create(run_act, act, "stage-%s", name);
	if (IS_ERR(act->task))
		return NULL;
	act_count++;
	get_task_struct(act->task);
	if (cpu >= 0)
		kthread_bind(act->task, cpu);
	wake_up_process(act->task);
	return act;
}

static bool is_settled(struct act *act)
{
	return completion_done(&act->done) ||
	       (READ_ONCE(act->started) && !task_is_running(act->task));
}

int stage_settle(struct act *act)
{
	if (!act)
		return -ENOMEM;
	while (!is_settled(act)) {
		if (time_after(jiffies, deadline))
			return -ETIMEDOUT;
		usleep_range(50, 100);
	}
	return 0;
}

bool stage_has_act(const char *name)
{
	for (int n = 0; n < act_count; n++)
		if (!strcmp(acts[n].name, name))
			return true;
	return false;
}

void stage_await(const char *name)
{
	for (int n = 0; n < act_count; n++)
		if (!strcmp(acts[n].name, name) &&
		    !wait_for_completion_timeout(&acts[n].done, stage_time_left()))
			stage_note("late", "%s", name);
}

bool stage_is_running(const char *name)
{
	for (int n = 0; n < act_count; n++)
		if (!strcmp(acts[n].name, name) && !completion_done(&acts[n].done))
			return true;
	return false;
}

/* Waits for all threads. Those that do not come back are named. */
static int join_acts(void)
{
	char stuck[SEEN / 2] = "";
	size_t length = 0;

	if (time_after(jiffies + GRACE, deadline))
		deadline = jiffies + GRACE;
	for (int n = 0; n < act_count; n++) {
		struct act *act = &acts[n];

		if (!act->task)
			continue;
		if (!wait_for_completion_timeout(&act->done, stage_time_left())) {
			length += scnprintf(stuck + length, sizeof(stuck) - length, "%s%s:%d",
					    length ? "," : "", act->name, task_pid_nr(act->task));
			continue;
		}
		kthread_stop(act->task);
		put_task_struct(act->task);
		act->task = NULL;
	}
	if (!length)
		return 0;
	stage_note("hung", "%s", stuck);
	hung = true;
	/* The threads that hang are in this module's text. */
	__module_get(THIS_MODULE);
	return -ETIMEDOUT;
}

static void note_acts(void)
{
	for (int n = 0; n < act_count; n++) {
		char text[2][ERRNO_TEXT];
		struct act *act = &acts[n];

		if (act->has_result)
			stage_note(act->name, "%s/%s", errno_text(act->err, text[0]),
				   errno_text(act->status, text[1]));
		else
			stage_note_error(act->name, act->err);
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

int stage_in_hardirq(int (*run)(void))
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

void stage_leave_by(void (*run)(struct act *act), int cpu)
{
	leave_by = run;
	leave_cpu = cpu;
}

void stage_leave(struct act *act)
{
	struct party *party = act->party;

	act->err = d2d_unregister(party->self);
	if (act->err)
		return;
	WRITE_ONCE(party->left, true);
	if (atomic_read(&party->inside))
		atomic_inc(&party->late);
}

static int command_open(char *line)
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
	act_count = 0;
	stage_leave_by(subject->leave, -1);
	for (int n = 0; n < PARTIES && !err; n++)
		err = prepare(&parties[n], subject->roles[n]);
	if (err)
		return err;
	for (const struct stage *stage = subject->stages; stage->name; stage++)
		if (!strcmp(stage->name, stage_name))
			return stage->open(how);
	return -ENOENT;
}

static int command_leave(char *line)
{
	struct act *act;

	for (int n = 0; n < PARTIES; n++) {
		if (strcmp(parties[n].object.name, line))
			continue;
		act = stage_start("leave", leave_by, (struct act){ .party = &parties[n] },
				  leave_cpu);
		/* If it does not sleep in time, end says so. */
		return act ? (stage_settle(act), 0) : -ENOMEM;
	}
	return -ENOENT;
}

/* Waits until no routine runs any more. */
static void quiesce(void)
{
	for (int n = 0; n < PARTIES; n++)
		while (atomic_read(&parties[n].inside)) {
			if (time_after(jiffies, deadline)) {
				stage_note("inside", "%s", parties[n].object.name);
				return;
			}
			usleep_range(50, 100);
		}
}

static int command_end(char *line)
{
	int late = 0;
	int err;

	if (!subject)
		return -ENOENT;
	for (int n = 0; n < PARTIES; n++) {
		struct party *party = &parties[n];

		open_gate(&party->before);
		open_gate(&party->after);
		open_gate(&party->returned);
		open_gate(&party->completed);
		open_gate(&party->cancelled);
	}
	subject->end();
	err = join_acts();
	if (err)
		return err;
	note_acts();
	if (subject->report)
		subject->report();
	quiesce();
	subject->clean();
	for (int n = 0; n < PARTIES; n++)
		late += atomic_read(&parties[n].late);
	if (late)
		stage_note("late-calls", "%d", late);
	return 0;
}

static ssize_t do_write(struct file *file, const char __user *buffer, size_t count, loff_t *offset)
{
	static const struct {
		const char *name;
		int (*run)(char *line);
	} commands[] = {
		{ "open", command_open }, { "leave", command_leave }, { "end", command_end },
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

static int __init stage_init(void)
{
	dir = debugfs_create_dir("d2d-" KBUILD_MODNAME, NULL);
	debugfs_create_file("do", 0200, dir, NULL, &do_fops);
	debugfs_create_file("seen", 0400, dir, NULL, &seen_fops);
	return 0;
}
module_init(stage_init);

static void __exit stage_exit(void)
{
	debugfs_remove(dir);
	for (int n = 0; n < PARTIES; n++)
		if (parties[n].self && !parties[n].left)
			d2d_unregister(parties[n].self);
}
module_exit(stage_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: drivers that leave while something is in progress");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
