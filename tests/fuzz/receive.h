/*
 * receive - a message through parser and encoders, with what must hold of it.
 */
#ifndef SEPMLOG_FUZZ_RECEIVE_H
#define SEPMLOG_FUZZ_RECEIVE_H

#include <sanitizer/asan_interface.h>
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

/* The whole line; what was written before makes no difference. */
static inline struct span
receive_line(const struct record *r, const struct message_source *source,
    enum encode_format format, char *out, char *again)
{
	static struct timestamp_days days;
	struct timestamp_days none = {0};
	char *end = encode_body(format, r, source, &none, out);
	char *same = encode_body(format, r, source, &days, again);

	if (!span_eq(span_between(out, end), span_between(again, same)))
		abort();
	end = encode_end(format, SPAN("3fa94c1e-traffic-1-1"), end);
	return span_between(out, end);
}

/* A line is one, and holds no control characters but raw's own. */
static inline void
receive_check_line(enum encode_format format, struct span line)
{
	if (line.n == 0 || line.p[line.n - 1] != '\n')
		abort();
	line.n -= format == ENCODE_CSV ? 2 : 1;
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if (c == '\n' || (format != ENCODE_RAW && c < 0x20 &&
				     (format != ENCODE_LEEF || c != '\t')))
			abort();
	}
}

/*
 * One of two buffers of `n` bytes, which keeps what it has: a new one for each
 * of a file's thousand short lines would cost far more than what is tried. A
 * sanitizer sees what is touched beyond `n`.
 */
static inline char *
receive_room(unsigned which, size_t n)
{
	static struct {
		char *bytes;
		size_t size;
	} buffers[2];

	if (n > buffers[which].size) {
		free(buffers[which].bytes);
		buffers[which].bytes = malloc(n);
		buffers[which].size = n;
		if (buffers[which].bytes == NULL)
			abort();
	}
	ASAN_UNPOISON_MEMORY_REGION(buffers[which].bytes, n);
	ASAN_POISON_MEMORY_REGION(
	    buffers[which].bytes + n, buffers[which].size - n);
	return buffers[which].bytes;
}

/* Encodes in every format; `n` is the message's length. */
static inline void
receive_encode(const struct record *r, size_t n)
{
	struct message_source source = receive_source();
	size_t room = encode_bound(n, &source);
	char *out = receive_room(0, room), *again = receive_room(1, room);

	for (int f = 0; f < ENCODE_FORMAT_COUNT; f++) {
		enum encode_format format = (enum encode_format)f;
		struct span line = receive_line(r, &source, format, out, again);

		if (line.n > room)
			abort();
		receive_check_line(format, line);
		if (encode_is_json(format) && !strict_json_line(line))
			abort();
	}
}

#endif
