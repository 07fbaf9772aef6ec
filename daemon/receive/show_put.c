#include "show_put.h"

#include <stdbool.h>
#include <string.h>

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

/* What stands for a byte of ASCII; NULL: itself. */
typedef const char *replace_fn(unsigned char c);

static void
put(struct evbuffer *out, struct span text, replace_fn *replace,
    const char *escape)
{
	while (text.n > 0) {
		const unsigned char *p = (const void *)text.p;
		size_t n = length_of(p[0]);
		const char *other;

		if (n > text.n || text_valid_utf8(span_take(text, n)) < n ||
		    !is_plain(p, n)) {
			evbuffer_add_printf(out, "%sx%02x", escape, p[0]);
			n = 1;
		} else if (n == 1 && (other = replace(p[0])) != NULL) {
			evbuffer_add(out, other, strlen(other));
		} else {
			evbuffer_add(out, text.p, n);
		}
		text = span_skip(text, n);
	}
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

void
show_put_html(struct evbuffer *out, struct span text)
{
	put(out, text, in_html, "\\");
}

void
show_put_quoted(struct evbuffer *out, struct span text)
{
	evbuffer_add(out, "\"", 1);
	put(out, text, in_quotes, "\\\\");
	evbuffer_add(out, "\"", 1);
}
