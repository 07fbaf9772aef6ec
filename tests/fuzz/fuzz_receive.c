/*
 * A connection: its bytes, cut into reads whose sizes the first byte chooses,
 * through framing, parser and every encoder. However they are cut, the same
 * lines come out.
 */
#include <stdint.h>
#include <string.h>

#include "framing.h"
#include "receive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	MAX_MESSAGE = 700,
	BEHIND = 16, /* framing.h: kept of a frame besides the message */
	STREAM = 4 * RECEIVE_MAX,
	MOST_READ = 97,
};

struct connection {
	struct framing framing;
	struct parser *parser;
	struct record record;
	char buffer[MAX_MESSAGE + BEHIND + STREAM];
	size_t kept;
	uint64_t hash, messages;
};

static void
hash(struct connection *c, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		c->hash =
		    (c->hash ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
}

static void
take(struct connection *c, const struct framing_frame *frame)
{
	static char line[1 << 17];
	static struct timestamp_days days;
	struct message_source source = receive_source();
	struct message m = {
	    .bytes = frame->bytes,
	    .length = frame->length,
	    .unterminated = frame->unterminated,
	    .reference = 1719705600,
	    .received_us = 1719705600123456,
	    .peer = SPAN("192.0.2.7"),
	    .transport = SPAN("tcp"),
	};

	if (m.bytes.n == 0 || m.bytes.n > MAX_MESSAGE ||
	    encode_bound(m.bytes.n, &source) > sizeof(line))
		abort();
	parser_parse(c->parser, &m, &source, &c->record);
	receive_check(&c->record);
	for (int f = 0; f < ENCODE_FORMAT_COUNT; f++) {
		char *end = encode_body(
		    (enum encode_format)f, &c->record, &source, &days, line);

		end = encode_end((enum encode_format)f, SPAN("id-1"), end);
		hash(c, span_between(line, end));
	}
	c->messages++;
}

/* As a worker does it: the kept bytes, and the read behind them. */
static void
feed(struct connection *c, struct span piece)
{
	struct framing_frame frame;
	struct span in;
	size_t used, keep;

	memcpy(c->buffer + c->kept, piece.p, piece.n);
	in = span_of(c->buffer, c->kept + piece.n);
	while (framing_next(&c->framing, in, &frame, &used, &keep) ==
	       FRAMING_FRAME) {
		take(c, &frame);
		in = span_skip(in, used);
	}
	if (keep > MAX_MESSAGE + BEHIND || used + keep > in.n ||
	    !framing_is_possible(&c->framing, keep))
		abort();
	memmove(c->buffer, in.p + used, keep);
	c->kept = keep;
}

/* `seed` 0: in one read. */
static void
receive_all(struct connection *c, struct span stream, unsigned seed)
{
	struct framing_frame frame;
	uint32_t random = seed;

	framing_init(&c->framing, MAX_MESSAGE);
	c->kept = 0;
	c->hash = UINT64_C(14695981039346656037);
	c->messages = 0;
	while (stream.n > 0) {
		size_t n = stream.n;

		random = random * 1664525 + 1013904223;
		if (seed != 0 && n > (random >> 16) % MOST_READ)
			n = (random >> 16) % MOST_READ + 1;
		feed(c, span_take(stream, n));
		stream = span_skip(stream, n);
	}
	if (framing_finish(&c->framing, span_of(c->buffer, c->kept), &frame) ==
	    FRAMING_FRAME)
		take(c, &frame);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct connection c;
	struct span stream;
	uint64_t hashed, messages;

	if (size == 0 || size > STREAM)
		return 0;
	if (c.parser == NULL)
		c.parser = parser_new(MAX_MESSAGE);
	if (c.parser == NULL)
		abort();
	stream = span_of((const char *)data + 1, size - 1);
	receive_all(&c, stream, 0);
	hashed = c.hash;
	messages = c.messages;
	receive_all(&c, stream, data[0] + 1U);
	if (c.hash != hashed || c.messages != messages)
		abort();
	return 0;
}
