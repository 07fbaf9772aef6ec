/*
 * strict - is this line strict JSON (RFC 8259), as an independent reader sees
 * it? Shares no code with the encoder.
 */
#ifndef SEPMLOG_FUZZ_STRICT_H
#define SEPMLOG_FUZZ_STRICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct strict {
	const unsigned char *p, *end;
};

static inline int
strict_at(const struct strict *s, size_t i)
{
	return (size_t)(s->end - s->p) > i ? s->p[i] : -1;
}

/* Bytes of the UTF-8 character at the start; 0: it is none, or one that no
 * line may hold unescaped. */
static inline size_t
strict_character(const struct strict *s)
{
	int c = strict_at(s, 0);
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	unsigned long code;

	if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xc2) || c > 0xf4)
		return 0;
	code = n == 1 ? (unsigned long)c : (unsigned long)c & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		int t = strict_at(s, i);

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

static inline bool
strict_escape(struct strict *s)
{
	int c = strict_at(s, 1);

	if (c == 'u') {
		for (size_t i = 2; i < 6; i++)
			if (strict_at(s, i) < 0 ||
			    strchr("0123456789abcdefABCDEF", strict_at(s, i)) ==
				NULL)
				return false;
		s->p += 6;
		return true;
	}
	if (c <= 0 || strchr("\"\\/bfnrt", c) == NULL)
		return false;
	s->p += 2;
	return true;
}

static inline bool
strict_string(struct strict *s)
{
	if (strict_at(s, 0) != '"')
		return false;
	s->p++;
	while (strict_at(s, 0) != '"') {
		size_t n;

		if (strict_at(s, 0) == '\\') {
			if (!strict_escape(s))
				return false;
			continue;
		}
		n = strict_character(s);
		if (n == 0)
			return false;
		s->p += n;
	}
	s->p++;
	return true;
}

static inline bool
strict_number(struct strict *s)
{
	size_t n = 0;

	while (strict_at(s, n) >= '0' && strict_at(s, n) <= '9')
		n++;
	if (n == 0 || (n > 1 && strict_at(s, 0) == '0'))
		return false;
	s->p += n;
	return true;
}

static inline bool strict_value(struct strict *s, int depth);

/* Members between `open` and `close`; a record has no empty ones. */
static inline bool
strict_list(struct strict *s, int close, int depth)
{
	for (;;) {
		s->p++;
		if (close == '}') {
			if (!strict_string(s) || strict_at(s, 0) != ':')
				return false;
			s->p++;
		}
		if (!strict_value(s, depth))
			return false;
		if (strict_at(s, 0) == close) {
			s->p++;
			return true;
		}
		if (strict_at(s, 0) != ',')
			return false;
	}
}

static inline bool
strict_value(struct strict *s, int depth)
{
	int c = strict_at(s, 0);

	if (depth == 0)
		return false;
	if (c == '{' || c == '[')
		return strict_list(s, c == '{' ? '}' : ']', depth - 1);
	return c == '"' ? strict_string(s) : strict_number(s);
}

/* One object, one LF behind it, nothing else. */
static inline bool
strict_line(const char *line, size_t n)
{
	struct strict s = {
	    (const unsigned char *)line, (const unsigned char *)line + n};

	return n > 0 && line[0] == '{' && strict_value(&s, 4) &&
	       strict_at(&s, 0) == '\n' && s.p + 1 == s.end;
}

#endif
