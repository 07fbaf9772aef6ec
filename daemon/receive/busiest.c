#include "busiest.h"

#include <stdlib.h>
#include <sys/random.h>

#include "event.h"
#include "rollup.h"

/*
 * An hour is four slices; the oldest is emptied when its quarter comes again.
 * Of a second in which more than BUSIEST_RATE records come, every 16th or so of
 * the others counts for 16: so many at random, as records may come in a fixed
 * order.
 */
enum {
	SLICES = 4,
	SLICE_MS = 15 * 60 * 1000,
	ENTRIES = 512, /* of a slice: an error of 1 in 256 at most */
	EVERY = 16,
};

struct slice {
	struct top *table[BUSIEST_TABLES];
	uint64_t number;     /* of its quarter of an hour */
	uint64_t all, named; /* occurrences, and with a remote name */
	bool sampled;
};

struct busiest {
	struct slice slice[SLICES];
	struct top *sum;
	uint64_t second; /* the one that is counted */
	unsigned seen;   /* in it */
	unsigned skip;   /* so many more are left out */
	uint64_t dice;
};

struct busiest *
busiest_new(void)
{
	struct busiest *b = calloc(1, sizeof *b);
	struct hash_key key;
	bool good;

	if (b == NULL)
		return NULL;
	good = getrandom(&key, sizeof key, 0) == (ssize_t)sizeof key;
	b->dice = key.b | 1;
	b->sum = top_new((size_t)SLICES * ENTRIES, key);
	good = good && b->sum != NULL;
	for (size_t i = 0; good && i < SLICES * BUSIEST_TABLES; i++) {
		struct top **table = &b->slice[i % SLICES].table[i / SLICES];

		*table = top_new(ENTRIES, key);
		good = *table != NULL;
	}
	if (good)
		return b;
	busiest_free(b);
	return NULL;
}

void
busiest_free(struct busiest *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < SLICES * BUSIEST_TABLES; i++)
		top_free(b->slice[i % SLICES].table[i / SLICES]);
	top_free(b->sum);
	free(b);
}

/* --- records --- */

/* To leave out: EVERY - 1 on average. */
static unsigned
how_many(struct busiest *b)
{
	b->dice = b->dice * UINT64_C(6364136223846793005) + 1442695041;
	return (unsigned)(b->dice >> 33) % (2 * EVERY - 1);
}

/* For how many this one stands; 0: it is left out. */
static unsigned
share(struct busiest *b, uint64_t now)
{
	if (now / 1000 != b->second) {
		b->second = now / 1000;
		b->seen = 0;
		b->skip = 0;
	}
	if (b->seen < BUSIEST_RATE) {
		if (++b->seen == BUSIEST_RATE)
			b->skip = how_many(b);
		return 1;
	}
	if (b->skip > 0) {
		b->skip--;
		return 0;
	}
	b->skip = how_many(b);
	return EVERY;
}

static struct slice *
slice_of(struct busiest *b, uint64_t now)
{
	uint64_t number = now / SLICE_MS + 1;
	struct slice *slice = &b->slice[number % SLICES];

	if (slice->number == number)
		return slice;
	slice->number = number;
	slice->sampled = false;
	slice->all = slice->named = 0;
	for (size_t i = 0; i < BUSIEST_TABLES; i++)
		top_clear(slice->table[i]);
	return slice;
}

static void
add(struct top *table, struct span key, uint64_t weight, bool blocked)
{
	struct top_entry *e;

	if (key.n == 0)
		return;
	e = top_add(table, key, weight); /* there is one: it does not grow */
	if (blocked)
		e->sum[0] += weight;
}

/* What is counted as it stands in the record. */
static const struct {
	enum busiest_table table;
	enum record_field field;
} fields[] = {
    {BUSIEST_USERS, RECORD_F_USER},
    {BUSIEST_HOSTS, RECORD_F_HOST},
    {BUSIEST_RULES, RECORD_F_RULE},
};

void
busiest_note(struct busiest *b, const struct record *r, uint64_t now)
{
	struct slice *slice;
	struct span remote;
	uint64_t weight;
	bool blocked;
	unsigned n;

	if (r->type != RECORD_TRAFFIC || (n = share(b, now)) == 0)
		return;
	slice = slice_of(b, now);
	slice->sampled |= n > 1;
	weight = n * rollup_weight(r);
	blocked = span_eq(record_text(r, RECORD_F_ACTION), SPAN("blocked"));
	remote = record_text(r, RECORD_F_REMOTE_NAME);
	slice->all += weight;
	slice->named += remote.n > 0 ? weight : 0;
	if (remote.n == 0)
		remote = record_text(r, RECORD_F_REMOTE_IP);
	add(slice->table[BUSIEST_NAMES], remote, weight, blocked);
	add(slice->table[BUSIEST_APPLICATIONS],
	    event_base_name(record_text(r, RECORD_F_APPLICATION)), weight,
	    blocked);
	if (blocked)
		add(slice->table[BUSIEST_BLOCKED], remote, weight, true);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		add(slice->table[fields[i].table],
		    record_text(r, fields[i].field), weight, blocked);
}

/* --- people --- */

static bool
is_recent(const struct slice *slice, uint64_t now)
{
	return slice->number + SLICES > now / SLICE_MS + 1;
}

size_t
busiest_list(struct busiest *b, enum busiest_table table, uint64_t now,
    const struct top_entry *list[BUSIEST_ROWS])
{
	top_clear(b->sum);
	for (size_t i = 0; i < SLICES; i++)
		if (is_recent(&b->slice[i], now))
			top_merge(b->sum, b->slice[i].table[table]);
	return top_list(b->sum, list, BUSIEST_ROWS);
}

double
busiest_named(const struct busiest *b, uint64_t now)
{
	uint64_t all = 0, named = 0;

	for (size_t i = 0; i < SLICES; i++) {
		if (!is_recent(&b->slice[i], now))
			continue;
		all += b->slice[i].all;
		named += b->slice[i].named;
	}
	return all > 0 ? 100 * (double)named / (double)all : -1;
}

bool
busiest_sampled(const struct busiest *b)
{
	bool sampled = false;

	for (size_t i = 0; i < SLICES; i++)
		sampled |= b->slice[i].sampled;
	return sampled;
}
