/* SPDX-License-Identifier: GPL-2.0 */
/* Declarations that the parts of twin_owner share. */
#ifndef TWIN_OWNER_H
#define TWIN_OWNER_H

#include <linux/completion.h>
#include <linux/list.h>
#include <linux/sched.h>

#include "link.h"
#include "twin.h"

#define TWIN_MAX_CONTEXTS	64
#define TWIN_MAX_CAPACITY	1048576

/*
 * If one of these bits is set, it says what the handle names. A handle from twin_register() and the
 * handle of an event have none of them. The handles of items have another form (queue.h).
 */
#define TWIN_HANDLE_OFFER	BIT(28)	/* the request of a handshake */
#define TWIN_HANDLE_TARGET	BIT(29)	/* a driver, found by twin_lookup() */
#define TWIN_HANDLE_SENDER	BIT(30)	/* a request, for its sender */
#define TWIN_HANDLE_HOLDER	BIT(31)	/* a request, for its holder */

/* How the owner learns of a handshake's completion. */
enum twin_learn { TWIN_LEARN_RETURN, TWIN_LEARN_ROUTINE, TWIN_LEARN_WAIT };

extern unsigned int twin_contexts;
extern unsigned int twin_completion;
extern unsigned int twin_timeout;

struct twin_slot;

/* A context, and the owner's link to the peer through it. */
struct twin_seat {
	struct twin_context *context;
	struct twin_owner_link link;
	struct twin_slot *holder;	/* the context's driver; twin_drivers_lock protects it */
};

extern struct twin_seat twin_seats[TWIN_MAX_CONTEXTS];

/*
 * TWIN_ABANDONED: the handshake has timed out. Its context stays reserved until the driver
 * completes the handshake, detaches or unregisters.
 */
enum twin_state { TWIN_REGISTERED, TWIN_ATTACHING, TWIN_ATTACHED, TWIN_DETACHING, TWIN_ABANDONED };

/* What ended an offer. SENDER: dispatch() returned, and had neither completed nor pended it. */
enum twin_winner {
	TWIN_WINNER_DRIVER,
	TWIN_WINNER_SENDER,
	TWIN_WINNER_TIMEOUT,
	TWIN_WINNER_CANCEL,
};

/* The request of a handshake; a driver has one at most. */
struct twin_offer {
	struct twin_request request;
	struct task_struct *sender;	/* only compared, never dereferenced */
	enum twin_winner winner;
	int status;
	int result;		/* of the handshake: 0 or an errno */
	bool claimed;
	bool has_ended;		/* winner, status and result are valid */
	bool sender_is_out;	/* the sender has left send_offer(), and so dispatch() */
	bool driver_is_done;	/* the driver is not busy with the offer any more */
	struct completion ended;
	struct completion sender_out;
};

struct twin_slot {
	u32 generation;
	bool used;
	bool unregistering;
	enum twin_state state;
	struct twin_seat *seat;		/* NULL if the driver is only registered */
	struct twin_driver object;
	struct list_head calls;	/* running calls of the driver's routines; not the offer's */
	struct twin_offer offer;
};

/* A call of a driver's routine. The driver stays registered until the call ends. */
struct twin_call {
	struct list_head node;
	struct task_struct *task;
	struct twin_slot *slot;
};

/* drivers.c; the lock is taken with interrupts disabled. */
extern spinlock_t twin_drivers_lock;

struct twin_slot *twin_driver_find(twin_handle handle);
twin_handle twin_driver_handle(const struct twin_slot *slot);
void twin_call_begin(struct twin_call *call, struct twin_slot *slot);
void twin_call_end(struct twin_call *call);
bool twin_driver_is_called(twin_handle handle);
void twin_drivers_init(void);

int twin_check_status(int status);

/* probe.c; -EFAULT: a pointer is bad */
int twin_probe(void *to, const void *from, size_t size);
int twin_probe_string(char *to, const char *from, size_t size);
int twin_check_driver(const struct twin_driver *from, struct twin_driver *object);

/* requests.c */
int twin_requests_init(void);
void twin_requests_exit(void);
void twin_requests_cancel_all(twin_handle driver);
void twin_requests_clear_and_free(twin_handle driver);
int twin_requests_complete(twin_handle handle, int status, u64 information);

/* events.c */
void twin_events_close_all(twin_handle driver);

#endif /* TWIN_OWNER_H */
