#include "explain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "timestamp.h"

enum {
	MAX_MARKS = 640,  /* pieces of one message; later ones are not shown */
	PIECE_WIDTH = 44, /* characters of a piece that are shown */
	DRAWN_WIDTH = 76, /* columns of the line, drawn in rows */
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

/* --- the line, drawn --- */

/* A row of the line: which byte each column shows. */
struct row {
	const char *byte[DRAWN_WIDTH + 1]; /* one more: where the row ends */
	size_t columns;
};

/* Two columns on a terminal: East Asian letters. */
static bool
is_wide(struct span c)
{
	unsigned a = (unsigned char)c.p[0], b;

	if (c.n < 3)
		return false;
	b = (unsigned char)c.p[1];
	/* U+1100-115F, U+2E80-A4CF, U+AC00-D7A3, U+F900-FAFF, U+FF00-FF60 */
	return c.n > 3 || (a == 0xe1 && b >= 0x84 && b <= 0x85) ||
	       (a == 0xe2 && b >= 0xba) || (a > 0xe2 && a < 0xea) ||
	       (a == 0xea && (b < 0x94 || b >= 0xb0)) ||
	       (a > 0xea && a < 0xee) || (a == 0xef && b >= 0xa4 && b < 0xbd);
}

/* Takes as much of *rest as a row holds. */
static void
take_row(struct span *rest, struct row *row)
{
	row->columns = 0;
	while (rest->n > 0) {
		struct span c = span_take(*rest, character(*rest));
		size_t width = is_wide(c) ? 2 : 1;

		if (row->columns + width > DRAWN_WIDTH)
			break;
		for (size_t i = 0; i < width; i++)
			row->byte[row->columns++] = c.p;
		*rest = span_skip(*rest, c.n);
	}
	row->byte[row->columns] = rest->p;
}

/* The part of a row that a piece covers is underlined, its number where the
 * piece begins. */
static void
underline(const struct row *row, struct span piece, size_t number,
    char under[DRAWN_WIDTH])
{
	char digits[24];
	size_t n = (size_t)snprintf(digits, sizeof(digits), "%zu", number);
	size_t at = 0;

	for (size_t i = 0; i < row->columns; i++) {
		if (row->byte[i] < piece.p || row->byte[i] >= span_end(piece))
			continue;
		at = (size_t)(row->byte[i] - piece.p);
		under[i] = at < n && row->byte[0] <= piece.p ? digits[at] : '~';
	}
}

static void
print_under(const struct row *row, const char *under, FILE *to)
{
	size_t n = row->columns;

	while (n > 0 && under[n - 1] == ' ')
		n--;
	if (n > 0)
		fprintf(to, "  %.*s\n", (int)n, under);
}

static void
draw(const struct explain *e, struct span text, FILE *to)
{
	char under[DRAWN_WIDTH];
	struct row row;

	while (text.n > 0) {
		take_row(&text, &row);
		fputs("  ", to);
		print_safe(
		    span_between(row.byte[0], row.byte[row.columns]), 0, to);
		fputc('\n', to);
		memset(under, ' ', sizeof(under));
		for (size_t i = 0; i < e->count; i++)
			underline(
			    &row, span_trim(e->mark[i].piece), i + 1, under);
		print_under(&row, under, to);
	}
}

/* --- the pieces --- */

static void
print_mark(const struct mark *mark, size_t number, const struct record *r,
    struct span text, FILE *to)
{
	bool inside =
	    mark->piece.p >= text.p && mark->piece.p < text.p + text.n;
	size_t width;

	fprintf(to, "%4zu ", number);
	if (inside)
		fprintf(to, "%5td  ", mark->piece.p - text.p);
	else
		fputs("    -  ", to);
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
	fputc('\n', to);
	qsort(e->mark, e->count, sizeof(e->mark[0]), compare);
	draw(e, text, to);
	fputs("      byte\n", to);
	for (size_t i = 0; i < e->count; i++)
		print_mark(&e->mark[i], i + 1, r, text, to);
	if (record_has(r, RECORD_F_REASON)) {
		fputs("  why unparsed: ", to);
		print_value(r, RECORD_F_REASON, to);
		fputc('\n', to);
	}
	fputc('\n', to);
	e->count = 0;
}
