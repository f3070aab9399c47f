/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the module stage share: drivers whose routines can be held, and
 * threads whose waits are observed.
 */
#ifndef STAGE_H
#define STAGE_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/sched.h>

#include "d2d_event.h"
#include "d2d_request.h"

/* Holds the threads that pass it, until it is opened. They sleep. */
struct gate {
	bool closed;
	struct completion entered;
	struct completion opened;
};

enum plays {
	ANSWERS,	/* completes the request */
	PENDS,		/* keeps it */
	PENDS_TOLD,	/* the same, and asks to be told of a cancellation */
	FORWARDS,	/* sends it on to next */
	FORWARDS_BACK,	/* the same, and gets it back */
	REFUSES,	/* completes the request with an error */
	WAITS,		/* waits for an event of its own inside its dispatch routine */
};

/* A driver of this module. The routines of one that has left must not be called. */
struct party {
	struct d2d_driver object;
	d2d_handle self;	/* 0: not registered */
	d2d_handle target;
	enum plays plays;
	enum plays returns;	/* in returned(): ANSWERS or WAITS */
	struct party *next;
	d2d_handle kept;	/* the request that it has received last */
	d2d_handle event;
	struct d2d_context *context;	/* that it was offered */
	struct gate before;	/* in dispatch(), before it does what it plays */
	struct gate after;	/* in dispatch(), after that */
	struct gate returned;
	struct gate completed;
	struct gate cancelled;
	int returned_status;
	int completed_status;
	struct completion called;	/* completed() was called */
	atomic_t told;		/* calls of cancelled() */
	atomic_t inside;	/* calls that have not returned */
	atomic_t late;		/* calls after it has left */
	bool left;
};

#define PARTIES		4
/* A status that no request has. */
#define NO_STATUS	1

/* What a thread does, and what has come of it. */
struct act {
	const char *name;
	void (*run)(struct act *act);
	struct party *party;
	const d2d_handle *events;
	u32 count;
	u32 flags;
	u32 ms;
	int err;	/* what the call has returned */
	int status;	/* that of the request, if there is a result */
	bool has_result;
	bool started;
	struct task_struct *task;
	struct completion done;
};

/* One stage that something can be in. */
struct stage {
	const char *name;
	/* Returns when it is reached and held. how: who observes it. */
	int (*open)(const char *how);
};

/* What can be in progress when a driver leaves. */
struct subject {
	const char *name;
	const char *roles[PARTIES];
	const struct stage *stages;
	/* How a driver leaves, in a thread. */
	void (*leave)(struct act *act);
	/* After a driver has left, and the gates are open: ends what is still in progress. */
	void (*end)(void);
	/* When all threads are through. Optional. */
	void (*report)(void);
	/* Gives back what the remaining drivers have. */
	void (*clean)(void);
};

extern const struct subject requests;
extern const struct subject events;
extern const struct subject handshakes;
extern const struct subject operations;

extern struct party parties[PARTIES];

/*
 * Returns the jiffies that are left of the command's time, at least 1. It only ends a hang: no
 * machine is so slow that a command takes as long.
 */
unsigned long stage_time_left(void);

/* Starts a thread, bound to a CPU unless that is negative. */
struct act *stage_start(const char *name, void (*run)(struct act *act), struct act plan, int cpu);
/* Waits until the thread is asleep, or through. -ETIMEDOUT. */
int stage_settle(struct act *act);
/* Waits until somebody is held in a gate. -ETIMEDOUT. */
int stage_held(struct gate *gate);
void stage_close(struct gate *gate);
/* Runs this instead of d2d_unregister() alone when a driver leaves. */
void stage_leave_by(void (*run)(struct act *act), int cpu);
/* Unregisters the act's party, and looks whether anybody is inside it then. */
void stage_leave(struct act *act);
/* Fills in a context that was offered to the driver, and completes the handshake. */
int stage_adopt(struct party *party);
/* The owner has called the driver's operation. */
int stage_operation(struct party *party, u32 hops);
/* Appends an observation to what the test reads. */
void stage_note(const char *name, const char *format, ...) __printf(2, 3);
void stage_note_error(const char *name, int err);
/* Waits until the threads of this name are through. If they are not in time, the test is told. */
void stage_await(const char *name);
bool stage_has_act(const char *name);
bool stage_is_running(const char *name);
/* Runs a function in a hard interrupt, and returns what it does. */
int stage_in_hardirq(int (*run)(void));

#endif /* STAGE_H */
