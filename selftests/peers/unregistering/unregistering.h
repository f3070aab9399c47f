/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the module unregistering share: drivers whose routines can be stopped at
 * checkpoints, and threads whose results the test reads. See unregistering.c.
 */
#ifndef UNREGISTERING_H
#define UNREGISTERING_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/sched.h>

#include "d2d_event.h"
#include "d2d_request.h"

/* A place in a routine. While it is closed, the threads that reach it sleep there. */
struct checkpoint {
	bool closed;
	struct completion entered;	/* a thread sleeps there, or is about to */
	struct completion opened;	/* the sleeping threads go on */
};

/* What a driver does with a request in one of its routines */
enum reaction {
	ANSWERS,	/* completes it */
	PENDS,		/* pends it */
	PENDS_TOLD,	/* pends it, and asks to be told if it is cancelled */
	FORWARDS,	/* forwards it to the driver next */
	FORWARDS_BACK,	/* forwards it to the driver next, and wants it back */
	REFUSES,	/* completes it with an error */
	WAITS,		/* waits for the event of the driver, and then completes the request */
	SETS,		/* sets the event of the driver */
};

/* A driver of this module. Once it has unregistered, none of its routines may be called. */
struct unreg_driver {
	struct d2d_driver object;
	d2d_handle self;	/* 0: not registered */
	d2d_handle target;
	enum reaction in_dispatch;
	enum reaction in_returned;	/* ANSWERS or WAITS */
	enum reaction in_completed;	/* WAITS or SETS. With ANSWERS, completed() does neither */
	struct unreg_driver *next;
	d2d_handle received;	/* the request that it received last */
	d2d_handle event;
	struct d2d_context *context;	/* from the last handshake */
	struct checkpoint before;	/* in dispatch(), before in_dispatch */
	struct checkpoint after;	/* in dispatch(), after in_dispatch */
	struct checkpoint returned;
	struct checkpoint completed;
	struct checkpoint cancelled;
	int returned_status;
	int completed_status;
	int completed_err;	/* what in_completed has returned */
	struct completion in_routine;	/* signalled when the routine completed has been called */
	atomic_t told;		/* how often cancelled() was called */
	atomic_t inside;	/* calls of its routines that have not returned */
	atomic_t called_after;	/* calls of its routines after it unregistered: a fault */
	bool unregistered;
};

#define DRIVERS		4
/* A status that no request has. */
#define NO_STATUS	1

/* A thread that makes one call, and the result of the call */
struct unreg_thread {
	const char *name;
	void (*run)(struct unreg_thread *thread);
	struct unreg_driver *driver;
	const d2d_handle *events;
	u32 count;
	u32 flags;
	u32 ms;
	int err;	/* what the call has returned */
	int status;	/* with has_result: of the request, or what d2d_detach() has returned */
	bool has_result;
	bool started;
	struct task_struct *task;
	struct completion done;
};

/* A stage of a subject */
struct stage {
	const char *name;
	/* Brings the subject into the stage. how: HOW of the command. Returns 0 or an errno. */
	int (*reach)(const char *how);
};

/*
 * What can be in progress when a driver unregisters: a request, an event, a handshake, an operation
 */
struct subject {
	const char *name;
	const char *roles[DRIVERS];	/* the names of the drivers; a bystander takes no part */
	const struct stage *stages;
	/* Unregisters a driver. Runs in a thread. */
	void (*unregister)(struct unreg_thread *thread);
	/* Called once the checkpoints are open: ends what is still in progress. */
	void (*end)(void);
	/* Called once all threads have ended: notes what it finds then. Optional. */
	void (*report)(void);
	/* Frees, closes and detaches what the remaining drivers have. */
	void (*clean)(void);
};

extern const struct subject requests;
extern const struct subject events;
extern const struct subject handshakes;
extern const struct subject operations;

extern struct unreg_driver drivers[DRIVERS];

/*
 * Returns how many jiffies the command has left, at least 1. The limit is long enough for the
 * slowest machine, so only a hang reaches it.
 */
unsigned long unreg_time_left(void);

/**
 * unreg_start() - Start a thread
 * @name: NAME in what the test reads
 * @run: what the thread does; sets err, and, with has_result, status
 * @plan: the other fields of the thread
 * @cpu: the CPU that the thread is bound to, or a negative number
 *
 * Return: The thread, or NULL.
 */
struct unreg_thread *unreg_start(const char *name, void (*run)(struct unreg_thread *thread),
				 struct unreg_thread plan, int cpu);

/**
 * unreg_settle() - Wait until a thread sleeps or has ended
 * @thread: the thread, or NULL
 *
 * Return: 0, -ENOMEM without a thread, or -ETIMEDOUT if it still runs when the command's time is
 * over.
 */
int unreg_settle(struct unreg_thread *thread);

/* Closes a checkpoint. Threads that reach it sleep until the command "end". */
void unreg_close_checkpoint(struct checkpoint *checkpoint);

/**
 * unreg_await_thread_in() - Wait until a thread sleeps in a checkpoint
 * @checkpoint: the checkpoint, which is closed
 *
 * Return: 0, or -ETIMEDOUT if none has come when the command's time is over.
 */
int unreg_await_thread_in(struct checkpoint *checkpoint);

/* Makes the command "unregister" run this instead of the subject's function, on this CPU. */
void unreg_unregister_by(void (*run)(struct unreg_thread *thread), int cpu);

/* Unregisters the driver. If a routine of the driver still runs then, increments called_after. */
void unreg_unregister(struct unreg_thread *thread);

/* Completes the handshake that the driver has received, with operations in its context. */
int unreg_adopt(struct unreg_driver *driver);

/* What the driver's operation bounce does, and what bounce then returns. */
int unreg_operation(struct unreg_driver *driver, u32 hops);

/* Appends NAME=VALUE to what the test reads. */
void unreg_note(const char *name, const char *format, ...) __printf(2, 3);
void unreg_note_error(const char *name, int err);

/*
 * Waits until the threads of this name have ended. Notes still-runs=NAME if one still runs when
 * the command's time is over.
 */
void unreg_await(const char *name);
bool unreg_has_thread(const char *name);
bool unreg_is_running(const char *name);

/* Runs a function in a hard interrupt, and returns what the function returned. */
int unreg_in_hardirq(int (*run)(void));

#endif /* UNREGISTERING_H */
