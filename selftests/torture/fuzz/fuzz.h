/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fuzzer of the C API: two modules, fuzz0 and fuzz1, which play at the same time. Their drivers
 * call every exported function with live, dead, foreign and altered handles, from every execution
 * context, and an oracle judges each result. The callers are the routines of the drivers, and
 * *players*: threads, a worker, timers and an irq_work. A player takes one *turn* after the other.
 * A turn is none, one or several random *plays*, such as sending a request.
 *
 * The same seed gives the same decisions of each turn and each routine, but not always the same
 * interleaving.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/types.h>

#include "d2d_event.h"
#include "d2d_pair.h"
#include "d2d_request.h"
#include "fuzz_calls.h"

#define FUZZ_DRIVERS	8
#define FUZZ_REQUESTS	96
#define FUZZ_EVENTS	48
#define FUZZ_KEPT	64

/* A call may exceed its limit by this much, as the machine may be busy. */
#define FUZZ_MARGIN_MS	30000
/* The longest random limit of a wait. The watchdog also uses it for some calls without one. */
#define FUZZ_LONGEST_MS	100
/* The limit of a wait that another thread has to end earlier. */
#define FUZZ_PATIENCE_MS	10000

#define FUZZ_OUTPUT	80

/* The digit of fuzz0 or fuzz1. It is the top byte of the tags of requests. */
#define FUZZ_MODULE_DIGIT	(THIS_MODULE->name[4])

/*
 * What a handle names. A driver has two handles: FUZZ_DRIVER from d2d_register(), and FUZZ_TARGET
 * from d2d_lookup(). A request has two, as well: FUZZ_REQUEST is the sender's. The receiver's is
 * FUZZ_HOLD, or FUZZ_OFFER for a handshake.
 */
enum fuzz_kind {
	FUZZ_DRIVER, FUZZ_TARGET, FUZZ_REQUEST, FUZZ_EVENT, FUZZ_HOLD, FUZZ_OFFER, FUZZ_ITEM,
	FUZZ_KINDS
};

/* The origin of a handle. It decides what a function may do with the handle. */
enum fuzz_origin {
	FUZZ_LIVE,	/* of this module; live when it was chosen */
	FUZZ_DEAD,	/* of this module; dead when it was chosen */
	FUZZ_OTHER,	/* of a kind that the function does not take */
	FUZZ_ALTERED,	/* altered; names nothing */
	FUZZ_GUESSED,	/* altered kind bits; may name something */
	FUZZ_ZERO,
	FUZZ_FOREIGN,	/* of another module */
	FUZZ_ORIGINS
};

struct fuzz_random {
	u64 state;
};

/* A player or a routine */
struct fuzz_caller {
	struct fuzz_random random;
	u32 player;
	bool may_sleep;
	bool in_routine;
};

/* A driver of the fuzzer. Kept until long after the driver has unregistered */
struct fuzz_registration {
	struct d2d_driver object;
	d2d_handle handle;
	d2d_handle target;
	atomic_t inside;	/* routines that run */
	atomic_t unregistering;	/* calls of d2d_unregister() that run or have succeeded */
	/* Calls of d2d_unregister() that run or have succeeded, and all calls of d2d_leave() */
	atomic_t leaving;
	bool has_left;		/* d2d_leave() has returned 0 */
	/* The module's last tag when d2d_leave() returned 0; otherwise 0 */
	u64 tag_when_left;
	bool unregistered;	/* d2d_unregister() has returned 0 */
	struct d2d_context *context;
	atomic_t context_users;	/* plays that use the context */
	/* Running calls that may give or take away the context: no play begins to use it */
	atomic_t context_closed;
	atomic_t detaching;	/* calls of fuzz_detach() that run */
	atomic_t detaches_begun;	/* all calls of fuzz_detach() so far */
	atomic_t adopted_in;	/* number of the handshake that gave the context, or 0 */
};

/* Which players may use a thing. The fewer, the more the oracle can check. */
enum fuzz_sharing {
	FUZZ_FOR_ALL,
	FUZZ_FOR_ONE,
	FUZZ_FOR_TWO,	/* players whose numbers differ only in the lowest bit */
};

/* What a handle names; see things.c */
struct fuzz_thing {
	d2d_handle handle;
	struct fuzz_registration *reg;
	enum fuzz_kind kind;
	/* FUZZ_IS_RESERVED: a call may be making the thing */
	enum { FUZZ_IS_FREE, FUZZ_IS_RESERVED, FUZZ_IS_LIVE, FUZZ_IS_DEAD } state;
	u32 nth;		/* this is the nth thing in its place */
	enum fuzz_sharing sharing;
	u32 sharing_player;
	u32 input_size;
	u32 output_size;
	bool freed;		/* by d2d_request_free() or the request's completion routine */
	atomic_t users;		/* calls that use the handle */
	atomic_t ending;	/* calls that end the thing and have not failed */
	atomic_t completions_due;	/* calls of `completed` still to come */
};

/* A handle that a caller has chosen */
struct fuzz_pick {
	d2d_handle handle;
	enum fuzz_origin origin;
	struct fuzz_thing *thing;	/* NULL unless FUZZ_LIVE */
	u32 nth;	/* of the thing */
	/* The thing's driver had left when the handle was chosen */
	bool driver_had_left;
};

/* What a caller passes to d2d_request_call(), and gets from it */
struct fuzz_answer {
	u32 ms;
	u32 room;
	struct d2d_result result;
	u8 output[FUZZ_OUTPUT];
};

/* A running call that the watchdog watches */
struct fuzz_watch {
	struct list_head node;
	enum fuzz_call call;
	d2d_handle handle;
	u64 since;
	u32 limit;	/* ms, or D2D_FOREVER */
	u32 player;
	bool reported;
};

/* A request that a driver has pended */
struct fuzz_kept {
	d2d_handle handle;	/* 0: none */
	struct fuzz_registration *reg;
	u64 tag;
	bool is_offer;
	int handshake;		/* number of an offer's handshake */
	bool for_ever;		/* no play completes it */
};

/* A dispatch routine that may use the buffers of its request in place */
struct fuzz_in_place {
	const struct d2d_request *request;	/* NULL: it does not use the buffers now */
	u64 tag;
	u32 sum;	/* of the input */
};

extern u64 fuzz_seed;
/* Set when a run ends. Players stop, and no play begins a wait without a limit. */
extern bool fuzz_is_over;

/* SplitMix64 */
static inline u64 fuzz_mix(u64 value)
{
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
	return value ^ (value >> 31);
}

static inline u64 fuzz_next(struct fuzz_random *random)
{
	random->state += 0x9e3779b97f4a7c15ull;
	return fuzz_mix(random->state);
}

static inline u32 fuzz_below(struct fuzz_caller *caller, u32 limit)
{
	return mul_u32_u32(fuzz_next(&caller->random) >> 32, limit) >> 32;
}

static inline bool fuzz_chance(struct fuzz_caller *caller, u32 percent)
{
	return fuzz_below(caller, 100) < percent;
}

static inline struct fuzz_random fuzz_random_of(u64 a, u64 b)
{
	return (struct fuzz_random){ fuzz_mix(fuzz_seed ^ fuzz_mix(a) ^ fuzz_mix(~b)) };
}

/* Makes the @nth allocation of this thread from now on fail; 0: none. Needs fault injection. */
static inline void fuzz_fail_nth(u32 nth)
{
#ifdef CONFIG_FAULT_INJECTION
	current->fail_nth = nth;
#endif
}

/*
 * A pick of a request that a driver holds. The handle may become stale at any time, so the oracle
 * judges it like a foreign one.
 */
static inline struct fuzz_pick fuzz_pick_hold(d2d_handle handle)
{
	return (struct fuzz_pick){ .handle = handle, .origin = FUZZ_FOREIGN };
}

/* The fuzzer's drivers complete a send with this information. The sender checks it. */
static inline u64 fuzz_information(u64 tag)
{
	return fuzz_mix(tag) | 1;
}

static inline bool fuzz_is_own_tag(u64 tag)
{
	return tag >> 56 == FUZZ_MODULE_DIGIT;
}

/* oracle.c */
__printf(2, 3) void fuzz_violation(const char *kind, const char *fmt, ...);
bool fuzz_is_leaving(const struct fuzz_pick *pick);
void fuzz_judge(struct fuzz_caller *caller, enum fuzz_call call, int err,
		const struct fuzz_pick *picks, u32 count, bool call_ends_thing);
void fuzz_note_seen(d2d_handle handle, enum fuzz_kind kind);
u64 fuzz_send_begins(struct fuzz_caller *caller, struct fuzz_pick *request, u32 flags,
		     bool to_owner);
void fuzz_send_ended(u64 tag, struct fuzz_pick *request, u32 flags, int err);
void fuzz_note_completed(u64 tag, struct fuzz_thing *thing, const struct d2d_result *result);
void fuzz_note_result(u64 tag, const struct d2d_result *result);
void fuzz_note_hold(d2d_handle handle, u64 tag, struct fuzz_registration *reg);
void fuzz_note_left(struct fuzz_registration *reg);
bool fuzz_is_finished(d2d_handle handle);
void fuzz_note_finished(d2d_handle handle);
void fuzz_note_set_cancel(d2d_handle handle);
void fuzz_note_cancelled(d2d_handle handle);
void fuzz_watch_begins(struct fuzz_watch *watch);
void fuzz_watch_ended(struct fuzz_watch *watch);
void fuzz_check_timed_out(enum fuzz_call call, unsigned long since, u32 ms);
u32 fuzz_watchdog(void);
void fuzz_oracle_reset(void);
ssize_t fuzz_report(char *text, size_t size);
u32 fuzz_violations(void);

/* coverage.c */
const char *fuzz_origin_name(enum fuzz_origin origin);
bool fuzz_is_documented(enum fuzz_call call, int err);
const char *fuzz_call_name(enum fuzz_call call);
void fuzz_count(enum fuzz_call call, int err, const struct fuzz_pick *picks, u32 count);
ssize_t fuzz_report_coverage(char *text, size_t size);
void fuzz_coverage_reset(void);

/* buffers.c */
u8 fuzz_byte(u64 tag);
void fuzz_in_place_begins(struct fuzz_in_place *in_place, const struct d2d_request *request,
			  struct fuzz_registration *reg);
void fuzz_in_place_ends(struct fuzz_in_place *in_place);
void fuzz_answer_prepare(struct fuzz_caller *caller, struct fuzz_answer *answer, u32 ms);
void fuzz_check_answer(u64 tag, int err, const struct fuzz_answer *answer);

/* things.c */
struct fuzz_thing *fuzz_thing_reserve(enum fuzz_kind kind);
void fuzz_thing_publish(struct fuzz_thing *thing, d2d_handle handle, struct fuzz_registration *reg);
void fuzz_thing_unreserve(struct fuzz_thing *thing);
void fuzz_thing_ended(struct fuzz_thing *thing, u32 nth, bool freed);
void fuzz_end_things_of(struct fuzz_registration *reg);
struct fuzz_pick fuzz_pick_of(enum fuzz_kind kind, d2d_handle handle);
bool fuzz_is_live(const struct fuzz_pick *pick, bool call_ends_thing);
struct fuzz_pick fuzz_pick(struct fuzz_caller *caller, enum fuzz_kind kind, bool harmless);
void fuzz_unpick(struct fuzz_pick *pick);
void fuzz_note_dead(enum fuzz_kind kind, d2d_handle handle);
void fuzz_note_foreign(enum fuzz_kind kind, d2d_handle handle);
bool fuzz_keep(const struct fuzz_kept *kept);
bool fuzz_take_kept(struct fuzz_caller *caller, struct fuzz_kept *kept, bool leave_it);
void fuzz_things_check(void);
void fuzz_things_reset(void);

/* drivers.c */
int fuzz_drivers_init(void);
void fuzz_drivers_free(void);
void fuzz_play_register(struct fuzz_caller *caller);
void fuzz_play_unregister(struct fuzz_caller *caller);
void fuzz_play_leave(struct fuzz_caller *caller);
int fuzz_driver_leave(struct fuzz_caller *caller, struct fuzz_pick *driver);
void fuzz_unregister_all(struct fuzz_caller *caller);
struct d2d_driver fuzz_driver_object(const char *name, void *self);
bool fuzz_begin_routine(struct fuzz_registration *reg, const char *routine);
void fuzz_end_routine(struct fuzz_registration *reg, const char *routine);
bool fuzz_begin_nested_call(void);
void fuzz_end_nested_call(void);

/* routines.c */
int fuzz_dispatch(void *self, const struct d2d_request *request);
int fuzz_returned(void *self, const struct d2d_request *request, const struct d2d_result *result);
int fuzz_completed(void *self, d2d_handle request, const struct d2d_result *result);
void fuzz_cancelled(void *self, d2d_handle request);
int fuzz_event_was_set(void *argument, d2d_handle event);

/* link.c */
int fuzz_share(struct fuzz_caller *caller, struct fuzz_registration *reg,
	       const struct d2d_request *request);
void fuzz_play_attach(struct fuzz_caller *caller);
void fuzz_play_detach(struct fuzz_caller *caller);
void fuzz_play_link(struct fuzz_caller *caller);
int fuzz_detach(struct fuzz_caller *caller, struct fuzz_pick *driver);
void fuzz_complete_offer(struct fuzz_caller *caller, const struct fuzz_kept *offer, int status);
void fuzz_close_context(struct fuzz_registration *reg);
void fuzz_open_context(struct fuzz_registration *reg);

/* calls.c */
int fuzz_request_alloc(struct fuzz_caller *caller, struct fuzz_pick *driver, u32 input, u32 output,
		       d2d_handle *handle);
int fuzz_request_send(struct fuzz_caller *caller, struct fuzz_pick *request,
		      struct fuzz_pick *target, struct d2d_send *send);
int fuzz_request_call(struct fuzz_caller *caller, struct fuzz_pick *request,
		      struct fuzz_pick *target, struct d2d_send *send, struct fuzz_answer *answer);
int fuzz_request_forward(struct fuzz_caller *caller, struct fuzz_pick *hold,
			 struct fuzz_pick *target, struct d2d_send *send);
int fuzz_request_wait(struct fuzz_caller *caller, struct fuzz_pick *request, u32 ms,
		      struct d2d_result *result);
int fuzz_request_cancel(struct fuzz_caller *caller, struct fuzz_pick *request);
int fuzz_request_free(struct fuzz_caller *caller, struct fuzz_pick *request);
int fuzz_request_read(struct fuzz_caller *caller, struct fuzz_pick *request, u32 len);
int fuzz_request_write(struct fuzz_caller *caller, struct fuzz_pick *hold, u64 tag, u32 len);
int fuzz_request_set_cancel(struct fuzz_caller *caller, struct fuzz_pick *hold);
int fuzz_request_pend(struct fuzz_caller *caller, struct fuzz_pick *hold);
int fuzz_complete(struct fuzz_caller *caller, struct fuzz_pick *hold, int status, u64 information);
int fuzz_complete_with(struct fuzz_caller *caller, struct fuzz_pick *hold, int status,
		       u64 information, u32 output_len);
int fuzz_event_open(struct fuzz_caller *caller, struct fuzz_pick *driver, const char *name,
		    u32 kind, bool make, d2d_handle *handle);
int fuzz_event_close(struct fuzz_caller *caller, struct fuzz_pick *event);
void fuzz_event_ring(struct fuzz_caller *caller, struct fuzz_pick *event);
int fuzz_event_call(struct fuzz_caller *caller, struct fuzz_pick *event, enum fuzz_call call);
int fuzz_event_on_set(struct fuzz_caller *caller, struct fuzz_pick *event, bool remove);
int fuzz_event_wait(struct fuzz_caller *caller, struct fuzz_pick *events, u32 count, u32 flags,
		    u32 timeout);

/* plays.c, sleepers.c, limits.c */
int fuzz_send(struct fuzz_caller *caller, struct fuzz_pick *request, u32 flags, u64 *tag,
	      struct fuzz_answer *answer);
int fuzz_forward(struct fuzz_caller *caller, struct fuzz_pick *hold, u32 flags);
void fuzz_finish(struct fuzz_caller *caller, struct fuzz_pick *hold, u64 tag,
		 struct fuzz_in_place *in_place);
void fuzz_play(struct fuzz_caller *caller);
void fuzz_play_may_sleep(struct fuzz_caller *caller);
void fuzz_play_limits(struct fuzz_caller *caller, u32 which);
void fuzz_forget(void);

#endif /* FUZZ_H */
