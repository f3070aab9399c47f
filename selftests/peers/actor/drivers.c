// SPDX-License-Identifier: GPL-2.0
/* The commands that register drivers, attach them, and set what their routines do */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "actor.h"

static const char * const on_dispatch[] = {
	[ANSWER] = "answer",
	[PEND] = "pend",
	[PEND_WITH_CANCEL] = "pend-with-cancel",
	[FORWARD] = "forward",
	[FORWARD_BACK] = "forward-back",
	[OMIT_COMPLETION] = "omit-completion",
	[BAD_STATUS] = "bad-status",
	[COMPLETE_TWICE] = "complete-twice",
	[PAUSE] = "pause",
	[ANSWER_AND_PAUSE] = "answer-and-pause",
	[UNREGISTER] = "unregister",
	[DETACH] = "detach",
	[READ_TOO_MUCH] = "read-too-much",
	[WRITE_TOO_MUCH] = "write-too-much",
	[WRITE_BAD_POINTER] = "write-bad-pointer",
	[REFUSE] = "refuse",
	[ASK] = "ask",
};

static const char * const on_returned[] = {
	[PASS_UP] = "pass-up",
	[THEN_PEND] = "pend",
	[FORWARD_AGAIN] = "forward-again",
	[THEN_UNREGISTER] = "unregister",
	[THEN_PAUSE] = "pause",
	[WAIT_FOR_R0] = "wait-for-r0",
	[UNREGISTER_OLDEST] = "unregister-oldest",
};

static const char * const on_completed[] = {
	[KEEP] = "keep",
	[FREE] = "free",
	[UNREGISTER_SENDER] = "unregister",
};

int actor_register(char **line)
{
	struct actor *actor = line_actor(line);
	struct actor fresh = {
		.object = D2D_DRIVER_INIT("",
			.self = actor,
			.dispatch = actor_dispatch,
			.returned = actor_returned,
			.completed = actor_completed,
			.cancelled = actor_cancelled,
		),
	};
	struct d2d_driver *object = &fresh.object;
	char *word;
	int err;

	strscpy(object->name, actor->object.name);
	while ((word = line_word(line))) {
		if (!strcmp(word, "atomic")) {
			object->flags = D2D_DISPATCH_ATOMIC;
		} else if (!strcmp(word, "unknown-flag")) {
			object->flags = D2D_DISPATCH_IN_PLACE << 1;
		} else if (!strcmp(word, "no-routines")) {
			object->returned = NULL;
			object->completed = NULL;
			object->cancelled = NULL;
		} else if (!strcmp(word, "returned-outside")) {
			object->returned = (void *)_printk;
		} else if (!strcmp(word, "completed-outside")) {
			object->completed = (void *)_printk;
		} else if (!strcmp(word, "cancelled-outside")) {
			object->cancelled = (void *)_printk;
		} else {
			line_misspelt(word);
		}
	}
	err = d2d_register(object, &fresh.self);
	if (err)
		return err;
	*actor = fresh;
	return d2d_lookup(object->name, &actor->target);
}

int actor_unregister(char **line)
{
	struct actor *actor = line_actor(line);
	int err;

	err = d2d_unregister(actor->self);
	if (!err)
		actor->self = 0;
	return err;
}

void actor_unregister_all(void)
{
	for (struct actor *actor = actors; actor < actors + DRIVERS; actor++)
		if (actor->self && d2d_unregister(actor->self) == -EBUSY) {
			d2d_detach(actor->self);
			d2d_unregister(actor->self);
		}
}

int actor_reset(char **line)
{
	actor_unregister_all();
	memset(actors, 0, sizeof(actors));
	memset(requests, 0, sizeof(requests));
	return 0;
}

int actor_lookup(char **line)
{
	static const char * const options[] = { "name", "handle" };
	struct actor *actor = line_actor(line);
	s64 value;

	switch (line_option(line, options, ARRAY_SIZE(options), &value)) {
	case 0:
		return d2d_lookup(NULL, &actor->target);
	case 1:
		return d2d_lookup(actor->object.name, NULL);
	default:
		return d2d_lookup(actor->object.name, &actor->target);
	}
}

/* Any driver can look up a target. It differs from the handle of its driver only in the kind. */
int actor_forge_handle(char **line)
{
	struct actor *actor = line_actor(line);
	u64 kinds = D2D_HANDLE_TARGET ^ D2D_HANDLE_DRIVER;

	actor->self = actor->target ^ (kinds << D2D_HANDLE_KIND_SHIFT);
	return 0;
}

int actor_on_dispatch(char **line)
{
	struct actor *actor = line_actor(line);

	WRITE_ONCE(actor->on_dispatch, line_index(line, on_dispatch, ARRAY_SIZE(on_dispatch)));
	if (*line) {
		actor->to = line_actor(line);
		actor->code = line_next_number(line, 0);
	}
	return 0;
}

int actor_on_returned(char **line)
{
	struct actor *actor = line_actor(line);

	actor->on_returned = line_index(line, on_returned, ARRAY_SIZE(on_returned));
	return 0;
}

int actor_on_completed(char **line)
{
	struct actor *actor = line_actor(line);

	actor->on_completed = line_index(line, on_completed, ARRAY_SIZE(on_completed));
	return 0;
}

int actor_errno_inside(char **line)
{
	return line_actor(line)->errno_inside;
}

int actor_attach(char **line)
{
	return d2d_attach(line_actor(line)->self);
}

int actor_detach(char **line)
{
	return d2d_detach(line_actor(line)->self);
}
