/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the module actor share */
#ifndef ACTOR_H
#define ACTOR_H

#include <linux/types.h>

#include "d2d_request.h"

#define DRIVERS		24
#define REQUESTS	8
#define MOST_PENDED	4

/* What the routines do. drivers.c has the words that commands use for these values. */
enum on_dispatch {
	ANSWER, PEND, PEND_WITH_CANCEL, FORWARD, FORWARD_BACK, OMIT_COMPLETION, BAD_STATUS,
	COMPLETE_TWICE, PAUSE, ANSWER_AND_PAUSE, UNREGISTER, DETACH, READ_TOO_MUCH, WRITE_TOO_MUCH,
	WRITE_BAD_POINTER, REFUSE, ASK,
};

enum on_returned {
	PASS_UP, THEN_PEND, FORWARD_AGAIN, THEN_UNREGISTER, THEN_PAUSE, WAIT_FOR_R0,
	UNREGISTER_OLDEST,
};

enum on_completed { KEEP, FREE, UNREGISTER_SENDER };

struct actor {
	struct d2d_driver object;
	d2d_handle self;	/* 0: neither registered by this module nor forged */
	d2d_handle target;	/* from d2d_lookup() */
	enum on_dispatch on_dispatch;
	enum on_returned on_returned;
	enum on_completed on_completed;
	struct actor *to;	/* the receiver, if this driver forwards or asks */
	u32 code;	/* of the request for `to`; 0: a forwarded request keeps its code */
	d2d_handle pended[MOST_PENDED];	/* oldest first */
	d2d_handle last;	/* the request that was last taken from `pended` */
	int errno_inside;	/* what a call inside a routine has returned */
};

struct request {
	d2d_handle handle;
	struct d2d_result result;
	u64 output;
};

extern struct actor actors[DRIVERS];
extern struct request requests[REQUESTS];

/* words.c */

extern bool line_is_misspelt;

void line_misspelt(const char *word);
char *line_word(char **line);
u64 line_next_number(char **line, u64 otherwise);
int word_index(const char *word, const char * const *list, size_t count);
int line_index(char **line, const char * const *list, size_t count);
int line_option(char **line, const char * const *list, size_t count, s64 *value);
struct actor *line_actor(char **line);
struct request *line_request(char **line);

/* routines.c */
int actor_dispatch(void *self, const struct d2d_request *request);
int actor_returned(void *self, const struct d2d_request *request,
		   const struct d2d_result *result);
int actor_completed(void *self, d2d_handle handle, const struct d2d_result *result);
void actor_cancelled(void *self, d2d_handle request);
d2d_handle actor_take_pended(struct actor *actor);
int forward_request(struct actor *actor, d2d_handle request, u32 code, bool back);
void store_result(struct request *request, const struct d2d_result *result);

/* The commands: drivers.c */
void actor_unregister_all(void);
int actor_register(char **line);
int actor_unregister(char **line);
int actor_reset(char **line);
int actor_lookup(char **line);
int actor_forge_handle(char **line);
int actor_on_dispatch(char **line);
int actor_on_returned(char **line);
int actor_on_completed(char **line);
int actor_errno_inside(char **line);
int actor_attach(char **line);
int actor_detach(char **line);

/* The commands: requests.c */
int actor_alloc(char **line);
int actor_alloc_until_refused(char **line);
int actor_send(char **line);
int actor_send_and_cancel(char **line);
int actor_wait(char **line);
int actor_expect(char **line);
int actor_cancel(char **line);
int actor_free(char **line);
int actor_read(char **line);
int actor_complete(char **line);
int actor_complete_again(char **line);
int actor_set_cancel(char **line);
int actor_forward(char **line);

#endif /* ACTOR_H */
