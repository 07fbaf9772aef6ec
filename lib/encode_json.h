/*
 * encode_json - text, words and times as JSON; of the encoders only.
 *
 * Each function writes at out and answers the end of what it wrote. Up to
 * BLOCK - 1 bytes behind that are written, too; encode_bound has room for them.
 */
#ifndef SEPMLOG_ENCODE_JSON_H
#define SEPMLOG_ENCODE_JSON_H

#include "decimal.h"
#include "span.h"
#include "timestamp.h"

static inline char *
put(struct span s, char *out)
{
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	return out + s.n;
}

static inline char *
put_char(char c, char *out)
{
	*out = c;
	return out + 1;
}

/* Control characters, quote, backslash, DEL, and the lead bytes of what
 * hidden_character knows. */
static inline unsigned
needs_care(block16 b)
{
	block16 controls = block_between(b, 0, 0x1f);
	block16 ascii =
	    block_or(block_or(block_equal(b, '"'), block_equal(b, '\\')),
		block_equal(b, 0x7f));
	block16 leads = block_or(block_equal(b, 0xc2), block_equal(b, 0xe2));

	return block_mask(block_or(block_or(controls, ascii), leads));
}

static inline char *
put_unicode_escape(unsigned code, char *out)
{
	static const char hex[] = "0123456789abcdef";

	out = put(SPAN("\\u"), out);
	for (int shift = 12; shift >= 0; shift -= 4)
		*out++ = hex[code >> shift & 15];
	return out;
}

/* The code point of a C1 control or a line or paragraph separator at the start
 * of `s`, and its bytes; 0: another. */
static inline unsigned
hidden_character(struct span s, size_t *bytes)
{
	int a = span_at(s, 0), b = span_at(s, 1), c = span_at(s, 2);

	if (a == 0xc2 && b >= 0x80 && b <= 0x9f) {
		*bytes = 2;
		return (unsigned)b;
	}
	if (a == 0xe2 && b == 0x80 && (c == 0xa8 || c == 0xa9)) {
		*bytes = 3;
		return 0x2000 + (unsigned)c - 0x80;
	}
	return 0;
}

/* The first character of `s`, or the first byte of a longer one. */
static inline char *
put_escaped_one(struct span s, char *out, size_t *used)
{
	static const char letters[0x20] = {['\b'] = 'b',
	    ['\t'] = 't',
	    ['\n'] = 'n',
	    ['\f'] = 'f',
	    ['\r'] = 'r'};
	unsigned char c = (unsigned char)s.p[0];
	unsigned hidden;

	*used = 1;
	if (c == '"' || c == '\\')
		return put_char((char)c, put_char('\\', out));
	if (c < sizeof(letters) && letters[c] != 0)
		return put_char(letters[c], put_char('\\', out));
	if (c < 0x20 || c == 0x7f)
		return put_unicode_escape(c, out);
	hidden = c >= 0x80 ? hidden_character(s, used) : 0;
	if (hidden != 0)
		return put_unicode_escape(hidden, out);
	return put_char((char)c, out);
}

/* Sixteen bytes at a time up to the first one that needs care. */
static inline char *
put_escaped(struct span s, char *out)
{
	while (s.n > 0) {
		size_t n = s.n < BLOCK ? s.n : BLOCK, used;
		block16 b = block_load_part(s.p, n);
		unsigned care = needs_care(b) & block_until(n);

		block_store(out, b);
		if (care != 0)
			n = block_first(care);
		out += n;
		s = span_skip(s, n);
		if (care == 0)
			continue;
		out = put_escaped_one(s, out, &used);
		s = span_skip(s, used);
	}
	return out;
}

static inline char *
put_string(struct span text, char *out)
{
	return put_char('"', put_escaped(text, put_char('"', out)));
}

static inline char *
put_word(struct span word, char *out)
{
	return put_char('"', block_copy(word.p, word.n, put_char('"', out)));
}

static inline char *
put_time(int64_t seconds, struct timestamp_days *days, char *out)
{
	*out++ = '"';
	timestamp_format(seconds, days, out);
	return put_char('"', out + TIMESTAMP_RFC3339);
}

static inline char *
put_time_us(int64_t microseconds, struct timestamp_days *days, char *out)
{
	*out++ = '"';
	timestamp_format_us(microseconds, days, out);
	return put_char('"', out + TIMESTAMP_RFC3339_US);
}

#endif
