// SPDX-License-Identifier: GPL-2.0
/*
 * Test: drivers that do what a test script tells them. The script writes commands, with ";" between
 * them, to /sys/kernel/debug/d2d-actor/do. selftests/act.sh documents the commands. The first
 * command that fails ends the write, which fails with the same errno.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "actor.h"
#include "d2d_table.h"

#define TEXT_SIZE	512

static const struct {
	const char *name;
	int (*run)(char **line);
} commands[] = {
	{ "reset", actor_reset },
	{ "register", actor_register },
	{ "unregister", actor_unregister },
	{ "attach", actor_attach },
	{ "detach", actor_detach },
	{ "lookup", actor_lookup },
	{ "forge-handle", actor_forge_handle },
	{ "on-dispatch", actor_on_dispatch },
	{ "on-returned", actor_on_returned },
	{ "on-completed", actor_on_completed },
	{ "errno-inside", actor_errno_inside },
	{ "alloc", actor_alloc },
	{ "alloc-until-refused", actor_alloc_until_refused },
	{ "send", actor_send },
	{ "send-and-cancel", actor_send_and_cancel },
	{ "wait", actor_wait },
	{ "expect", actor_expect },
	{ "cancel", actor_cancel },
	{ "free", actor_free },
	{ "read", actor_read },
	{ "complete", actor_complete },
	{ "complete-again", actor_complete_again },
	{ "set-cancel", actor_set_cancel },
	{ "forward", actor_forward },
};

static int run_command(char *line)
{
	char *name = line_word(&line) ?: "";

	for (size_t n = 0; n < ARRAY_SIZE(commands); n++)
		if (!strcmp(commands[n].name, name))
			return commands[n].run(&line);
	line_misspelt(name);
	return -EOPNOTSUPP;
}

/* A command that runs in another execution context */
struct job {
	struct work_struct work;
	struct hrtimer timer;
	struct completion done;
	char *line;
	int err;
};

static void work_job(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	job->err = run_command(job->line);
}

static enum hrtimer_restart timer_job(struct hrtimer *timer)
{
	struct job *job = container_of(timer, struct job, timer);

	job->err = run_command(job->line);
	complete(&job->done);
	return HRTIMER_NORESTART;
}

static int run_in_timer(char *line, enum hrtimer_mode mode)
{
	struct job job = { .line = line };

	init_completion(&job.done);
	hrtimer_setup_on_stack(&job.timer, timer_job, CLOCK_MONOTONIC, mode);
	hrtimer_start(&job.timer, ns_to_ktime(NSEC_PER_USEC), mode);
	wait_for_completion(&job.done);
	hrtimer_cancel(&job.timer);
	destroy_hrtimer_on_stack(&job.timer);
	return job.err;
}

static int run_in_worker(char *line)
{
	struct job job = { .line = line };

	INIT_WORK_ONSTACK(&job.work, work_job);
	queue_work(system_dfl_wq, &job.work);
	flush_work(&job.work);
	destroy_work_on_stack(&job.work);
	return job.err;
}

/* @line is "[in PLACE] COMMAND". */
static int run_somewhere(char *line)
{
	static const char * const places[] = { "worker", "softirq", "hardirq", "irqs-off" };
	unsigned long flags;
	int err;

	line = skip_spaces(line);
	if (strncmp(line, "in ", 3))
		return run_command(line);
	line += 3;
	switch (line_index(&line, places, ARRAY_SIZE(places))) {
	case 0:
		return run_in_worker(line);
	case 1:
		return run_in_timer(line, HRTIMER_MODE_REL_SOFT);
	case 2:
		return run_in_timer(line, HRTIMER_MODE_REL);
	default:
		local_irq_save(flags);
		err = run_command(line);
		local_irq_restore(flags);
		return err;
	}
}

/* Must not allocate memory: fault_sweep.sh must make only the library's allocations fail. */
static ssize_t do_write(struct file *file, const char __user *buffer, size_t count, loff_t *offset)
{
	char text[TEXT_SIZE] = {};
	char *rest = text;
	char *line;
	int err = 0;

	if (count >= sizeof(text))
		return -E2BIG;
	if (copy_from_user(text, buffer, count))
		return -EFAULT;
	WRITE_ONCE(line_is_misspelt, false);
	while (!err && (line = strsep(&rest, ";")))
		err = run_somewhere(line);
	if (READ_ONCE(line_is_misspelt))
		err = -EOPNOTSUPP;
	return err ?: count;
}

static const struct file_operations do_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = do_write,
};

static struct dentry *dir;

static int __init actor_init(void)
{
	dir = debugfs_create_dir("d2d-" KBUILD_MODNAME, NULL);
	debugfs_create_file("do", 0200, dir, NULL, &do_fops);
	return 0;
}
module_init(actor_init);

static void __exit actor_exit(void)
{
	debugfs_remove(dir);
	actor_unregister_all();
}
module_exit(actor_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: drivers that do what a test script tells them");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(module_a);
