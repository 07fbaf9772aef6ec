#include "bulk.h"

enum {
	/* {"items":[{"create":{"status":400,"error":{"type":...}}}]} */
	DEPTH_ITEMS = 2,
	DEPTH_STATUS = 4,
	DEPTH_ERROR = 5,
	DEPTH_MOST = 64,
	DIGITS = 4,
};

struct scan {
	struct span rest;
	int depth;
	struct span key; /* the last one */
	struct bulk_item item;
};

/* A string that begins behind its quote; the rest begins behind the other. */
static bool
take_string(struct scan *s, struct span *text)
{
	for (size_t i = 0; i < s->rest.n; i++) {
		if (s->rest.p[i] == '"') {
			*text = span_take(s->rest, i);
			s->rest = span_skip(s->rest, i + 1);
			return true;
		}
		if (s->rest.p[i] == '\\')
			i++;
	}
	return false;
}

static bool
is_blank(int c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* A key, or a value of the last key. */
static bool
on_string(struct scan *s)
{
	struct span text;

	if (!take_string(s, &text))
		return false;
	while (is_blank(span_at(s->rest, 0)))
		s->rest = span_skip(s->rest, 1);
	if (span_at(s->rest, 0) == ':')
		s->key = text;
	else if (s->depth == DEPTH_ERROR && span_eq(s->key, SPAN("type")))
		s->item.type = text;
	else if (s->depth == DEPTH_ERROR && span_eq(s->key, SPAN("reason")))
		s->item.reason = text;
	return true;
}

static void
on_number(struct scan *s, int first)
{
	long number = first - '0';
	int c;

	for (int i = 1; i < DIGITS; i++) {
		c = span_at(s->rest, 0);
		if (c < '0' || c > '9')
			break;
		number = 10 * number + (c - '0');
		s->rest = span_skip(s->rest, 1);
	}
	if (s->depth == DEPTH_STATUS && span_eq(s->key, SPAN("status")))
		s->item.status = number;
}

/* Goes on up to the end of an item. False: there is no further one. */
static bool
next_item(struct scan *s)
{
	s->item = (struct bulk_item){0, SPAN(""), SPAN("")};
	while (s->rest.n > 0) {
		int c = span_at(s->rest, 0);

		s->rest = span_skip(s->rest, 1);
		if (c == '"' && !on_string(s))
			return false;
		if (c >= '0' && c <= '9')
			on_number(s, c);
		if ((c == '{' || c == '[') && ++s->depth > DEPTH_MOST)
			return false;
		if (c != '}' && c != ']')
			continue;
		s->depth--;
		if (c == '}' && s->depth == DEPTH_ITEMS)
			return true;
		if (s->depth <= 0)
			return false;
	}
	return false;
}

size_t
bulk_read(struct span answer,
    void (*item)(void *arg, size_t i, const struct bulk_item *item), void *arg,
    bool *whole)
{
	struct scan s = {.rest = answer, .key = SPAN("")};
	size_t n = 0;

	while (next_item(&s))
		item(arg, n++, &s.item);
	*whole = s.depth == 0 && answer.n > 0;
	return n;
}
