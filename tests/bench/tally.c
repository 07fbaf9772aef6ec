/*
 * tally - which of the numbered messages (corpus.h) stand in a receiver's
 * output, whatever its format: tally COUNT <OUTPUT
 *
 * Reads lines, and prints one JSON object: the lines, how many different
 * numbers below COUNT they have, and how many lines have a number that stood
 * in an earlier one, or none.
 */
#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"

struct tally {
	uint64_t count;      /* numbers are below it */
	unsigned char *seen; /* a bit for each */
	uint64_t lines, distinct, repeated, unnumbered;
};

/* Ten digits, or false. */
static bool
read_digits(const char *at, const char *end, uint64_t *number)
{
	if (end - at < CORPUS_DIGITS)
		return false;
	*number = 0;
	for (int i = 0; i < CORPUS_DIGITS; i++) {
		if (at[i] < '0' || at[i] > '9')
			return false;
		*number = *number * 10 + (uint64_t)(at[i] - '0');
	}
	return true;
}

static bool
find_number(const char *at, const char *end, uint64_t *number)
{
	const size_t mark = sizeof CORPUS_MARK - 1;

	while (
	    (at = memmem(at, (size_t)(end - at), CORPUS_MARK, mark)) != NULL) {
		at += mark;
		if (read_digits(at, end, number))
			return true;
	}
	return false;
}

static void
count_line(struct tally *t, const char *line, size_t n)
{
	uint64_t number;
	unsigned char bit;

	t->lines++;
	if (!find_number(line, line + n, &number) || number >= t->count) {
		t->unnumbered++;
		return;
	}
	bit = (unsigned char)(1u << number % 8);
	if (t->seen[number / 8] & bit)
		t->repeated++;
	else
		t->distinct++;
	t->seen[number / 8] |= bit;
}

int
main(int argc, char **argv)
{
	struct tally t = {0};
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (argc != 2)
		errx(2, "usage: tally COUNT <OUTPUT");
	t.count = strtoull(argv[1], NULL, 10);
	t.seen = calloc(t.count / 8 + 1, 1);
	if (t.seen == NULL)
		err(3, "%s", argv[1]);
	while ((n = getline(&line, &room, stdin)) > 0)
		count_line(&t, line, (size_t)n);
	if (ferror(stdin))
		err(3, "standard input");
	printf("{\"lines\": %llu, \"distinct\": %llu, \"repeated\": %llu, "
	       "\"unnumbered\": %llu}\n",
	    (unsigned long long)t.lines, (unsigned long long)t.distinct,
	    (unsigned long long)t.repeated, (unsigned long long)t.unnumbered);
	free(line);
	free(t.seen);
	return fflush(stdout) != 0;
}
