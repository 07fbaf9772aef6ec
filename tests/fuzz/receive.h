/*
 * receive - a message through parser and encoders, with what must hold of it.
 */
#ifndef SEPMLOG_FUZZ_RECEIVE_H
#define SEPMLOG_FUZZ_RECEIVE_H

#include <stdlib.h>

#include "../unit/strict_json.h"
#include "encode.h"
#include "parser.h"

enum { RECEIVE_MAX = 4096 };

static inline struct message_source
receive_source(void)
{
	return (struct message_source){
	    .zone = zone_utc(), .codepage = &text_windows_1252};
}

static inline void
receive_check_value(const struct record *r, enum record_field f)
{
	struct span text = r->value[f].text;

	switch (record_field_info[f].kind) {
	case RECORD_TEXT:
	case RECORD_WORD:
		if (text.n == 0 || text_valid_utf8(text) != text.n)
			abort();
		break;
	case RECORD_TIME:
		if (r->value[f].time < INT64_C(-62167219200) ||
		    r->value[f].time > INT64_C(253402387200))
			abort();
		break;
	default:
		break;
	}
	if ((f == RECORD_F_LOCAL_PORT || f == RECORD_F_REMOTE_PORT) &&
	    (r->value[f].number == 0 || r->value[f].number > 65535))
		abort();
}

static inline void
receive_check(const struct record *r)
{
	bool unparsed = r->type == RECORD_UNPARSED;

	for (unsigned f = 0; f < RECORD_FIELD_COUNT; f++)
		if (record_has(r, (enum record_field)f))
			receive_check_value(r, (enum record_field)f);
	/* its bytes, or what was made of them */
	if (unparsed != record_has(r, RECORD_F_REASON))
		abort();
	if (unparsed && r->original.n > 0 &&
	    record_has(r, RECORD_F_RAW) == record_has(r, RECORD_F_RAW_BASE64))
		abort();
}

/* What was written before makes no difference. */
static inline void
receive_write_again(const struct record *r, struct span line, char *out)
{
	static struct timestamp_days days;

	if (!span_eq(line, span_between(out, encode_jsonl(r, &days, out))))
		abort();
}

/* Encodes in every format; `n` is the message's length. */
static inline void
receive_encode(const struct record *r, size_t n)
{
	struct message_source source = receive_source();
	size_t room = encode_bound(n, &source);
	char *out = malloc(room), *again = malloc(room), *end;

	if (out == NULL || again == NULL)
		abort();
	end = encode_jsonl(r, &(struct timestamp_days){0}, out);
	receive_write_again(r, span_between(out, end), again);
	end = encode_jsonl_end(SPAN("3fa94c1e-traffic-1-1"), end);
	if ((size_t)(end - out) > room ||
	    !strict_json_line(span_between(out, end)))
		abort();
	end = encode_csv(r, &source, out);
	if ((size_t)(end - out) > room || end[-1] != '\n' || end[-2] != '\r' ||
	    memchr(out, '\n', (size_t)(end - out) - 1) != NULL)
		abort();
	end = encode_raw(r, out);
	if ((size_t)(end - out) > room || end[-1] != '\n' ||
	    memchr(out, '\n', (size_t)(end - out) - 1) != NULL)
		abort();
	free(out);
	free(again);
}

#endif
