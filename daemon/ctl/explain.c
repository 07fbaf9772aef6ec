#include "explain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "timestamp.h"

enum {
	MAX_MARKS = 640,  /* pieces of one message; later ones are not shown */
	PIECE_WIDTH = 44, /* characters of a piece that are shown */
};

struct mark {
	struct span piece;
	struct span key;
	const char *why;
};

struct explain {
	struct parser *parser;
	struct mark mark[MAX_MARKS];
	size_t count;
};

static void
mark_cb(void *arg, struct span piece, struct span key, const char *why)
{
	struct explain *e = arg;

	if (e->count < MAX_MARKS)
		e->mark[e->count++] = (struct mark){piece, key, why};
}

struct explain *
explain_new(struct parser *parser)
{
	struct explain *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->parser = parser;
	parser_explain(parser, mark_cb, e);
	return e;
}

void
explain_free(struct explain *e)
{
	if (e == NULL)
		return;
	parser_explain(e->parser, NULL, NULL);
	free(e);
}

/* Bytes of the character at the start. */
static size_t
character(struct span s)
{
	size_t n = 1;

	while (n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/*
 * At most `width` characters of `s` (0: all), what a terminal would act upon
 * shown as `?`; answers the characters printed.
 */
static size_t
print_safe(struct span s, size_t width, FILE *to)
{
	size_t printed = 0;

	while (s.n > 0 && (width == 0 || printed < width)) {
		size_t n = character(s);
		unsigned char c = (unsigned char)s.p[0];

		if (width > 0 && printed == width - 1 && s.n > n) {
			fputs("…", to);
			return width;
		}
		if (c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && n == 2 && (unsigned char)s.p[1] < 0xa0) ||
		    text_valid_utf8(span_take(s, n)) != n)
			fputc('?', to);
		else
			fwrite(s.p, 1, n, to);
		s = span_skip(s, n);
		printed++;
	}
	return printed;
}

static void
print_value(const struct record *r, enum record_field f, FILE *to)
{
	const union record_value *v = &r->value[f];
	struct timestamp_days days = {0};
	char stamp[TIMESTAMP_RFC3339];

	switch (record_field_info[f].kind) {
	case RECORD_TEXT:
	case RECORD_WORD:
		print_safe(v->text, 0, to);
		break;
	case RECORD_UINT:
		fprintf(to, "%" PRIu64, v->number);
		break;
	case RECORD_TIME:
		timestamp_format(v->time, &days, stamp);
		fwrite(stamp, 1, sizeof(stamp), to);
		break;
	case RECORD_PAIR:
		fprintf(to, "%u, %u", v->pair[0], v->pair[1]);
		break;
	default:
		break;
	}
}

/* ` = value` of the field with that key, `absent` when it has none. */
static void
print_field(const struct record *r, struct span key, FILE *to)
{
	enum record_field f = record_field_find(key);

	print_safe(key, 0, to);
	if (f == RECORD_FIELD_COUNT || f == RECORD_F_EXTRA ||
	    f == RECORD_F_ADDRESSES)
		return;
	if (f == RECORD_F_LOCAL_PORT || f == RECORD_F_REMOTE_PORT)
		f = record_has(r, RECORD_F_ICMP) ? RECORD_F_ICMP : f;
	fputs(" = ", to);
	if (record_has(r, f))
		print_value(r, f, to);
	else
		fputs("(absent)", to);
}

/* By place in the message; pieces of a decoded or unquoted copy come last, in
 * the order they were found. */
static int
compare(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct mark *)a)->piece.p;
	uintptr_t y = (uintptr_t)((const struct mark *)b)->piece.p;

	return (x > y) - (x < y);
}

static void
print_mark(
    const struct mark *mark, const struct record *r, struct span text, FILE *to)
{
	bool inside =
	    mark->piece.p >= text.p && mark->piece.p < text.p + text.n;
	size_t width;

	if (inside)
		fprintf(to, "  %5td  ", mark->piece.p - text.p);
	else
		fputs("      -  ", to);
	width = print_safe(span_trim(mark->piece), PIECE_WIDTH, to);
	fprintf(to, "%*s -> ", (int)(PIECE_WIDTH - width), "");
	print_field(r, mark->key, to);
	fprintf(to, "   (%s)\n", mark->why);
}

void
explain_print(
    struct explain *e, const struct record *r, uint64_t line, FILE *to)
{
	struct span text = parser_text(e->parser);

	fprintf(to, "line %" PRIu64 ": ", line);
	print_safe(record_type_name[r->type], 0, to);
	for (unsigned i = 0; i < RECORD_FLAG_COUNT; i++)
		if (r->flags >> i & 1) {
			fputs(", ", to);
			print_safe(record_flag_name[i], 0, to);
		}
	fputs("\n  ", to);
	print_safe(text, 0, to);
	fputs("\n   byte\n", to);
	qsort(e->mark, e->count, sizeof(e->mark[0]), compare);
	for (size_t i = 0; i < e->count; i++)
		print_mark(&e->mark[i], r, text, to);
	if (record_has(r, RECORD_F_REASON)) {
		fputs("  why unparsed: ", to);
		print_value(r, RECORD_F_REASON, to);
		fputc('\n', to);
	}
	fputc('\n', to);
	e->count = 0;
}
