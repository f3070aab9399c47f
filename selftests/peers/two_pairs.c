// SPDX-License-Identifier: GPL-2.0
/*
 * Test: two pairs of drivers exchange requests, each pair on a CPU of its own. Both CPUs run the
 * same *sections*, in the order that the QEMU plugin of qemu/cache-lines/ expects. The plugin
 * records which cache lines each CPU writes in each section. The CPUs must not write a common line,
 * except in the last section, which tests the plugin.
 */
#include <linux/completion.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/processor.h>
#include <linux/sched/task.h>

#include "d2d_table.h"

#define PAIRS	2
/* Requests of each pair */
#define REQUESTS	32

/* How a request is completed: after copying, in place, or later */
#define COPIED		D2D_CTL_CODE(0x800, D2D_METHOD_BUFFERED)
#define IN_PLACE	D2D_CTL_CODE(0x801, D2D_METHOD_BUFFERED)
#define LATER		D2D_CTL_CODE(0x802, D2D_METHOD_BUFFERED)

struct pair {
	d2d_handle sender;
	d2d_handle receiver;
	d2d_handle target;
	d2d_handle requests[REQUESTS];
	d2d_handle held;	/* the receiver's handle of the pending request */
	struct completion done;
	int err;
} __aligned(D2D_CACHE_LINE);

static struct pair pairs[PAIRS];

/* How often the threads have come to a section, in total. Written between sections only. */
static atomic_t arrived __aligned(D2D_CACHE_LINE);

/* Both CPUs write this line in the last section: the plugin must report it. */
static struct {
	u64 value;
} common __aligned(D2D_CACHE_LINE);

/*
 * The marks that tell the plugin where a section begins and ends: xchg %bx, %bx and xchg %cx, %cx,
 * which do nothing. On another architecture there are no marks, and the test fails.
 */
#ifdef CONFIG_X86_64
#define BEGIN	".byte 0x66, 0x87, 0xdb"
#define END	".byte 0x66, 0x87, 0xc9"
#else
#define BEGIN	""
#define END	""
#endif

static __always_inline void begin_section(void)
{
	asm volatile(BEGIN : : : "memory");
}

static __always_inline void end_section(void)
{
	asm volatile(END : : : "memory");
}

static int dispatch(void *this, const struct d2d_request *request)
{
	struct pair *pair = this;
	u64 value;
	int err;

	switch (request->code) {
	case COPIED:
		err = d2d_request_read(request->handle, &value, sizeof(value));
		if (!err) {
			value++;
			err = d2d_request_write(request->handle, &value, sizeof(value));
		}
		return d2d_complete(request->handle, err, 0) ?: err;
	case IN_PLACE:
		if (!request->input || !request->output)
			return d2d_complete(request->handle, -EPROTO, 0) ?: -EPROTO;
		*(u64 *)request->output = *(const u64 *)request->input + 1;
		return d2d_complete_with(request->handle, 0, 0, sizeof(value));
	case LATER:
		pair->held = request->handle;
		d2d_request_pend(request->handle);
		return -D2D_STATUS_PENDING;
	default:
		return d2d_complete(request->handle, -ENOTTY, 0) ?: -ENOTTY;
	}
}

static int complete_later(struct pair *pair, d2d_handle request, const struct d2d_send *send,
			  struct d2d_result *result, u64 *answer)
{
	u64 value = 2;
	int err;

	err = d2d_request_send(request, send);
	if (err != -EINPROGRESS)
		return err ?: -EPROTO;
	err = d2d_request_write(pair->held, &value, sizeof(value));
	if (err)
		return err;
	err = d2d_complete(pair->held, 0, 0);
	if (err)
		return err;
	err = d2d_request_wait(request, 0, result);
	return err ?: d2d_request_read(request, answer, sizeof(*answer));
}

static int exchange(struct pair *pair, d2d_handle request, u32 code)
{
	u64 question = 1, answer = 0;
	struct d2d_result result;
	struct d2d_send send = D2D_SEND_INIT(pair->target, code, .flags = D2D_SEND_ATOMIC,
					     .input = &question, .input_len = sizeof(question),
					     .output_len = sizeof(answer));
	int err;

	if (code == LATER)
		err = complete_later(pair, request, &send, &result, &answer);
	else
		err = d2d_request_call(request, &send, 0, &result, &answer, sizeof(answer));
	if (err)
		return err;
	return result.status ?: answer == 2 ? 0 : -EPROTO;
}

static void wait_for_both(int section)
{
	atomic_inc(&arrived);
	while (atomic_read(&arrived) < (section + 1) * PAIRS)
		cpu_relax();
}

static int run(void *data)
{
	static const u32 codes[] = { COPIED, IN_PLACE, LATER };
	struct pair *pair = data;
	unsigned long flags;
	int section, n;

	for (section = 0; section < ARRAY_SIZE(codes); section++) {
		wait_for_both(section);
		local_irq_save(flags);
		begin_section();
		for (n = 0; n < REQUESTS && !pair->err; n++)
			pair->err = exchange(pair, pair->requests[n], codes[section]);
		end_section();
		local_irq_restore(flags);
	}
	wait_for_both(section);
	local_irq_save(flags);
	begin_section();
	WRITE_ONCE(common.value, 1);
	end_section();
	local_irq_restore(flags);
	complete(&pair->done);
	return 0;
}

static int add(struct pair *pair, int number)
{
	struct d2d_driver driver = D2D_DRIVER_INIT("", .self = pair, .dispatch = dispatch,
						   .flags = D2D_DISPATCH_ATOMIC |
							    D2D_DISPATCH_IN_PLACE);
	int err;

	init_completion(&pair->done);
	snprintf(driver.name, sizeof(driver.name), "pair%d_receiver", number);
	err = d2d_register(&driver, &pair->receiver);
	if (err)
		return err;
	err = d2d_lookup(driver.name, &pair->target);
	if (err)
		return err;
	snprintf(driver.name, sizeof(driver.name), "pair%d_sender", number);
	return d2d_register(&driver, &pair->sender);
}

static void remove(struct pair *pair)
{
	if (pair->sender)
		d2d_unregister(pair->sender);
	if (pair->receiver)
		d2d_unregister(pair->receiver);
}

static int run_pairs(void)
{
	struct task_struct *tasks[PAIRS];
	int n, number, err = 0;

	if (num_online_cpus() < PAIRS)
		return -ENODEV;
	for (n = 0; n < PAIRS; n++) {
		err = add(&pairs[n], n);
		if (err)
			return err;
	}
	/*
	 * The pairs allocate their requests alternately. So if the library lets small buffers share
	 * a cache line, some line has buffers of both pairs.
	 */
	for (number = 0; number < REQUESTS; number++) {
		for (n = 0; n < PAIRS; n++) {
			err = d2d_request_alloc(pairs[n].sender, sizeof(u64), sizeof(u64),
						&pairs[n].requests[number]);
			if (err)
				return err;
		}
	}
	for (n = 0; n < PAIRS; n++) {
		tasks[n] = kthread_create_on_cpu(run, &pairs[n], n, "pair%u");
		if (IS_ERR(tasks[n])) {
			while (n--)
				kthread_stop(tasks[n]);
			return PTR_ERR(tasks[n]);
		}
	}
	for (n = 0; n < PAIRS; n++) {
		get_task_struct(tasks[n]);
		wake_up_process(tasks[n]);
	}
	for (n = 0; n < PAIRS; n++) {
		wait_for_completion(&pairs[n].done);
		/* Until this call returns, the thread may execute the module's code. */
		kthread_stop_put(tasks[n]);
		err = err ?: pairs[n].err;
	}
	return err;
}

static int __init two_pairs_init(void)
{
	int n, err;

	err = run_pairs();
	for (n = 0; n < PAIRS; n++)
		remove(&pairs[n]);
	return err;
}
module_init(two_pairs_init);

static void __exit two_pairs_exit(void)
{
}
module_exit(two_pairs_exit);

MODULE_AUTHOR("Beyond IRPs");
MODULE_DESCRIPTION("Test: two pairs of drivers that exchange requests on two CPUs");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
MODULE_IMPORT_NS("D2D");
D2D_OWNER(module_a);
