/*
 * Any bytes as lines of jsonl: what is read lies in the line or is not longer,
 * and what is written of it is read again, to the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "decode.h"
#include "encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LONGEST = 4096 };

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static bool
is_simple(enum record_kind kind)
{
	return kind == RECORD_TEXT || kind == RECORD_WORD ||
	       kind == RECORD_UINT || kind == RECORD_TIME;
}

static void
compare(const struct record *a, const struct record *b)
{
	for (unsigned f = 0; f < RECORD_FIELD_COUNT; f++) {
		const union record_value *x = &a->value[f], *y = &b->value[f];

		if (!is_simple(record_field_info[f].kind))
			continue;
		require(record_has(a, f) == record_has(b, f));
		if (!record_has(a, f))
			continue;
		if (record_field_info[f].kind == RECORD_UINT)
			require(x->number == y->number);
		else if (record_field_info[f].kind == RECORD_TIME)
			require(x->time == y->time);
		else
			require(span_eq(x->text, y->text));
	}
}

/* Words are never escaped: only those that need none are written. */
static bool
writable(const struct record *r)
{
	for (unsigned f = 0; f < RECORD_FIELD_COUNT; f++) {
		if (record_field_info[f].kind != RECORD_WORD ||
		    !record_has(r, f))
			continue;
		for (size_t i = 0; i < r->value[f].text.n; i++) {
			char c = r->value[f].text.p[i];

			if (c < ' ' || c > '~' || c == '"' || c == '\\')
				return false;
		}
	}
	return true;
}

static void
again(const struct record *r)
{
	static struct decoder *other;
	static struct record back;
	struct message_source source = {0};
	struct timestamp_days days = {0};
	char *out, *end;

	if (!other)
		other = decoder_new(16 * LONGEST);
	out = malloc(encode_bound(LONGEST, &source));
	require(other != NULL && out != NULL);
	end = encode_body(ENCODE_JSONL, r, &source, &days, out);
	end = encode_end(ENCODE_JSONL, SPAN("1"), end);
	require(decoder_read(other, span_between(out, end - 1), &back));
	compare(r, &back);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decoder *decoder;
	static struct record record;
	struct span in = span_of((const char *)data, size), line;

	if (!decoder)
		decoder = decoder_new(LONGEST);
	require(decoder != NULL);
	while (in.n > 0) {
		line = span_take(in, span_find(in, '\n'));
		in = span_skip(in, line.n + 1);
		if (!decoder_read(decoder, line, &record))
			continue;
		require(line.n <= LONGEST);
		if (writable(&record))
			again(&record);
	}
	return 0;
}
