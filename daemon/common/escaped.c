#include "escaped.h"

#include <stdbool.h>
#include <stdio.h>

#include "text.h"

/* Bytes of the character at the start, which is valid UTF-8. */
static size_t
length_of(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xe0)
		return 2;
	return first < 0xf0 ? 3 : 4;
}

/* Is it seen as one mark in its place? Not so: C1, marks and overrides of
 * direction, line and paragraph separators, byte order mark. */
static bool
is_plain(const unsigned char *p, size_t n)
{
	if (n == 1)
		return p[0] >= ' ' && p[0] != 0x7f;
	if (n == 2)
		return (p[0] != 0xc2 || p[1] >= 0xa0) &&
		       (p[0] != 0xd8 || p[1] != 0x9c); /* U+061C */
	if (n != 3)
		return true;
	if (p[0] == 0xe2 && p[1] == 0x80)
		return p[2] < 0x8b || (p[2] > 0x8f && p[2] < 0xa8) ||
		       p[2] > 0xae;
	if (p[0] == 0xe2 && p[1] == 0x81)
		return p[2] < 0xa0 || p[2] > 0xaf;
	return p[0] != 0xef || p[1] != 0xbb || p[2] != 0xbf;
}

static const char *
in_html(unsigned char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static const char *
in_quotes(unsigned char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	default:
		return NULL;
	}
}

/* What stands for a byte of ASCII; NULL: itself. */
static const char *
replace(unsigned char c, enum escaped_for where)
{
	switch (where) {
	case ESCAPED_HTML:
		return in_html(c);
	case ESCAPED_QUOTED:
		return in_quotes(c);
	default:
		return NULL;
	}
}

struct span
escaped_next(struct span *text, enum escaped_for where, char room[ESCAPED_ROOM])
{
	const unsigned char *p = (const void *)text->p;
	size_t n = length_of(p[0]);
	struct span piece = span_take(*text, n);
	const char *other;

	if (n > text->n || text_valid_utf8(piece) < n || !is_plain(p, n)) {
		*text = span_skip(*text, 1);
		n = (size_t)snprintf(room, ESCAPED_ROOM, "%sx%02x",
		    where == ESCAPED_QUOTED ? "\\\\" : "\\", p[0]);
		return span_of(room, n);
	}
	*text = span_skip(*text, n);
	other = n == 1 ? replace(p[0], where) : NULL;
	return other != NULL ? span_str(other) : piece;
}
