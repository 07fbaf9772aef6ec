#include "rollup.h"

#include <stdlib.h>

/*
 * Groups lie in a row, their texts in another; a table of open addressing, at
 * most half full, finds them. While groups are taken out none is added: all of
 * it begins anew when the last one is gone.
 */

/* What records of a group have in common. Of remote end, the address only
 * where there is no name: one name has many. */
static const enum record_field texts[] = {
    RECORD_F_HOST,
    RECORD_F_LOCAL_IP,
    RECORD_F_USER,
    RECORD_F_DOMAIN,
    RECORD_F_APPLICATION,
    RECORD_F_REMOTE_NAME,
    RECORD_F_REMOTE_IP,
    RECORD_F_PROTOCOL,
    RECORD_F_DIRECTION,
    RECORD_F_ACTION,
    RECORD_F_RULE,
};

enum { TEXTS = sizeof texts / sizeof texts[0] };

_Static_assert(ROLLUP_GROUP >= TEXTS * (ROLLUP_TEXT + 2), "ROLLUP_GROUP");
_Static_assert(ROLLUP_TEXT <= UINT16_MAX, "lengths");

struct times {
	bool begun, ended, timed;
	int64_t begin, end, time; /* first, last, last */
};

struct group {
	uint64_t hash;
	size_t at; /* of its lengths, then its texts */
	size_t n;
	uint64_t port;
	bool has_port;
	struct rollup_group sum;
	struct times times;
};

struct rollup {
	struct hash_key key;
	size_t limit, count, taken; /* groups; `taken` of them are out */
	struct group *groups;
	size_t mask;       /* places - 1 */
	uint32_t *places;  /* group + 1; 0: free */
	size_t size, used; /* bytes of texts */
	char *bytes;       /* and room for those of a record to be found */
	enum rollup_overflow overflow;
	struct group rest; /* without texts; no records: nothing there */
};

struct rollup *
rollup_new(size_t groups, size_t bytes, struct hash_key key,
    enum rollup_overflow overflow)
{
	struct rollup *r = calloc(1, sizeof *r);
	size_t places = 4;

	if (r == NULL)
		return NULL;
	while (places < 2 * groups)
		places *= 2;
	r->key = key;
	r->overflow = overflow;
	r->limit = groups;
	r->size = bytes;
	r->mask = places - 1;
	r->groups = calloc(groups, sizeof *r->groups);
	r->places = calloc(places, sizeof *r->places);
	r->bytes = malloc(bytes + ROLLUP_GROUP);
	if (r->groups == NULL || r->places == NULL || r->bytes == NULL) {
		rollup_free(r);
		return NULL;
	}
	return r;
}

void
rollup_free(struct rollup *r)
{
	if (r == NULL)
		return;
	free(r->groups);
	free(r->places);
	free(r->bytes);
	free(r);
}

static bool
has_place(const struct rollup *r)
{
	return r->count < r->limit && r->size - r->used >= ROLLUP_GROUP;
}

bool
rollup_has_room(const struct rollup *r)
{
	return r->taken == 0 && (r->overflow == ROLLUP_BUCKET || has_place(r));
}

size_t
rollup_count(const struct rollup *r)
{
	return r->count - r->taken + (r->rest.sum.records > 0);
}

/* --- groups --- */

/* Whole characters only: a record is valid UTF-8. */
static struct span
cut(struct span text)
{
	size_t n = ROLLUP_TEXT;

	if (text.n <= n)
		return text;
	while (n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n--;
	return span_take(text, n);
}

static bool
tells(const struct record *r, enum record_field f)
{
	return f != RECORD_F_REMOTE_IP || !record_has(r, RECORD_F_REMOTE_NAME);
}

/* Lengths and texts behind what is used; answers how many bytes. */
static size_t
put_texts(struct rollup *r, const struct record *record)
{
	char *lengths = r->bytes + r->used;
	char *out = lengths + TEXTS * sizeof(uint16_t);

	for (size_t i = 0; i < TEXTS; i++) {
		struct span text = span_of("", 0);
		uint16_t n;

		if (tells(record, texts[i]))
			text = cut(record_text(record, texts[i]));
		n = (uint16_t)text.n;
		memcpy(lengths + i * sizeof n, &n, sizeof n);
		memcpy(out, text.p, text.n);
		out += text.n;
	}
	return (size_t)(out - lengths);
}

static bool
same(const struct rollup *r, const struct group *a, const struct group *b)
{
	return a->hash == b->hash && a->n == b->n && a->port == b->port &&
	       a->has_port == b->has_port &&
	       memcmp(r->bytes + a->at, r->bytes + b->at, a->n) == 0;
}

/* What has no place of its own any more. */
static struct group *
overflow(struct rollup *r, const struct group *wanted)
{
	if (r->rest.sum.records == 0)
		r->rest.sum.source = wanted->sum.source;
	return &r->rest;
}

/* The group of these texts, which stand behind what is used. */
static struct group *
find(struct rollup *r, const struct group *wanted)
{
	size_t i = wanted->hash & r->mask;
	struct group *g;

	for (; r->places[i] != 0; i = (i + 1) & r->mask) {
		g = &r->groups[r->places[i] - 1];
		if (same(r, g, wanted))
			return g;
	}
	if (!has_place(r))
		return overflow(r, wanted);
	r->used += wanted->n;
	g = &r->groups[r->count++];
	*g = *wanted;
	r->places[i] = (uint32_t)r->count;
	return g;
}

/* --- times --- */

static bool
time_of(const struct record *r, enum record_field f, int64_t *time)
{
	if (!record_has(r, f))
		return false;
	*time = r->value[f].time;
	return true;
}

static void
note_times(struct times *t, const struct record *r)
{
	int64_t begin, end, time;

	if (time_of(r, RECORD_F_BEGIN, &begin) ||
	    time_of(r, RECORD_F_EVENT_TIME, &begin) ||
	    time_of(r, RECORD_F_TIME, &begin)) {
		if (!t->begun || begin < t->begin)
			t->begin = begin;
		if (!time_of(r, RECORD_F_END, &end))
			end = begin;
		if (!t->begun || end > t->end)
			t->end = end;
		t->begun = true;
	}
	if (time_of(r, RECORD_F_TIME, &time) && (!t->timed || time > t->time)) {
		t->time = time;
		t->timed = true;
	}
}

/* --- records in and out --- */

uint64_t
rollup_weight(const struct record *r)
{
	uint64_t n = record_has(r, RECORD_F_OCCURRENCES)
			 ? r->value[RECORD_F_OCCURRENCES].number
			 : 1;

	if (n > UINT32_MAX)
		return UINT32_MAX;
	return n > 0 ? n : 1;
}

void
rollup_add(struct rollup *r, const struct record *record,
    const struct message_source *source)
{
	struct group wanted = {.at = r->used, .sum = {.source = source}}, *g;

	wanted.n = put_texts(r, record);
	wanted.has_port = record_has(record, RECORD_F_REMOTE_PORT);
	if (wanted.has_port)
		wanted.port = record->value[RECORD_F_REMOTE_PORT].number;
	wanted.hash =
	    hash_span(&r->key, span_of(r->bytes + wanted.at, wanted.n)) ^
	    hash_fold(wanted.port ^ r->key.a, r->key.b);
	g = find(r, &wanted);
	g->sum.records++;
	g->sum.occurrences += rollup_weight(record);
	note_times(&g->times, record);
}

static void
put_back(const struct rollup *r, const struct group *g, struct record *record)
{
	const char *lengths = r->bytes + g->at;
	const char *text = lengths + TEXTS * sizeof(uint16_t);

	for (size_t i = 0; i < TEXTS; i++) {
		uint16_t n;

		memcpy(&n, lengths + i * sizeof n, sizeof n);
		record_set_text(record, texts[i], span_of(text, n));
		text += n;
	}
}

static void
put_group(const struct rollup *r, const struct group *g, struct record *record)
{
	if (g == &r->rest) {
		record->flags |= RECORD_OVERFLOW;
		return;
	}
	put_back(r, g, record);
	if (g->has_port)
		record_set_number(record, RECORD_F_REMOTE_PORT, g->port);
}

bool
rollup_peek(
    const struct rollup *r, struct record *record, struct rollup_group *group)
{
	const struct group *g =
	    r->taken < r->count ? &r->groups[r->taken] : &r->rest;

	if (rollup_count(r) == 0)
		return false;
	record_reset(record);
	record->type = RECORD_TRAFFIC;
	record_set_text(
	    record, RECORD_F_TYPE, record_type_name[RECORD_TRAFFIC]);
	put_group(r, g, record);
	if (g->times.begun) {
		record_set_time(record, RECORD_F_BEGIN, g->times.begin);
		record_set_time(record, RECORD_F_END, g->times.end);
	}
	if (g->times.timed)
		record_set_time(record, RECORD_F_TIME, g->times.time);
	record_set_number(record, RECORD_F_OCCURRENCES, g->sum.occurrences);
	record_set_number(record, RECORD_F_RECORDS, g->sum.records);
	*group = g->sum;
	return true;
}

void
rollup_drop(struct rollup *r)
{
	if (r->taken < r->count)
		r->taken++;
	else
		r->rest = (struct group){.n = 0};
	if (rollup_count(r) > 0)
		return;
	r->count = r->taken = r->used = 0;
	memset(r->places, 0, (r->mask + 1) * sizeof *r->places);
}
