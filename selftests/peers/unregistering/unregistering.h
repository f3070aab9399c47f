/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the module unregistering share */
#ifndef UNREGISTERING_H
#define UNREGISTERING_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/sched.h>

#include "d2d_event.h"
#include "d2d_request.h"

/* While a checkpoint is closed, each thread that comes to it sleeps there. */
struct checkpoint {
	bool closed;
	struct completion entered;
	struct completion opened;
};

/* What a routine does with its request */
enum reaction {
	ANSWERS,	/* completes the request with success */
	PENDS,
	PENDS_NOTIFIED,	/* pends it after d2d_request_set_cancel() */
	FORWARDS,	/* to driver->next */
	FORWARDS_BACK,	/* to driver->next, and wants it back */
	REFUSES,	/* completes it with an errno */
	WAITS,		/* waits for the driver's event, then completes the request */
	SETS,		/* sets the driver's event, then completes the request */
};

struct unreg_driver {
	struct d2d_driver object;
	d2d_handle self;	/* 0: not registered */
	d2d_handle target;
	enum reaction in_dispatch;
	enum reaction in_returned;	/* ANSWERS or WAITS */
	enum reaction in_completed;	/* ANSWERS (does nothing), WAITS or SETS */
	struct unreg_driver *next;
	d2d_handle received;	/* the last request that dispatch() got */
	d2d_handle event;
	struct d2d_context *context;	/* from the last handshake */
	struct checkpoint before;	/* in dispatch(), before the reaction */
	struct checkpoint after;	/* in dispatch(), after the reaction */
	/* In the routines of the same names */
	struct checkpoint returned;
	struct checkpoint completed;
	struct checkpoint cancelled;
	int returned_status;
	int completed_status;
	int completed_err;	/* what the reaction in completed() has returned */
	struct completion completed_called;
	atomic_t notified;	/* calls of cancelled() */
	atomic_t inside;	/* calls of its routines that run now */
	/* Calls of its routines that ran after it had unregistered: must be 0 */
	atomic_t called_after;
	bool unregistered;
};

#define DRIVERS		4
/* No request has this status: the routine was not called */
#define NO_STATUS	1

struct unreg_thread {
	const char *name;
	void (*run)(struct unreg_thread *thread);
	/* The arguments of the call */
	struct unreg_driver *driver;
	const d2d_handle *events;
	u32 count;
	u32 flags;
	u32 ms;

	int err;
	int status;	/* the request's status, or what d2d_detach() returned */
	bool has_status;
	bool started;
	struct task_struct *task;
	struct completion done;
};

struct stage {
	const char *name;
	/* Brings the subject into the stage. unregistering.table explains @how. */
	int (*reach)(const char *how);
};

/* What is in progress when a driver unregisters */
struct subject {
	const char *name;
	const char *names[DRIVERS];	/* of the drivers */
	const struct stage *stages;
	/* The thread of the command "unregister" runs this function. */
	void (*unregister)(struct unreg_thread *thread);
	/* Ends what is still in progress. Called when all checkpoints are open. */
	void (*end)(void);
	/* Optional: notes further results. Called when all threads have ended. */
	void (*report)(void);
	/* For each driver that is still registered: frees and closes what it has, detaches it. */
	void (*clean)(void);
};

extern const struct subject requests;
extern const struct subject events;
extern const struct subject handshakes;
extern const struct subject operations;

extern struct unreg_driver drivers[DRIVERS];

/* The jiffies that the command has left, or 1 if its time is over */
unsigned long unreg_time_left(void);

/*
 * Starts a thread that calls @run. @plan has the arguments. @run sets err and, for a second result,
 * status and has_status. If @cpu is not negative, the thread is bound to this CPU. Returns NULL on
 * failure.
 */
struct unreg_thread *unreg_start(const char *name, void (*run)(struct unreg_thread *thread),
				 struct unreg_thread plan, int cpu);

/* Waits until the thread sleeps or has ended. Returns -ENOMEM if @thread is NULL. */
int unreg_settle(struct unreg_thread *thread);

/* The command "end" opens the checkpoint again. */
void unreg_close_checkpoint(struct checkpoint *checkpoint);

/* Waits until a thread sleeps in the closed checkpoint. */
int unreg_await_thread_in(struct checkpoint *checkpoint);

/* Makes the command "unregister" call @run on @cpu, instead of the subject's unregister(). */
void unreg_unregister_by(void (*run)(struct unreg_thread *thread), int cpu);

/* Unregisters the driver, and checks that none of its routines still runs. */
void unreg_unregister(struct unreg_thread *thread);

/* Writes the driver's operations to the context, and completes the handshake. */
int unreg_adopt(struct unreg_driver *driver);

/* The driver's operation bounce calls this function, and returns the same errno. */
int unreg_operation(struct unreg_driver *driver, u32 hops);

/* Append NAME=VALUE to the file "seen". */
void unreg_note(const char *name, const char *format, ...) __printf(2, 3);
void unreg_note_error(const char *name, int err);

/* Waits for the threads of this name. Notes still-runs=NAME if one does not end in time. */
void unreg_await(const char *name);

bool unreg_has_thread(const char *name);

bool unreg_is_running(const char *name);

int unreg_in_hardirq(int (*run)(void));

#endif /* UNREGISTERING_H */
