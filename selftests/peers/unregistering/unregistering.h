/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the module unregistering share: drivers whose routines sleep in checkpoints,
 * and threads whose results the test reads. unregistering.c says how the test uses them.
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
	struct completion entered;	/* a thread has come there, and sleeps or is about to */
	struct completion opened;	/* the threads that sleep there may go on */
};

/* What a routine of a driver does with the request that it is called for */
enum reaction {
	ANSWERS,	/* completes the request with success */
	PENDS,		/* pends it */
	PENDS_NOTIFIED,	/* pends it after d2d_request_set_cancel() */
	FORWARDS,	/* forwards it to driver->next */
	FORWARDS_BACK,	/* forwards it to driver->next, and wants it back */
	REFUSES,	/* completes it with an error */
	WAITS,		/* waits for the driver's event, then completes the request */
	SETS,		/* sets the driver's event, then completes the request */
};

/* A driver of this module. Once it has unregistered, none of its routines may be called. */
struct unreg_driver {
	struct d2d_driver object;
	d2d_handle self;	/* 0: not registered */
	d2d_handle target;
	enum reaction in_dispatch;
	enum reaction in_returned;	/* ANSWERS or WAITS */
	enum reaction in_completed;	/* ANSWERS (does nothing), WAITS or SETS */
	struct unreg_driver *next;
	d2d_handle received;	/* the request that dispatch() was called with last */
	d2d_handle event;
	struct d2d_context *context;	/* from the last handshake */
	struct checkpoint before;	/* in dispatch(), before it does what in_dispatch says */
	struct checkpoint after;	/* in dispatch(), after that */
	struct checkpoint returned;
	struct checkpoint completed;
	struct checkpoint cancelled;
	int returned_status;
	int completed_status;
	int completed_err;	/* result of the wait or set that in_completed demands */
	struct completion completed_called;	/* completed by each call of completed() */
	atomic_t notified;	/* how often cancelled() was called */
	atomic_t inside;	/* calls of its routines that have not returned */
	/* Calls of its routines that ran after it had unregistered. There must be none. */
	atomic_t called_after;
	bool unregistered;
};

#define DRIVERS		4
/* A status that no request has. */
#define NO_STATUS	1

/* A thread that makes or repeats a call, and the result of the last call */
struct unreg_thread {
	const char *name;
	void (*run)(struct unreg_thread *thread);
	/* The arguments of the call. Each run() uses only the arguments that its call has. */
	struct unreg_driver *driver;
	const d2d_handle *events;
	u32 count;
	u32 flags;
	u32 ms;

	int err;	/* what the call has returned */
	int status;	/* second result: the request's status, or what d2d_detach() returned */
	bool has_result;	/* status is valid */
	bool started;
	struct task_struct *task;
	struct completion done;
};

/* A stage of a subject */
struct stage {
	const char *name;
	/* Brings the subject into the stage. @how is HOW of "reach". Returns 0 or an errno. */
	int (*reach)(const char *how);
};

/* What is in progress when a driver unregisters: a request, an event, a handshake, an operation */
struct subject {
	const char *name;
	const char *names[DRIVERS];	/* the drivers' names; "bystander" does nothing */
	const struct stage *stages;
	/* Unregisters a driver. Runs in a thread. */
	void (*unregister)(struct unreg_thread *thread);
	/* Ends what is still in progress. Called when all checkpoints are open. */
	void (*end)(void);
	/* Optional: notes further results. Called when all threads have ended. */
	void (*report)(void);
	/* Frees and closes what registered drivers have, and detaches them. */
	void (*clean)(void);
};

extern const struct subject requests;
extern const struct subject events;
extern const struct subject handshakes;
extern const struct subject operations;

extern struct unreg_driver drivers[DRIVERS];

/*
 * Returns how many jiffies of its time limit the command has left, or 1 if the time is over. The
 * time is over only if a thread hangs.
 */
unsigned long unreg_time_left(void);

/**
 * unreg_start() - Start a thread
 * @name: NAME in the file "seen"
 * @run: what the thread does. @run sets err, or err, status and has_result
 * @plan: has the arguments of the call; the other fields are 0
 * @cpu: the CPU to bind the thread to; negative for no CPU
 *
 * Return: The thread, or NULL.
 */
struct unreg_thread *unreg_start(const char *name, void (*run)(struct unreg_thread *thread),
				 struct unreg_thread plan, int cpu);

/**
 * unreg_settle() - Wait until a thread sleeps or has ended
 * @thread: the thread, or NULL
 *
 * Return: 0; -ENOMEM if @thread is NULL; -ETIMEDOUT if the thread still runs when the command's
 * time is over.
 */
int unreg_settle(struct unreg_thread *thread);

/* Closes a checkpoint. Threads that come to it sleep until the command "end" opens it. */
void unreg_close_checkpoint(struct checkpoint *checkpoint);

/**
 * unreg_await_thread_in() - Wait until a thread sleeps in a checkpoint
 * @checkpoint: the checkpoint, which is closed
 *
 * Return: 0, or -ETIMEDOUT if no thread has come when the command's time is over.
 */
int unreg_await_thread_in(struct checkpoint *checkpoint);

/* Makes the command "unregister" call @run on @cpu, instead of the subject's unregister(). */
void unreg_unregister_by(void (*run)(struct unreg_thread *thread), int cpu);

/* Unregisters the driver. Increments called_after if one of its routines still runs after that. */
void unreg_unregister(struct unreg_thread *thread);

/* Writes the driver's operations to the context, and completes the handshake with success. */
int unreg_adopt(struct unreg_driver *driver);

/* Called by the driver's operation bounce, which then returns the same errno. */
int unreg_operation(struct unreg_driver *driver, u32 hops);

/* Append NAME=VALUE to the file "seen". */
void unreg_note(const char *name, const char *format, ...) __printf(2, 3);
void unreg_note_error(const char *name, int err);

/*
 * Waits until the threads of this name have ended. Notes still-runs=NAME if one of them still runs
 * when the command's time is over.
 */
void unreg_await(const char *name);

/* Returns whether a thread of this name was started. */
bool unreg_has_thread(const char *name);

/* Returns whether a thread of this name was started and has not ended. */
bool unreg_is_running(const char *name);

/* Runs a function in a hard interrupt, and returns what the function returned. */
int unreg_in_hardirq(int (*run)(void));

#endif /* UNREGISTERING_H */
