/*
 * A state that can be read is written as one that reads the same; what is
 * added to it stays.
 */
#include <stdint.h>
#include <stdlib.h>

#include "taken.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PENDING = 64, INTERVALS = 32 };

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static struct span
text_of(const struct taken *taken)
{
	size_t room = taken_bound(taken);
	char *text = malloc(room);
	size_t n;

	require(text != NULL);
	n = taken_write(taken, text);
	require(n <= room);
	return span_of(text, n);
}

static void
check_again(const struct taken *taken)
{
	struct taken *again = taken_new(PENDING, INTERVALS);
	struct span first = text_of(taken), second;

	require(again != NULL && taken_read(again, first));
	second = text_of(again);
	require(span_eq(first, second));
	taken_free(again);
	free((char *)first.p);
	free((char *)second.p);
}

/* Numbers of two digits out of the same bytes. */
static void
add_some(struct taken *taken, struct span bytes)
{
	for (; bytes.n >= 2; bytes = span_skip(bytes, 2)) {
		struct taken_key key =
		    taken_key(taken, SPAN("A1"), span_take(bytes, 2), bytes);

		if (taken_look(taken, key) != TAKEN_NEW)
			continue;
		if (!taken_add(taken, key)) {
			require(taken_settle(taken));
			if (taken_look(taken, key) == TAKEN_NEW)
				require(taken_add(taken, key));
		}
		require(taken_look(taken, key) != TAKEN_NEW);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct taken *taken = taken_new(PENDING, INTERVALS);
	struct span text = span_of((const char *)data, size);

	require(taken != NULL);
	if (taken_read(taken, text)) {
		check_again(taken);
		add_some(taken, text);
		require(taken_settle(taken));
		check_again(taken);
	}
	taken_free(taken);
	return 0;
}
