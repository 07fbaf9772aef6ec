#include "body.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "text.h"

enum {
	GZIP = 15 + 16, /* window bits: the largest one, and gzip's header */
	LEVEL = 3,      /* JSON gets hardly smaller beyond it */
};

struct body {
	bool gzip, full;
	z_stream z;
	size_t n, size;
	char bytes[];
};

struct body *
body_new(size_t size, bool gzip)
{
	struct body *b = malloc(sizeof *b + size);

	if (b == NULL)
		return NULL;
	*b = (struct body){.gzip = gzip, .size = size};
	if (!gzip || deflateInit2(&b->z, LEVEL, Z_DEFLATED, GZIP, 8,
			 Z_DEFAULT_STRATEGY) == Z_OK)
		return b;
	free(b);
	return NULL;
}

void
body_free(struct body *b)
{
	if (b == NULL)
		return;
	if (b->gzip)
		deflateEnd(&b->z);
	free(b);
}

void
body_begin(struct body *b)
{
	b->n = 0;
	b->full = false;
	if (!b->gzip)
		return;
	deflateReset(&b->z);
	b->z.next_out = (unsigned char *)b->bytes;
	b->z.avail_out = (unsigned)b->size;
}

void
body_put(struct body *b, struct span bytes)
{
	if (b->gzip) {
		b->z.next_in = (unsigned char *)(uintptr_t)bytes.p;
		b->z.avail_in = (unsigned)bytes.n;
		if (bytes.n > 0)
			(void)deflate(&b->z, Z_NO_FLUSH);
		b->full |= b->z.avail_in > 0;
	} else if (bytes.n > b->size - b->n) {
		b->full = true;
	} else if (bytes.n > 0) {
		memcpy(b->bytes + b->n, bytes.p, bytes.n);
		b->n += bytes.n;
	}
}

void
body_put_str(struct body *b, const char *text)
{
	body_put(b, span_str(text));
}

void
body_put_number(struct body *b, int64_t number)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRId64, number);
	body_put_str(b, text);
}

/* Bytes of it within quotes. */
static size_t
escaped_size(char c)
{
	if (c == '"' || c == '\\')
		return 2;
	return (unsigned char)c < ' ' ? 6 : 1;
}

static void
put_escaped(struct body *b, char c)
{
	char text[8];

	if (escaped_size(c) == 2)
		snprintf(text, sizeof text, "\\%c", c);
	else
		snprintf(text, sizeof text, "\\u%04x", (unsigned char)c);
	body_put_str(b, text);
}

/* Of text that is UTF-8. */
static void
put_valid(struct body *b, struct span text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (escaped_size(c) == 1)
			continue;
		body_put(b, span_of(text.p + n, i - n));
		put_escaped(b, c);
		n = i + 1;
	}
	body_put(b, span_skip(text, n));
}

void
body_put_json(struct body *b, struct span text)
{
	size_t n;

	body_put(b, SPAN("\""));
	while (text.n > 0) {
		n = text_valid_utf8(text);
		put_valid(b, span_take(text, n));
		text = span_skip(text, n);
		if (text.n > 0)
			body_put(b, SPAN("\\ufffd"));
		text = span_skip(text, 1);
	}
	body_put(b, SPAN("\""));
}

size_t
body_json_size(struct span text)
{
	size_t valid, n = 2;

	while (text.n > 0) {
		valid = text_valid_utf8(text);
		for (size_t i = 0; i < valid; i++)
			n += escaped_size(text.p[i]);
		text = span_skip(text, valid);
		if (text.n > 0)
			n += 6;
		text = span_skip(text, 1);
	}
	return n;
}

bool
body_end(struct body *b, struct span *bytes)
{
	if (b->gzip) {
		b->z.avail_in = 0;
		b->full |= deflate(&b->z, Z_FINISH) != Z_STREAM_END;
		b->n = b->size - b->z.avail_out;
	}
	*bytes = span_of(b->bytes, b->n);
	return !b->full;
}
