#include "audit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "flow.h"
#include "spool/names.h"

enum {
	BUCKETS = 1024,
	LISTENERS = 128,
	LISTENER_NAME = 80,
	MINUTE = 60 * 1000 * 1000, /* us */
};

struct source {
	struct audit_row row; /* first: a row is its source */
	struct in6_addr address;
	struct audit_source shown; /* up to the end of the last minute */
	struct flow looked;        /* messages when last looked at */
	unsigned held;
	LIST_ENTRY(source) others;
};

LIST_HEAD(bucket, source);

struct listener {
	char name[LISTENER_NAME];
	uint64_t drops, pauses;
};

struct audit {
	struct audit_hooks hooks;
	int64_t from, end; /* of the minute, UTC us */
	uint64_t seed;     /* senders must not choose their bucket */
	size_t count, limit;
	int64_t looked;      /* when, UTC us */
	uint64_t past_bytes; /* of sources that made room */
	struct bucket buckets[BUCKETS];
	struct source other;
	size_t listeners;
	struct listener listener[LISTENERS + 1]; /* the last: all others */
	size_t names;
	char name[AUDIT_STREAMS][SPOOL_NAME_MAX + 1];
	unsigned *stream; /* by index of the configuration */
};

/* A copy of what has counted anything. */
struct audit_minute {
	int64_t from, to;
	size_t names;
	char name[AUDIT_STREAMS][SPOOL_NAME_MAX + 1];
	size_t listeners;
	struct listener listener[LISTENERS + 1];
	size_t sources;
	struct {
		bool other;
		struct in6_addr address;
		struct audit_row row;
	} source[];
};

/* --- life --- */

static int64_t
minute_of(int64_t us)
{
	int64_t past = us % MINUTE;

	return us - (past < 0 ? past + MINUTE : past);
}

struct audit *
audit_new(const struct audit_hooks *hooks, int64_t now)
{
	struct audit *a = calloc(1, sizeof *a);

	if (a == NULL)
		return NULL;
	a->hooks = *hooks;
	a->from = now;
	a->end = minute_of(now) + MINUTE;
	a->limit = 1;
	snprintf(a->listener[LISTENERS].name, LISTENER_NAME, "other");
	/* Without randomness it is only easier to guess. */
	if (getrandom(&a->seed, sizeof a->seed, GRND_NONBLOCK) < 0)
		a->seed = (uintptr_t)a;
	return a;
}

static void
source_drop(struct audit *a, struct source *source)
{
	LIST_REMOVE(source, others);
	free(source);
	a->count--;
}

void
audit_free(struct audit *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (!LIST_EMPTY(&a->buckets[i]))
			/* LIST_REMOVE has moved the first on before the free.
			 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
			source_drop(a, LIST_FIRST(&a->buckets[i]));
	free(a->stream);
	free(a);
}

/* The names never change their place: lines of a minute may be of two
 * configurations. */
static unsigned
name_index(struct audit *a, const char *name)
{
	size_t i;

	for (i = 0; i < a->names; i++)
		if (strcmp(a->name[i], name) == 0)
			return (unsigned)i;
	if (i == AUDIT_STREAMS)
		i--; /* so many reloads: the last two share a place */
	else
		a->names++;
	snprintf(a->name[i], sizeof a->name[i], "%s", name);
	return (unsigned)i;
}

void
audit_configure(struct audit *a, const struct config *config)
{
	unsigned *stream = calloc(config->stream_count + 1, sizeof *stream);

	a->limit = config->ledger.sources;
	if (stream == NULL)
		return; /* as before: names may be wrong, sums are not */
	for (size_t i = 0; i < config->stream_count; i++)
		stream[i] = name_index(a, config->streams[i].name);
	free(a->stream);
	a->stream = stream;
}

unsigned
audit_stream(const struct audit *a, size_t index)
{
	return a->stream[index];
}

/* --- rows --- */

static struct bucket *
bucket_of(struct audit *a, const struct in6_addr *address)
{
	uint64_t half[2], hash;

	memcpy(half, address, sizeof half);
	hash = (half[0] ^ a->seed) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ hash >> 32 ^ half[1]) * UINT64_C(0xd6e8feb86659fd93);
	return &a->buckets[(hash ^ hash >> 32) % BUCKETS];
}

struct audit_row *
audit_row(struct audit *a, const struct in6_addr *address)
{
	struct bucket *bucket = bucket_of(a, address);
	struct source *source;

	LIST_FOREACH(source, bucket, others)
	if (memcmp(&source->address, address, sizeof *address) == 0)
		return &source->row;
	source = a->count < a->limit ? calloc(1, sizeof *source) : NULL;
	if (source == NULL)
		return &a->other.row;
	source->address = *address;
	LIST_INSERT_HEAD(bucket, source, others);
	a->count++;
	return &source->row;
}

struct audit_row *
audit_other(struct audit *a)
{
	return &a->other.row;
}

void
audit_hold(struct audit_row *row)
{
	((struct source *)row)->held++;
}

void
audit_release(struct audit_row *row)
{
	((struct source *)row)->held--;
}

static bool
is_idle(const struct audit_row *row)
{
	static const struct audit_row zero;

	return memcmp(row, &zero, sizeof zero) == 0;
}

/* --- listeners --- */

static struct listener *
listener_find(struct audit *a, const char *name)
{
	size_t i;

	for (i = 0; i < a->listeners; i++)
		if (strcmp(a->listener[i].name, name) == 0)
			return &a->listener[i];
	if (i == LISTENERS)
		return &a->listener[LISTENERS];
	snprintf(a->listener[i].name, LISTENER_NAME, "%s", name);
	a->listeners++;
	return &a->listener[i];
}

void
audit_drops(struct audit *a, const char *name, uint64_t n)
{
	listener_find(a, name)->drops += n;
}

void
audit_pause(struct audit *a, const char *name)
{
	listener_find(a, name)->pauses++;
}

/* --- the end of a minute --- */

typedef void source_fn(
    struct audit *a, struct source *source, struct audit_minute *minute);

/* `fn` may free it. */
static void
each_source(struct audit *a, source_fn *fn, struct audit_minute *minute)
{
	struct source *source, *next;

	for (size_t i = 0; i < BUCKETS; i++)
		for (source = LIST_FIRST(&a->buckets[i]); source != NULL;
		     source = next) {
			next = LIST_NEXT(source, others);
			fn(a, source, minute);
		}
	fn(a, &a->other, minute);
}

static void
copy_source(struct audit *a, struct source *source, struct audit_minute *m)
{
	if (is_idle(&source->row))
		return;
	m->source[m->sources].other = source == &a->other;
	m->source[m->sources].address = source->address;
	m->source[m->sources].row = source->row;
	m->sources++;
}

static uint64_t
messages_of(const struct audit_row *row)
{
	return row->udp + row->tcp + row->tls;
}

static uint64_t
refused_of(const struct audit_row *row)
{
	return row->datagrams + row->connections + row->over_limit +
	       row->over_source + row->over_handshakes + row->not_permitted +
	       row->handshakes;
}

/* With what the minute has brought so far. */
static struct audit_source
shown_of(const struct audit *a, const struct source *source)
{
	struct audit_source shown = source->shown;

	shown.other = source == &a->other;
	shown.address = source->address;
	shown.messages += messages_of(&source->row);
	shown.bytes += source->row.bytes;
	shown.unparsed += source->row.unparsed;
	shown.refused += refused_of(&source->row);
	if (source->row.timed > 0 &&
	    (!shown.timed || source->row.lag < shown.lag))
		shown.lag = source->row.lag;
	shown.timed = shown.timed || source->row.timed > 0;
	if (source->row.release != RECORD_RELEASE_UNTOLD)
		shown.release = (enum record_release)source->row.release;
	return shown;
}

/* One that was silent makes room, if many are known. */
static void
reset_source(struct audit *a, struct source *source, struct audit_minute *m)
{
	(void)m;
	if (source != &a->other && source->held == 0 && is_idle(&source->row) &&
	    a->count > a->limit / 2) {
		a->past_bytes += source->shown.bytes;
		source_drop(a, source);
		return;
	}
	source->shown = shown_of(a, source);
	if (source->row.timed > 0)
		source->shown.lag = source->row.lag; /* of this minute alone */
	memset(&source->row, 0, sizeof source->row);
}

static struct audit_minute *
copy_minute(struct audit *a, int64_t to)
{
	struct audit_minute *m =
	    malloc(sizeof *m + (a->count + 1) * sizeof m->source[0]);

	if (m == NULL)
		return NULL;
	m->from = a->from;
	m->to = to;
	m->names = a->names;
	memcpy(m->name, a->name, sizeof m->name);
	m->listeners = a->listeners;
	memcpy(m->listener, a->listener, sizeof m->listener);
	m->sources = 0;
	each_source(a, copy_source, m);
	return m;
}

static void
begin_minute(struct audit *a, int64_t from)
{
	each_source(a, reset_source, NULL);
	a->listeners = 0;
	a->listener[LISTENERS].drops = a->listener[LISTENERS].pauses = 0;
	memset(a->listener, 0, LISTENERS * sizeof a->listener[0]);
	a->from = from;
}

static void
end_minute(struct audit *a, int64_t now)
{
	/* Where the clock was put back it ends now. */
	int64_t to = now >= a->end ? minute_of(now) : now;
	struct audit_minute *m;

	a->end = minute_of(now) + MINUTE;
	a->hooks.ending(a->hooks.arg);
	m = copy_minute(a, to);
	if (m == NULL)
		return;
	if (a->hooks.offer(a->hooks.arg, m))
		begin_minute(a, to);
	else
		audit_minute_free(m);
}

void
audit_clock(struct audit *a, int64_t now)
{
	if (now >= a->end || now < a->end - 2 * (int64_t)MINUTE)
		end_minute(a, now);
}

/* --- what people are shown --- */

static void
look(struct source *source, const struct audit_source *shown, double seconds,
    int64_t now)
{
	if (shown->messages > source->looked.sum)
		source->shown.seen = now;
	flow_look(&source->looked, shown->messages, seconds);
	source->shown.rate = source->looked.rate;
}

void
audit_look(struct audit *a, int64_t now, struct audit_sum *sum)
{
	double seconds = a->looked == 0 ? 0 : (double)(now - a->looked) / 1e6;
	struct audit_source shown = shown_of(a, &a->other);
	struct source *source;

	look(&a->other, &shown, seconds, now);
	*sum = (struct audit_sum){a->past_bytes + shown.bytes, a->count};
	for (size_t i = 0; i < BUCKETS; i++)
		LIST_FOREACH(source, &a->buckets[i], others)
		{
			shown = shown_of(a, source);
			look(source, &shown, seconds, now);
			sum->bytes += shown.bytes;
		}
	a->looked = now;
}

/* Into a list that is in order, and stays that way. */
static size_t
insert(struct audit_source *list, size_t count, size_t max,
    const struct audit_source *one)
{
	size_t at = count;

	if (one->messages == 0 && one->refused == 0)
		return count;
	while (at > 0 && list[at - 1].messages < one->messages)
		at--;
	if (at == max)
		return count;
	if (count == max)
		count--;
	memmove(&list[at + 1], &list[at], (count - at) * sizeof *list);
	list[at] = *one;
	return count + 1;
}

size_t
audit_sources(struct audit *a, struct audit_source *list, size_t max)
{
	struct audit_source shown = shown_of(a, &a->other);
	size_t count = insert(list, 0, max, &shown);
	struct source *source;

	for (size_t i = 0; i < BUCKETS; i++)
		LIST_FOREACH(source, &a->buckets[i], others)
		{
			shown = shown_of(a, source);
			count = insert(list, count, max, &shown);
		}
	return count;
}

struct audit_minute *
audit_last(struct audit *a, int64_t now)
{
	a->hooks.ending(a->hooks.arg);
	return copy_minute(a, now);
}

void
audit_minute_free(struct audit_minute *m)
{
	free(m);
}

/* --- lines --- */

static const struct {
	size_t offset;
	const char *object, *key;
} columns[] = {
#define ROW(member, object, key)                                               \
	{offsetof(struct audit_row, member), object, key},
    AUDIT_TABLE(ROW)
#undef ROW
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

static bool
same_object(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
put_columns(struct ledger_text *line, const struct audit_row *row)
{
	const char *object = NULL;
	uint64_t value;

	for (size_t i = 0; i < COLUMNS; i++) {
		if (!same_object(object, columns[i].object)) {
			ledger_close(line);
			object = columns[i].object;
			if (object != NULL)
				ledger_open(line, object);
		}
		memcpy(&value, (const char *)row + columns[i].offset,
		    sizeof value);
		if (value > 0)
			ledger_put_number(line, columns[i].key, value);
	}
	ledger_close(line);
}

static void
put_streams(struct ledger_text *line, const struct audit_minute *m,
    const struct audit_row *row)
{
	ledger_open(line, "streams");
	for (size_t i = 0; i < m->names; i++)
		if (row->streams[i] > 0)
			ledger_put_number(line, m->name[i], row->streams[i]);
	ledger_close(line);
}

static void
put_source(struct ledger_text *line, const struct audit_minute *m, size_t i)
{
	const struct in6_addr *address = &m->source[i].address;
	bool v4 = IN6_IS_ADDR_V4MAPPED(address);
	char text[INET6_ADDRSTRLEN] = "other";

	if (!m->source[i].other)
		inet_ntop(v4 ? AF_INET : AF_INET6,
		    &address->s6_addr[v4 ? 12 : 0], text, sizeof text);
	ledger_put_text(line, "source", span_str(text));
	put_columns(line, &m->source[i].row);
	put_streams(line, m, &m->source[i].row);
}

static void
put_listener(struct ledger_text *line, const struct listener *l)
{
	ledger_put_text(line, "listener", span_str(l->name));
	if (l->drops > 0)
		ledger_put_number(line, "kernel_drops", l->drops);
	if (l->pauses > 0)
		ledger_put_number(line, "accept_pauses", l->pauses);
}

bool
audit_minute_line(const struct audit_minute *m, size_t index, int64_t now,
    struct ledger_text *line)
{
	const struct listener *others = &m->listener[LISTENERS];
	size_t i = index;

	ledger_begin(line, "minute", now);
	ledger_put_time(line, "from", m->from);
	ledger_put_time(line, "to", m->to);
	/* The first says only that the minute was there. */
	if (i-- == 0)
		return true;
	if (i < m->sources) {
		put_source(line, m, i);
		return true;
	}
	i -= m->sources;
	if (i < m->listeners) {
		put_listener(line, &m->listener[i]);
		return true;
	}
	i -= m->listeners;
	if (i > 0 || (others->drops == 0 && others->pauses == 0))
		return false;
	put_listener(line, others);
	return true;
}
