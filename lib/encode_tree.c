#include "encode_tree.h"

#include "encode.h"
#include "encode_json.h"
#include "encode_value.h"

void
tree_start(struct tree *t, const struct record *record,
    struct timestamp_days *days, char *out)
{
	*t = (struct tree){
	    .record = record,
	    .days = days,
	    .out = put_char('{', out),
	    .open = {"", 0},
	    .fresh = true,
	};
	tree_mark(t, RECORD_F_TYPE);
}

void
tree_rows(struct tree *t, const struct tree_row *rows, size_t count,
    unsigned char mask)
{
	for (size_t i = 0; i < count; i++)
		if ((rows[i].mask & mask) != 0)
			rows[i].put(t, &rows[i]);
}

void
tree_reserve(struct tree *t, const struct tree_row *rows, size_t count,
    unsigned char mask)
{
	for (size_t i = 0; i < count; i++) {
		enum record_field f = tree_first(t, &rows[i]);

		if ((rows[i].mask & mask) != 0 && f != EVENT_NO_FIELD &&
		    (rows[i].put == tree_put_field ||
			rows[i].put == tree_put_ms))
			tree_mark(t, f);
	}
}

void
tree_rest(struct tree *t, struct span path)
{
	for (unsigned f = 0; f < RECORD_FIELD_COUNT; f++)
		if ((t->done[f / 64] >> f % 64 & 1) == 0)
			tree_field(t, path, record_field_info[f].key,
			    (enum record_field)f);
}

/* Objects */

/* Bytes of the longest path of whole components that both begin with. */
static size_t
shared(struct span a, struct span b)
{
	size_t i = 0, whole = 0;

	for (;; i++) {
		int x = span_at(a, i), y = span_at(b, i);

		if ((x == '.' || x == -1) && (y == '.' || y == -1))
			whole = i;
		if (x != y || x == -1)
			return whole;
	}
}

/* Its last component is closed. */
static void
close_one(struct tree *t)
{
	size_t n = t->open.n;

	*t->out++ = '}';
	if (t->open.p[n - 1] == ']')
		*t->out++ = ']';
	while (n > 0 && t->open.p[n - 1] != '.')
		n--;
	t->open = span_take(t->open, n > 0 ? n - 1 : 0);
	t->fresh = false;
}

static void
put_comma(struct tree *t)
{
	if (!t->fresh)
		*t->out++ = ',';
	t->fresh = false;
}

static void
open_one(struct tree *t, struct span component)
{
	bool array = component.p[component.n - 1] == ']';

	put_comma(t);
	if (array)
		component.n -= 2;
	t->out = put(SPAN("\":"),
	    block_copy(component.p, component.n, put_char('"', t->out)));
	if (array)
		*t->out++ = '[';
	*t->out++ = '{';
	t->fresh = true;
}

static void
go_to(struct tree *t, struct span path)
{
	size_t whole = shared(t->open, path);
	struct span rest;

	while (t->open.n > whole)
		close_one(t);
	rest = span_skip(path, whole > 0 ? whole + 1 : 0);
	while (rest.n > 0) {
		size_t n = span_find(rest, '.');

		open_one(t, span_take(rest, n));
		rest = span_skip(rest, n + 1);
	}
	t->open = path;
}

void
tree_key(struct tree *t, struct span path, struct span key)
{
	if (t->open.p != path.p || t->open.n != path.n)
		go_to(t, path);
	put_comma(t);
	t->out =
	    put(SPAN("\":"), block_copy(key.p, key.n, put_char('"', t->out)));
}

/* Values */

void
tree_mark(struct tree *t, enum record_field f)
{
	t->done[f / 64] |= (uint64_t)1 << f % 64;
}

enum record_field
tree_first(const struct tree *t, const struct tree_row *row)
{
	for (size_t i = 0; i < TREE_SOURCES; i++) {
		unsigned f = row->from[i];

		if (f == EVENT_NO_FIELD)
			break;
		if (record_has(t->record, (enum record_field)f))
			return (enum record_field)f;
	}
	return EVENT_NO_FIELD;
}

void
tree_text(struct tree *t, struct span path, struct span key, struct span text)
{
	if (text.n == 0)
		return;
	tree_key(t, path, key);
	t->out = put_string(text, t->out);
}

void
tree_number(struct tree *t, struct span path, struct span key, int64_t number)
{
	tree_key(t, path, key);
	if (number < 0)
		*t->out++ = '-';
	t->out = decimal_put(
	    number < 0 ? 0 - (uint64_t)number : (uint64_t)number, t->out);
}

void
tree_ms(struct tree *t, struct span path, struct span key, int64_t seconds)
{
	/* Times of no calendar, as only tests have them, have no place. */
	if (seconds < -INT64_C(1000000000000) ||
	    seconds > INT64_C(1000000000000))
		return;
	tree_number(t, path, key, seconds * 1000);
}

void
tree_field(
    struct tree *t, struct span path, struct span key, enum record_field f)
{
	struct tree before = *t;
	char *end;

	if (!encode_has(t->record, f))
		return;
	tree_key(t, path, key);
	end = encode_value(t->record, f, t->days, t->out);
	if (end == t->out)
		*t = before; /* present, and empty */
	else
		t->out = end;
	tree_mark(t, f);
}

void
tree_put_word(struct tree *t, const struct tree_row *row)
{
	tree_key(t, row->path, row->key);
	t->out = put_word(row->word, t->out);
}

void
tree_put_json(struct tree *t, const struct tree_row *row)
{
	tree_key(t, row->path, row->key);
	t->out = put(row->word, t->out);
}

void
tree_put_field(struct tree *t, const struct tree_row *row)
{
	enum record_field f = tree_first(t, row);

	if (f != EVENT_NO_FIELD)
		tree_field(t, row->path, row->key, f);
}

void
tree_put_copy(struct tree *t, const struct tree_row *row)
{
	enum record_field f = tree_first(t, row);

	if (f != EVENT_NO_FIELD)
		tree_text(t, row->path, row->key,
		    event_copy(t->record->value[f].text));
}

void
tree_put_base(struct tree *t, const struct tree_row *row)
{
	enum record_field f = tree_first(t, row);

	if (f != EVENT_NO_FIELD)
		tree_text(t, row->path, row->key,
		    event_copy(event_base_name(t->record->value[f].text)));
}

void
tree_put_ms(struct tree *t, const struct tree_row *row)
{
	enum record_field f = tree_first(t, row);
	int64_t time;

	if (f == EVENT_NO_FIELD)
		return;
	time = t->record->value[f].time;
	if (record_field_info[f].kind == RECORD_TIME_US)
		tree_number(t, row->path, row->key, time / 1000);
	else
		tree_ms(t, row->path, row->key, time);
	tree_mark(t, f);
}

/* Lists */

void
tree_list_start(struct tree_list *l, struct span path, struct span key)
{
	l->path = path;
	l->key = key;
	l->count = 0;
}

void
tree_list_add(struct tree_list *l, struct span text)
{
	text = event_copy(text);
	if (text.n == 0 || l->count == sizeof(l->item) / sizeof(l->item[0]))
		return;
	for (size_t i = 0; i < l->count; i++)
		if (span_eq(l->item[i], text))
			return;
	l->item[l->count++] = text;
}

void
tree_list_field(
    struct tree_list *l, const struct record *r, enum record_field f)
{
	tree_list_add(l, record_text(r, f));
}

void
tree_list_put(struct tree *t, const struct tree_list *l)
{
	char separator = '[';

	if (l->count == 0)
		return;
	tree_key(t, l->path, l->key);
	for (size_t i = 0; i < l->count; i++) {
		t->out = put_string(l->item[i], put_char(separator, t->out));
		separator = ',';
	}
	*t->out++ = ']';
}
