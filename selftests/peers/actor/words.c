// SPDX-License-Identifier: GPL-2.0
/* Cuts words off a command. An unknown word sets line_is_misspelt, and do_write() fails. */
#include <linux/kernel.h>
#include <linux/string.h>

#include "actor.h"

struct actor actors[DRIVERS];
struct request requests[REQUESTS];
bool line_is_misspelt;

void line_misspelt(const char *word)
{
	pr_err("actor: unknown word '%s'\n", word);
	WRITE_ONCE(line_is_misspelt, true);
}

/* Returns NULL at the end of the line. */
char *line_word(char **line)
{
	char *word;

	do {
		word = strsep(line, " ");
	} while (word && !*word);
	return word;
}

/* Returns @otherwise at the end of the line, and for a word that is no number. */
u64 line_next_number(char **line, u64 otherwise)
{
	char *word = line_word(line);
	s64 number;

	if (!word)
		return otherwise;
	if (!kstrtos64(word, 0, &number))
		return number;
	line_misspelt(word);
	return otherwise;
}

/* Returns 0 for an unknown word. */
int word_index(const char *word, const char * const *list, size_t count)
{
	int index = match_string(list, count, word);

	if (index < 0)
		line_misspelt(word);
	return max(index, 0);
}

int line_index(char **line, const char * const *list, size_t count)
{
	return word_index(line_word(line) ?: "", list, count);
}

/*
 * Parses KEY or KEY=VALUE. VALUE is a number or "null", which means 0. Returns the index of KEY, or
 * -1 at the end of the line.
 */
int line_option(char **line, const char * const *list, size_t count, s64 *value)
{
	char *text = line_word(line);
	char *key;

	if (!text)
		return -1;
	key = strsep(&text, "=");
	*value = 0;
	if (text && strcmp(text, "null") && kstrtos64(text, 0, value))
		line_misspelt(text);
	return word_index(key, list, count);
}

/* Returns the entry of the driver that the word names or, for a new name, a free entry. */
struct actor *line_actor(char **line)
{
	char *name = line_word(line) ?: "nobody";
	struct actor *actor;

	for (actor = actors; actor < actors + DRIVERS - 1 && actor->object.name[0]; actor++)
		if (!strcmp(actor->object.name, name))
			return actor;
	/* If the table is full, this is its last entry. Do not rename a registered driver. */
	if (!actor->self)
		strscpy(actor->object.name, name);
	return actor;
}

/* Parses rN, request number N. */
struct request *line_request(char **line)
{
	char *word = line_word(line) ?: "";
	unsigned int number;

	if (word[0] != 'r' || kstrtouint(word + 1, 10, &number) || number >= REQUESTS) {
		line_misspelt(word);
		return requests;
	}
	return requests + number;
}
