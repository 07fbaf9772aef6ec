/*
 * Bytes go from the piece that was fed into one buffer, as UTF-8 if they were
 * UTF-16, and leave it as lines or rows. The first line decides: the header of
 * a CSV export makes rows, anything else lines, which framing finds.
 */
#include "input.h"

#include <stdio.h>
#include <stdlib.h>

#include "framing.h"
#include "sepm_row.h"
#include "sepm_sql.h"
#include "text.h"

enum encoding { ENCODING_UNKNOWN, ENCODING_BYTES, ENCODING_LE, ENCODING_BE };
enum shape { SHAPE_UNKNOWN, SHAPE_LINES, SHAPE_ROWS };

enum {
	PROBE = 4,          /* bytes that tell the encoding */
	READ_AHEAD = 65536, /* buffer beyond one message */
};

struct input {
	size_t max_message;
	struct span piece; /* fed and not yet taken */
	uint64_t fed;      /* bytes, with it */
	bool ended;
	enum encoding encoding;
	enum shape shape;
	char delimiter;
	bool skipping;    /* the rest of a row that is too long */
	uint64_t skipped; /* bytes of it that were forgotten */
	struct framing framing;
	uint64_t line; /* of buf[start] */

	char *buf;
	size_t size, start, end;
	char *scratch; /* unquoted cells of a row */

	int odd;       /* first byte of a UTF-16 unit, or -1 */
	uint32_t high; /* a high surrogate that waits, or 0 */

	char header[INPUT_MAX_HEADER];
	struct span columns[INPUT_MAX_COLUMNS];
	size_t column_count;
	struct span cells[INPUT_MAX_COLUMNS];
	char broken[96];
};

struct input *
input_new(size_t max_message)
{
	struct input *in = calloc(1, sizeof(*in));

	if (in == NULL)
		return NULL;
	in->max_message = max_message;
	in->piece = SPAN("");
	in->size = max_message + READ_AHEAD;
	in->buf = malloc(in->size);
	in->scratch = malloc(in->size);
	in->line = 1;
	in->odd = -1;
	framing_init(&in->framing, max_message);
	if (in->buf == NULL || in->scratch == NULL) {
		input_free(in);
		return NULL;
	}
	return in;
}

void
input_free(struct input *in)
{
	if (in == NULL)
		return;
	free(in->buf);
	free(in->scratch);
	free(in);
}

void
input_feed(struct input *in, struct span piece)
{
	in->piece = piece;
	in->fed += piece.n;
}

void
input_end(struct input *in)
{
	in->ended = true;
}

/* --- bytes into the buffer --- */

static void
compact(struct input *in)
{
	memmove(in->buf, in->buf + in->start, in->end - in->start);
	in->end -= in->start;
	in->start = 0;
}

/* One UTF-16 code unit; a lone surrogate becomes U+FFFD. */
static void
put_unit(struct input *in, uint32_t unit)
{
	uint32_t code = unit;

	if (in->high != 0 && unit >= 0xdc00 && unit <= 0xdfff)
		code = 0x10000 + ((in->high - 0xd800) << 10) + (unit - 0xdc00);
	else if (in->high != 0)
		in->end += text_put_utf8(0xfffd, in->buf + in->end);
	in->high = unit >= 0xd800 && unit <= 0xdbff ? unit : 0;
	if (in->high == 0)
		in->end += text_put_utf8(code, in->buf + in->end);
}

static void
take_utf16(struct input *in)
{
	while (in->piece.n > 0 && in->size - in->end >= 8) {
		uint32_t byte = (unsigned char)in->piece.p[0];

		in->piece = span_skip(in->piece, 1);
		if (in->odd < 0) {
			in->odd = (int)byte;
			continue;
		}
		put_unit(in, in->encoding == ENCODING_LE
				 ? byte << 8 | (uint32_t)in->odd
				 : (uint32_t)in->odd << 8 | byte);
		in->odd = -1;
	}
}

/* The input ended inside a character: what there is of it is kept as one. */
static void
end_utf16(struct input *in)
{
	if (in->high != 0)
		in->end += text_put_utf8(0xfffd, in->buf + in->end);
	if (in->odd >= 0)
		in->end += text_put_utf8(0xfffd, in->buf + in->end);
	in->high = 0;
	in->odd = -1;
}

static void
take_bytes(struct input *in)
{
	struct span take = span_take(in->piece, in->size - in->end);

	if (take.n > 0)
		memcpy(in->buf + in->end, take.p, take.n);
	in->end += take.n;
	in->piece = span_skip(in->piece, take.n);
}

/* The encoding from the first bytes: a BOM, or ASCII in 16 bits. */
static enum encoding
tell_encoding(struct span s)
{
	if (span_starts(s, SPAN("\xff\xfe")))
		return ENCODING_LE;
	if (span_starts(s, SPAN("\xfe\xff")))
		return ENCODING_BE;
	if (s.n >= PROBE && s.p[0] != 0 && s.p[1] == 0 && s.p[2] != 0 &&
	    s.p[3] == 0)
		return ENCODING_LE;
	if (s.n >= PROBE && s.p[0] == 0 && s.p[1] != 0 && s.p[2] == 0 &&
	    s.p[3] != 0)
		return ENCODING_BE;
	return ENCODING_BYTES;
}

/* The first bytes were taken as they are; now they are known to be UTF-16. */
static void
recode_probe(struct input *in)
{
	char probe[PROBE * 2];
	struct span rest = in->piece;
	size_t n = in->end - in->start;

	if (n > sizeof(probe))
		n = sizeof(probe);
	memcpy(probe, in->buf + in->start, n);
	in->end = in->start;
	in->piece = span_of(probe, n);
	take_utf16(in);
	in->piece = rest;
}

static void
skip_bom(struct input *in)
{
	struct span s = span_between(in->buf + in->start, in->buf + in->end);

	if (span_starts(s, SPAN("\xef\xbb\xbf")))
		in->start += 3;
}

/* More of the piece into the buffer; false when nothing came. */
static bool
take(struct input *in)
{
	size_t before;

	compact(in);
	before = in->end;
	if (in->encoding == ENCODING_UNKNOWN) {
		struct span whole = in->piece;

		in->piece = span_take(whole, PROBE - in->end);
		take_bytes(in);
		in->piece = span_skip(whole, in->end - before);
		if (in->end < PROBE && !in->ended)
			return in->end > before;
		in->encoding = tell_encoding(span_of(in->buf, in->end));
		if (in->encoding != ENCODING_BYTES)
			recode_probe(in);
		skip_bom(in);
		return true; /* there may be more in the piece */
	}
	if (in->encoding == ENCODING_BYTES)
		take_bytes(in);
	else
		take_utf16(in);
	if (in->ended && in->piece.n == 0 && in->size - in->end >= 8)
		end_utf16(in);
	return in->end > before;
}

static struct span
buffered(const struct input *in)
{
	return span_between(in->buf + in->start, in->buf + in->end);
}

/* Drops `n` bytes at the front and counts their lines. */
static void
consume(struct input *in, size_t n)
{
	struct span s = span_take(buffered(in), n);

	in->start += s.n;
	while (s.n > 0) {
		size_t at = span_find(s, '\n');

		in->line += at < s.n;
		s = span_skip(s, at + 1);
	}
}

/* --- rows --- */

static struct span
without_line_end(struct span s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

/* Length of the row at the start, line end included; 0: it does not end here.
 * A line break inside quotes is part of the row. */
static size_t
row_length(struct span s, bool quotes)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' && quotes)
			quoted = !quoted;
		else if (s.p[i] == '\n' && !quoted)
			return i + 1;
	}
	return 0;
}

/*
 * One cell (RFC 4180) at the start of *s, without its quotes; *s moves behind
 * its delimiter, or becomes empty with p NULL after the last one. Unescaped
 * text goes to *out.
 */
static struct span
next_cell(struct span *s, char delimiter, char **out)
{
	struct span cell;
	char *start = *out;
	size_t i = 1;

	if (span_at(*s, 0) != '"') {
		size_t n = span_find(*s, delimiter);

		cell = span_take(*s, n);
		*s = n < s->n ? span_skip(*s, n + 1) : (struct span){NULL, 0};
		return cell;
	}
	for (; i < s->n; i++) {
		if (s->p[i] == '"' && span_at(*s, i + 1) != '"')
			break;
		if (s->p[i] == '"')
			i++;
		*(*out)++ = s->p[i];
	}
	i++; /* the closing quote; what stands behind it belongs to the cell */
	while (i < s->n && s->p[i] != delimiter)
		*(*out)++ = s->p[i++];
	cell = span_between(start, *out);
	*s = i < s->n ? span_skip(*s, i + 1) : (struct span){NULL, 0};
	return cell;
}

/* The cells of a row; one more than the limit when there are more. */
static size_t
split_row(struct span row, char delimiter, char *out, struct span *cells)
{
	size_t count = 0;

	while (row.p != NULL) {
		struct span cell = next_cell(&row, delimiter, &out);

		if (count == INPUT_MAX_COLUMNS)
			return count + 1;
		cells[count++] = cell;
	}
	return count;
}

/* Takes the row as the header if it reads like one. */
static bool
read_header(struct input *in, struct span row, char delimiter)
{
	struct span cells[INPUT_MAX_COLUMNS];
	size_t count, used = 0;

	if (row.n > INPUT_MAX_HEADER)
		return false;
	count = split_row(row, delimiter, in->scratch, cells);
	if (count > INPUT_MAX_COLUMNS || (!sepm_row_is_header(cells, count) &&
					     !sepm_sql_is_header(cells, count)))
		return false;
	for (size_t i = 0; i < count; i++) {
		memcpy(in->header + used, cells[i].p, cells[i].n);
		in->columns[i] = span_of(in->header + used, cells[i].n);
		used += cells[i].n;
	}
	in->column_count = count;
	in->delimiter = delimiter;
	return true;
}

/* Decides between lines and rows; false: the first line is not complete. */
static bool
tell_shape(struct input *in)
{
	static const char delimiters[] = {',', ';', '\t'};
	struct span s = span_take(buffered(in), INPUT_MAX_HEADER + 1), row;
	size_t n = row_length(s, true);

	if (in->encoding == ENCODING_UNKNOWN)
		return false;
	if (n == 0 && s.n <= INPUT_MAX_HEADER &&
	    !(in->ended && in->piece.n == 0))
		return false;
	if (n == 0)
		n = row_length(s, false); /* the quote was none */
	row = without_line_end(n > 0 ? span_take(s, n) : s);
	in->shape = SHAPE_LINES;
	for (size_t i = 0; i < sizeof(delimiters); i++)
		if (read_header(in, row, delimiters[i])) {
			in->shape = SHAPE_ROWS;
			consume(in, n > 0 ? n : s.n);
			break;
		}
	return true;
}

static void
set_cells(struct input *in, struct input_item *item)
{
	size_t count =
	    split_row(item->bytes, in->delimiter, in->scratch, in->cells);

	if (count == in->column_count) {
		item->columns = in->columns;
		item->cell = in->cells;
		item->cells = count;
		return;
	}
	snprintf(in->broken, sizeof(in->broken),
	    "%zu cells where the header has %zu", count, in->column_count);
	item->broken = in->broken;
}

/*
 * How much of the buffer is the next row, and what is wrong with it; 0: more
 * is needed, or it is too long. Never more than max_message is looked at, so
 * that the answer does not depend on how the input was cut. A quote that is
 * still open there, or at the end of the input, is no quote: the row then ends
 * at its first line break and does not swallow the rows behind it.
 */
static size_t
next_row_length(struct input *in, bool last, const char **broken)
{
	struct span s = span_take(buffered(in), in->max_message + 2);
	size_t n = row_length(s, true);

	if (n == 0 && s.n < in->max_message + 2 && !last)
		return 0;
	if (n == 0) {
		n = row_length(s, false);
		if (n > 0)
			*broken = "a quote that is never closed";
		else if (last)
			n = s.n; /* the last row, without a line end */
	}
	in->skipping =
	    n == 0 || without_line_end(span_take(s, n)).n > in->max_message;
	return in->skipping ? 0 : n;
}

static bool
short_row(struct input *in, struct input_item *item, bool last)
{
	const char *broken = NULL;
	size_t n = next_row_length(in, last, &broken);
	struct span row = span_take(buffered(in), n);

	if (n == 0)
		return false;
	*item = (struct input_item){
	    .bytes = without_line_end(row),
	    .line = in->line,
	    .unterminated = row.p[n - 1] != '\n',
	    .broken = broken,
	};
	item->length = item->bytes.n;
	consume(in, n);
	return true;
}

/*
 * A row too long to be held keeps its first max_message bytes. What comes
 * behind them up to the line end is counted and forgotten, but for the last
 * byte, which may be the CR of that end.
 */
static bool
long_row(struct input *in, struct input_item *item, bool last)
{
	struct span rest = span_skip(buffered(in), in->max_message);
	size_t n = span_find(rest, '\n');
	bool ended = n < rest.n;

	if (!ended && !last) {
		in->skipped += rest.n - 1;
		in->end = in->start + in->max_message + 1;
		in->buf[in->end - 1] = rest.p[rest.n - 1];
		return false;
	}
	*item = (struct input_item){
	    .bytes = span_take(buffered(in), in->max_message),
	    .length = in->max_message + in->skipped +
		      without_line_end(span_take(rest, n + ended)).n,
	    .line = in->line,
	    .unterminated = !ended,
	    .broken = "a row longer than max_message",
	};
	consume(in, in->max_message + n + ended);
	in->skipping = false;
	in->skipped = 0;
	return true;
}

static bool
next_row(struct input *in, struct input_item *item, bool last)
{
	if (!in->skipping && short_row(in, item, last))
		return true;
	return in->skipping && long_row(in, item, last);
}

static bool
row_item(struct input *in, struct input_item *item, bool last)
{
	while (buffered(in).n > 0 && next_row(in, item, last)) {
		if (span_trim(item->bytes).n == 0 ||
		    (item->broken == NULL &&
			read_header(in, item->bytes, in->delimiter)))
			continue;
		if (item->broken == NULL)
			set_cells(in, item);
		return true;
	}
	return false;
}

/* --- lines --- */

static bool
line_item(struct input *in, struct input_item *item, bool last)
{
	struct framing_frame frame;
	struct span s = buffered(in);
	size_t used, keep;
	bool found = framing_next(&in->framing, s, &frame, &used, &keep) ==
		     FRAMING_FRAME;

	if (!found) {
		consume(in, used);
		in->end = in->start + keep;
		if (!last || framing_finish(&in->framing, buffered(in),
				 &frame) != FRAMING_FRAME)
			return false;
		used = keep;
	}
	/* blank lines before the frame count, too */
	if (frame.bytes.n > 0 && frame.bytes.p > in->buf + in->start) {
		size_t before = (size_t)(frame.bytes.p - in->buf) - in->start;

		consume(in, before);
		used -= before;
	}
	*item = (struct input_item){
	    .bytes = frame.bytes,
	    .length = frame.length,
	    .line = in->line,
	    .unterminated = frame.unterminated,
	};
	consume(in, used);
	return true;
}

/* The item just found ends where the buffer begins. */
static uint64_t
offset(const struct input *in)
{
	return in->encoding == ENCODING_BYTES
		   ? in->fed - in->piece.n - buffered(in).n
		   : 0;
}

bool
input_next(struct input *in, struct input_item *item)
{
	for (;;) {
		bool last = in->ended && in->piece.n == 0 &&
			    in->encoding != ENCODING_UNKNOWN && in->odd < 0 &&
			    in->high == 0;

		if (in->shape != SHAPE_UNKNOWN || tell_shape(in)) {
			bool found = in->shape == SHAPE_ROWS
					 ? row_item(in, item, last)
					 : line_item(in, item, last);

			if (found) {
				item->end = offset(in);
				return true;
			}
		}
		if (!take(in) && (last || !in->ended))
			return false;
	}
}

bool
input_is_table(const struct input *in)
{
	return in->shape == SHAPE_ROWS;
}
