#include "decode.h"

#include <stdlib.h>

#include "arena.h"
#include "text.h"
#include "timestamp.h"

enum {
	PLACES = 512, /* for the keys of a record: four for each */
	DEPTH = 8,    /* of what is passed over; ours has 2 */
	NOTHING = RECORD_FIELD_COUNT,
};

_Static_assert(PLACES >= 3 * RECORD_FIELD_COUNT, "PLACES");

struct decoder {
	struct arena arena; /* what had escapes */
	struct timestamp_date date;
	unsigned char field[PLACES]; /* of the key there; NOTHING: none */
};

_Static_assert(RECORD_FIELD_COUNT <= 255, "a field in a byte");

/* --- keys --- */

static size_t
place(struct span key)
{
	size_t n = key.n, first = (unsigned char)key.p[0],
	       middle = (unsigned char)key.p[n / 2],
	       last = (unsigned char)key.p[n - 1];

	return (n * 37 + first * 5 + middle * 29 + last * 113) % PLACES;
}

static unsigned
find_key(const struct decoder *d, struct span key)
{
	size_t i;

	if (key.n == 0)
		return NOTHING;
	for (i = place(key); d->field[i] != NOTHING; i = (i + 1) % PLACES)
		if (span_eq(record_field_info[d->field[i]].key, key))
			break;
	return d->field[i];
}

struct decoder *
decoder_new(size_t longest)
{
	struct decoder *d = calloc(1, sizeof *d);

	if (d == NULL || !arena_init(&d->arena, longest)) {
		free(d);
		return NULL;
	}
	memset(d->field, NOTHING, sizeof d->field);
	for (unsigned f = 0; f < RECORD_FIELD_COUNT; f++) {
		size_t i = place(record_field_info[f].key);

		while (d->field[i] != NOTHING)
			i = (i + 1) % PLACES;
		d->field[i] = (unsigned char)f;
	}
	return d;
}

void
decoder_free(struct decoder *d)
{
	if (d == NULL)
		return;
	arena_clear(&d->arena);
	free(d);
}

/* --- JSON, on one line and without blanks, as we write it --- */

static bool
take(struct span *in, char c)
{
	if (span_at(*in, 0) != (unsigned char)c)
		return false;
	*in = span_skip(*in, 1);
	return true;
}

/* Index of the first quote or backslash, or s.n. */
static size_t
find_end(struct span s)
{
	block16 b;
	unsigned mask;

	for (size_t i = 0; i < s.n; i += BLOCK) {
		size_t n = s.n - i < BLOCK ? s.n - i : BLOCK;

		b = block_load_part(s.p + i, n);
		mask = block_mask(block_or(
			   block_equal(b, '"'), block_equal(b, '\\'))) &
		       block_until(n);
		if (mask != 0)
			return i + block_first(mask);
	}
	return s.n;
}

/* What stands between quotes, escapes and all; *in goes behind it. */
static bool
take_string(struct span *in, struct span *text, bool *escaped)
{
	size_t end = 0;

	*escaped = false;
	if (!take(in, '"'))
		return false;
	for (;;) {
		end += find_end(span_skip(*in, end));
		if (span_at(*in, end) != '\\')
			break;
		*escaped = true;
		end += 2;
	}
	if (end >= in->n)
		return false;
	*text = span_take(*in, end);
	*in = span_skip(*in, end + 1);
	return true;
}

static bool
take_hex(struct span *in, uint32_t *code)
{
	uint32_t value = 0;

	if (in->n < 4)
		return false;
	for (size_t i = 0; i < 4; i++) {
		int c = span_lower(span_at(*in, i));

		if (span_isdigit(c))
			value = value << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint32_t)(c - 'a' + 10);
		else
			return false;
	}
	*in = span_skip(*in, 4);
	*code = value;
	return true;
}

static bool
take_unicode(struct span *in, uint32_t *code)
{
	struct span behind;
	uint32_t low;

	if (!take_hex(in, code))
		return false;
	behind = *in;
	if (*code >> 10 == 0xd800 >> 10 && take(&behind, '\\') &&
	    take(&behind, 'u') && take_hex(&behind, &low) &&
	    low >> 10 == 0xdc00 >> 10) {
		*code = 0x10000 + ((*code & 0x3ff) << 10) + (low & 0x3ff);
		*in = behind;
	}
	return true;
}

/* What a backslash has behind it. */
static bool
take_escape(struct span *in, uint32_t *code)
{
	static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *at;
	int c = span_at(*in, 0);

	*in = span_skip(*in, 1);
	if (c == 'u')
		return take_unicode(in, code);
	at = c > 0 ? strchr(names, c) : NULL;
	if (at == NULL)
		return false;
	*code = (unsigned char)meant[at - names];
	return true;
}

/* An escape is never shorter than what it stands for, so a line's length is
 * room enough for all of its texts. */
static bool
unescape(struct decoder *d, struct span in, struct span *text)
{
	char *start = arena_take(&d->arena, in.n), *out = start;
	uint32_t code;
	size_t n;

	if (start == NULL)
		return false;
	while (in.n > 0) {
		n = span_find(in, '\\');
		memcpy(out, in.p, n);
		out += n;
		in = span_skip(in, n);
		if (!take(&in, '\\'))
			break;
		if (!take_escape(&in, &code))
			return false;
		out += text_put_utf8(code, out);
	}
	*text = span_between(start, out);
	return true;
}

static bool
take_text(struct decoder *d, struct span *in, struct span *text)
{
	bool escaped;

	return take_string(in, text, &escaped) &&
	       (!escaped || unescape(d, *text, text));
}

static bool
take_number(struct span *in, uint64_t *number)
{
	size_t n = 0;

	*number = 0;
	for (; span_isdigit(span_at(*in, n)); n++) {
		unsigned digit = (unsigned)(in->p[n] - '0');

		if (*number > (UINT64_MAX - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	*in = span_skip(*in, n);
	return n > 0;
}

/* Up to the comma or the end behind a value of any kind. */
static bool
pass_over(struct span *in)
{
	struct span text;
	unsigned depth = 0;
	bool escaped;
	int c;

	while ((c = span_at(*in, 0)) >= 0) {
		if (depth == 0 && (c == ',' || c == '}'))
			return true;
		if (c == '"') {
			if (!take_string(in, &text, &escaped))
				return false;
			continue;
		}
		if ((c == '[' || c == '{') && ++depth > DEPTH)
			return false;
		if ((c == ']' || c == '}') && depth-- == 0)
			return false;
		*in = span_skip(*in, 1);
	}
	return false;
}

/* --- values --- */

static bool
take_time(struct decoder *d, struct span *in, int64_t *time)
{
	struct span text;
	bool escaped;

	return take_string(in, &text, &escaped) &&
	       text.n == TIMESTAMP_RFC3339 && text.p[text.n - 1] == 'Z' &&
	       timestamp_read_plain(
		   span_take(text, text.n - 1), &d->date, time);
}

static bool
take_value(
    struct decoder *d, struct span *in, unsigned f, struct record *record)
{
	union record_value value;

	switch (f == NOTHING ? RECORD_FLAGS : record_field_info[f].kind) {
	case RECORD_TEXT:
	case RECORD_WORD:
		if (!take_text(d, in, &value.text))
			return false;
		record_set_text(record, (enum record_field)f, value.text);
		return true;
	case RECORD_UINT:
		if (!take_number(in, &value.number))
			return false;
		record_set_number(record, (enum record_field)f, value.number);
		return true;
	case RECORD_TIME:
		if (!take_time(d, in, &value.time))
			return false;
		record_set_time(record, (enum record_field)f, value.time);
		return true;
	default:
		return pass_over(in);
	}
}

static bool
take_member(struct decoder *d, struct span *in, struct record *record)
{
	struct span key;
	bool escaped;
	unsigned f;

	if (!take_string(in, &key, &escaped) || !take(in, ':'))
		return false;
	f = find_key(d, key);
	/* once: the rest has been read as a record of that type */
	if (f == RECORD_F_TYPE && record_has(record, RECORD_F_TYPE))
		return false;
	return take_value(d, in, f, record);
}

/* `"type":"traffic"`, which every line begins with. */
static bool
take_type(struct decoder *d, struct span *in, struct record *record)
{
	if (!span_starts(*in, SPAN("\"type\":\"")) ||
	    !take_member(d, in, record))
		return false;
	record->type = record_type_find(record_text(record, RECORD_F_TYPE));
	return record->type != RECORD_TYPE_COUNT;
}

bool
decoder_read(struct decoder *d, struct span line, struct record *record)
{
	struct span in = line;

	record_reset(record);
	arena_reset(&d->arena);
	if (line.n > d->arena.size || text_valid_utf8(line) < line.n)
		return false;
	if (!take(&in, '{') || !take_type(d, &in, record))
		return false;
	while (take(&in, ','))
		if (!take_member(d, &in, record))
			return false;
	return take(&in, '}') && in.n == 0;
}
