/*
 * span - a borrowed run of bytes.
 *
 * A span never owns its bytes and is never NUL-terminated. It is good for as
 * long as the bytes stay where they are. All bounds checks of the parsers
 * live in these helpers.
 */
#ifndef SEPMLOG_SPAN_H
#define SEPMLOG_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "block.h"

struct span {
	const char *p;
	size_t n;
};

/* The span of a string literal. */
#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})

static inline struct span
span_of(const char *p, size_t n)
{
	return (struct span){p, n};
}

static inline struct span
span_str(const char *text)
{
	return (struct span){text, strlen(text)};
}

/* From `from` up to, not including, `to`; both point into the same bytes. */
static inline struct span
span_between(const char *from, const char *to)
{
	return (struct span){from, (size_t)(to - from)};
}

static inline const char *
span_end(struct span s)
{
	return s.p + s.n;
}

/* Without the first `n` bytes; the empty span at the end if there are fewer. */
static inline struct span
span_skip(struct span s, size_t n)
{
	if (n > s.n)
		n = s.n;
	return (struct span){s.p + n, s.n - n};
}

/* At most the first `n` bytes. */
static inline struct span
span_take(struct span s, size_t n)
{
	return (struct span){s.p, n < s.n ? n : s.n};
}

static inline bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && block_compare(a.p, b.p, a.n);
}

static inline bool
span_starts(struct span s, struct span prefix)
{
	return s.n >= prefix.n && block_compare(s.p, prefix.p, prefix.n);
}

/* The byte at `i`, or -1 past the end. */
static inline int
span_at(struct span s, size_t i)
{
	return i < s.n ? (unsigned char)s.p[i] : -1;
}

/* Index of the first `byte`, or s.n. */
static inline size_t
span_find(struct span s, char byte)
{
	return s.n ? block_find(s.p, s.n, (unsigned char)byte) : 0;
}

/* Compares ASCII letters without case, any other byte exactly. */
static inline bool
span_caseeq(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i += BLOCK) {
		size_t n = a.n - i < BLOCK ? a.n - i : BLOCK;
		block16 x = block_lower(block_load_part(a.p + i, n));
		block16 y = block_lower(block_load_part(b.p + i, n));

		if ((~block_mask(block_same(x, y)) & block_until(n)) != 0)
			return false;
	}
	return true;
}

/* span_trim when there may be something to trim. */
struct span span_trim_ends(struct span s);

/*
 * Without blanks, tabs, CR, LF, NUL and U+00A0 (UTF-8) at both ends
 * (formats: rules for values, 1).
 */
static inline struct span
span_trim(struct span s)
{
	unsigned char first, last;

	/* one blank, as behind a colon */
	if (s.n > 0 && s.p[0] == ' ')
		s = span_skip(s, 1);
	if (s.n == 0)
		return s;
	first = (unsigned char)s.p[0];
	last = (unsigned char)s.p[s.n - 1];
	/* text that is neither blank nor begins or ends with more than ASCII */
	if ((unsigned char)(first - '!') <= '~' - '!' &&
	    (unsigned char)(last - '!') <= '~' - '!')
		return s;
	return span_trim_ends(s);
}

/* Character tests; c is a byte or -1. */
static inline bool
span_isdigit(int c)
{
	return c >= '0' && c <= '9';
}

static inline bool
span_isblank(int c)
{
	return c == ' ' || c == '\t';
}

static inline bool
span_isalpha(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline int
span_lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

#endif
