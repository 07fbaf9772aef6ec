/*
 * strict_json - is a line one JSON object as our records promise it?
 *
 * RFC 8259 and no more: valid UTF-8, no control characters, no blanks between
 * tokens, no key twice in an object. And what a record never has: null, an
 * empty string, array or object; raw DEL, C1, U+2028 or U+2029.
 */
#ifndef SEPMLOG_TEST_STRICT_JSON_H
#define SEPMLOG_TEST_STRICT_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "span.h"
#include "text.h"

enum { STRICT_JSON_KEYS = 512, STRICT_JSON_DEPTH = 8 };

static inline bool
strict_json_hex(int c)
{
	return span_isdigit(c) || (c >= 'a' && c <= 'f');
}

/* What follows a backslash: its bytes, 0 when it is no escape. */
static inline size_t
strict_json_escape(struct span s)
{
	int c = span_at(s, 0);

	if (c != 'u')
		return c > 0 && strchr("\"\\bfnrt", c) != NULL ? 1 : 0;
	for (size_t i = 1; i <= 4; i++)
		if (!strict_json_hex(span_at(s, i)))
			return 0;
	return 5;
}

/*
 * Bytes of the character at the start; 0: it is no UTF-8, or one that no line
 * may hold unescaped. Shares no code with what it checks.
 */
static inline size_t
strict_json_character(struct span s)
{
	int c = span_at(s, 0);
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	unsigned long code;

	if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xc2) || c > 0xf4)
		return 0;
	code = n == 1 ? (unsigned long)c : (unsigned long)c & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		int t = span_at(s, i);

		if (t < 0x80 || t > 0xbf)
			return 0;
		code = code << 6 | ((unsigned long)t & 0x3f);
	}
	if ((n == 2 && code < 0xa0) || (n == 3 && code < 0x800) ||
	    (n == 4 && code < 0x10000) || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff) || code == 0x2028 ||
	    code == 0x2029)
		return 0;
	return n;
}

/* Takes a string; *text is what is between its quotes. */
static inline bool
strict_json_string(struct span *s, struct span *text)
{
	size_t at = 1, n;

	if (span_at(*s, 0) != '"')
		return false;
	for (; span_at(*s, at) != '"'; at += n) {
		n = strict_json_character(span_skip(*s, at));
		if (n == 0)
			return false;
		if (s->p[at] != '\\')
			continue;
		at++;
		n = strict_json_escape(span_skip(*s, at));
		if (n == 0)
			return false;
	}
	*text = span_of(s->p + 1, at - 1);
	*s = span_skip(*s, at + 1);
	return true;
}

/* Whole numbers are all that records have; a time can be before 1970. */
static inline bool
strict_json_number(struct span *s)
{
	size_t n = 0;

	if (span_at(*s, 0) == '-' && span_at(*s, 1) != '0')
		*s = span_skip(*s, 1);

	while (span_isdigit(span_at(*s, n)))
		n++;
	if (n == 0 || (n > 1 && s->p[0] == '0'))
		return false;
	*s = span_skip(*s, n);
	return true;
}

static inline bool strict_json_value(struct span *s, int depth);

static inline bool
strict_json_array(struct span *s, int depth)
{
	do {
		*s = span_skip(*s, 1); /* `[` or `,` */
		if (!strict_json_value(s, depth + 1))
			return false;
	} while (span_at(*s, 0) == ',');
	if (span_at(*s, 0) != ']')
		return false;
	*s = span_skip(*s, 1);
	return true;
}

static inline bool
strict_json_object(struct span *s, int depth)
{
	struct span keys[STRICT_JSON_KEYS];
	size_t count = 0;

	do {
		*s = span_skip(*s, 1); /* `{` or `,` */
		if (count == STRICT_JSON_KEYS ||
		    !strict_json_string(s, &keys[count]))
			return false;
		for (size_t i = 0; i < count; i++)
			if (span_eq(keys[i], keys[count]))
				return false;
		count++;
		if (span_at(*s, 0) != ':')
			return false;
		*s = span_skip(*s, 1);
		if (!strict_json_value(s, depth + 1))
			return false;
	} while (span_at(*s, 0) == ',');
	if (span_at(*s, 0) != '}')
		return false;
	*s = span_skip(*s, 1);
	return true;
}

static inline bool
strict_json_value(struct span *s, int depth)
{
	struct span text;

	if (depth > STRICT_JSON_DEPTH)
		return false;
	switch (span_at(*s, 0)) {
	case '"':
		return strict_json_string(s, &text) && text.n > 0;
	case '[':
		return strict_json_array(s, depth);
	case '{':
		return strict_json_object(s, depth);
	default:
		return strict_json_number(s);
	}
}

/* An object and LF, and nothing else. */
static inline bool
strict_json_line(struct span line)
{
	if (text_valid_utf8(line) != line.n || span_at(line, 0) != '{')
		return false;
	return strict_json_object(&line, 0) && line.n == 1 && line.p[0] == '\n';
}

#endif
