/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of twin_owner share. */
#ifndef TWIN_OWNER_H
#define TWIN_OWNER_H

#include <linux/completion.h>
#include <linux/list.h>
#include <linux/sched.h>

#include "link.h"
#include "twin.h"

#define TWIN_MAX_CONTEXTS	64
#define TWIN_MAX_CAPACITY	1048576

/* What a handle names, beside drivers by themselves. */
#define TWIN_HANDLE_OFFER	BIT(28)
#define TWIN_HANDLE_TARGET	BIT(29)
#define TWIN_HANDLE_SENDER	BIT(30)
#define TWIN_HANDLE_HOLDER	BIT(31)

/* How the owner learns that a handshake is completed. */
enum twin_learn { TWIN_LEARN_RETURN, TWIN_LEARN_ROUTINE, TWIN_LEARN_WAIT };

extern unsigned int twin_contexts;
extern unsigned int twin_completion;
extern unsigned int twin_timeout;

struct twin_slot;

/* A context with the owner's side of it. */
struct twin_seat {
	struct twin_context *context;
	struct twin_owner_link link;
	struct twin_slot *holder;	/* the driver that it is reserved for; drivers' lock */
};

extern struct twin_seat twin_seats[TWIN_MAX_CONTEXTS];

/*
 * How far a driver is. That of TWIN_ABANDONED has not completed its handshake in time and
 * may still be busy with it: the context stays reserved until it does, detaches or
 * unregisters.
 */
enum twin_state { TWIN_REGISTERED, TWIN_ATTACHING, TWIN_ATTACHED, TWIN_DETACHING, TWIN_ABANDONED };

/* Who has claimed an offer. */
enum twin_winner {
	TWIN_WINNER_DRIVER,
	TWIN_WINNER_SENDER,
	TWIN_WINNER_TIMEOUT,
	TWIN_WINNER_CANCEL,
};

/* The request of a handshake; a driver has one at most. */
struct twin_offer {
	struct twin_request request;
	struct task_struct *sender;	/* only compared */
	enum twin_winner winner;
	int status;
	int outcome;		/* what the owner made of it */
	bool claimed;
	bool finished;
	bool left;		/* the sender is not inside the driver any more */
	bool done_with;		/* nor is the driver busy with it */
	struct completion done;	/* it is finished */
	struct completion gone;	/* the sender has left */
};

/* A place for a driver. */
struct twin_slot {
	u32 generation;
	bool used;
	bool leaving;
	enum twin_state state;
	struct twin_seat *seat;		/* unless it is only registered */
	struct twin_driver object;
	struct list_head visits;	/* who is inside its routines */
	struct twin_offer offer;
};

/* A call into a driver's routine: while it has begun, the driver stays registered. */
struct twin_visit {
	struct list_head node;
	struct task_struct *task;
	struct twin_slot *slot;		/* NULL: it has not begun */
};

/* Drivers (drivers.c). The lock is taken with interrupts disabled. */
extern spinlock_t twin_drivers_lock;

struct twin_slot *twin_driver_find(twin_handle handle);
twin_handle twin_driver_handle(const struct twin_slot *slot);
void twin_visit_begin(struct twin_visit *visit, struct twin_slot *slot);
void twin_visit_end(struct twin_visit *visit);
bool twin_drivers_visited(twin_handle handle);
void twin_drivers_init(void);

/* Reads by a pointer that may lead anywhere. */
int twin_probe(void *to, const void *from, size_t size);
int twin_probe_string(char *to, const char *from, size_t size);
int twin_check_status(int status);

/* Requests (requests.c). */
int twin_requests_init(void);
void twin_requests_exit(void);
void twin_requests_cancel_all(twin_handle driver);
void twin_requests_run_down(twin_handle driver);
int twin_requests_complete(twin_handle handle, int status, u64 information);

/* Events (events.c). */
void twin_events_close_all(twin_handle driver);

#endif /* TWIN_OWNER_H */
