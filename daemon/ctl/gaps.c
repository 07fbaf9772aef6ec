#include "gaps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "chain.h"
#include "clock.h"
#include "ctl.h"
#include "ledger.h"
#include "ledgers.h"
#include "spool/disk.h"
#include "timestamp.h"

enum {
	CAUSE = 32,
	SOURCE = 64,
	ENDS = 64, /* streams */
	NAME = SPOOL_PATH,
	MISSING_MAX = 1000000,
};

struct gap {
	int64_t from, to; /* UTC s; both belong to it */
	char cause[CAUSE], source[SOURCE];
	uint64_t count; /* 0: not known */
};

struct span_of_time {
	int64_t from, to;
};

/* Where the last file of a stream ends. */
struct end {
	char stream[SPOOL_NAME_MAX + 1];
	int64_t last;
};

struct gaps {
	int64_t margin;
	const char *spool;
	struct gap *gap;
	size_t count, room;
	struct span_of_time *times; /* of all, with margins, in order */
	size_t n_times;
	bool failed;

	/* while the ledger is read */
	struct ledger_entry entry;
	bool begun, stopped;
	int64_t known_to; /* up to where this life is known */
	struct end end[ENDS];
	size_t ends;
	char (*dropped)[NAME];
	size_t n_dropped, dropped_room;
	bool second; /* time through it */
};

/* --- gaps --- */

static void *
more_room(void *list, size_t count, size_t *room, size_t max, size_t size)
{
	size_t wanted = *room > 0 ? 2 * *room : 64;
	void *grown;

	if (count < *room)
		return list;
	grown = count < max ? reallocarray(list, wanted, size) : NULL;
	if (grown != NULL)
		*room = wanted;
	return grown;
}

static void
add(struct gaps *g, int64_t from, int64_t to, const char *cause,
    struct span source, uint64_t count)
{
	struct gap *gap =
	    more_room(g->gap, g->count, &g->room, GAPS_MAX, sizeof(*gap));

	if (gap == NULL) {
		g->failed = true;
		return;
	}
	g->gap = gap;
	gap += g->count++;
	*gap = (struct gap){.from = from < to ? from : to, .to = to};
	gap->count = count;
	snprintf(gap->cause, sizeof(gap->cause), "%s", cause);
	snprintf(
	    gap->source, sizeof(gap->source), "%.*s", (int)source.n, source.p);
}

/* --- lines of the ledger --- */

/* 0: it has none. */
static int64_t
time_of(const struct gaps *g, const char *key)
{
	struct span text = ledger_text(&g->entry, key);
	char copy[TIMESTAMP_RFC3339_US + 1];
	int64_t seconds;

	if (text.n >= sizeof(copy))
		return 0;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return ctl_time(copy, &seconds, NULL) ? seconds : 0;
}

static struct end *
end_of(struct gaps *g, struct span stream)
{
	struct end *end;

	for (size_t i = 0; i < g->ends; i++)
		if (span_eq(span_str(g->end[i].stream), stream))
			return &g->end[i];
	if (g->ends == ENDS || stream.n > SPOOL_NAME_MAX)
		return NULL;
	end = &g->end[g->ends++];
	*end = (struct end){0};
	memcpy(end->stream, stream.p, stream.n);
	return end;
}

static void
take_minute(struct gaps *g)
{
	static const char *const causes[] = {
	    "kernel_drops", "oversize", "truncated", "unterminated"};
	int64_t from = time_of(g, "from"), to = time_of(g, "to");
	struct span source = ledger_text(&g->entry, "source");
	uint64_t n;

	if (source.n == 0)
		source = ledger_text(&g->entry, "listener");
	for (size_t i = 0; i < sizeof(causes) / sizeof(*causes); i++) {
		n = ledger_number(&g->entry, causes[i]);
		if (n > 0)
			add(g, from, to, causes[i], source, n);
	}
	n = ledger_sum(&g->entry, "refused");
	if (n > 0)
		add(g, from, to, "refused", source, n);
	g->known_to = to;
}

static void
take_start(struct gaps *g)
{
	int64_t at = time_of(g, "time");

	if (g->begun)
		add(g, g->known_to, at, g->stopped ? "stopped" : "crash",
		    SPAN(""), 0);
	g->begun = true;
	g->stopped = false;
	g->known_to = at;
}

static void
take_stop(struct gaps *g)
{
	int64_t at = time_of(g, "time");
	uint64_t lost = ledger_sum(&g->entry, "lost");

	if (lost > 0)
		add(g, g->known_to, at, "lost at a stop", SPAN(""), lost);
	g->stopped = true;
	g->known_to = at;
}

/* Its records came after those of the last file of the stream. */
static void
take_segment(struct gaps *g, const char *cause)
{
	struct end *end = end_of(g, ledger_text(&g->entry, "stream"));

	add(g, end != NULL ? end->last : 0, time_of(g, "time"), cause,
	    ledger_text(&g->entry, "stream"), 0);
}

static void
take_skipped(struct gaps *g)
{
	if (!span_eq(ledger_text(&g->entry, "reason"),
		SPAN("no record of it was committed")))
		take_segment(g, "skipped segment");
}

static void
take_quarantined(struct gaps *g)
{
	take_segment(g, "quarantined");
}

static void
take_file(struct gaps *g)
{
	struct end *end = end_of(g, ledger_text(&g->entry, "stream"));
	int64_t last = time_of(g, "last_time");

	if (end != NULL && last > end->last)
		end->last = last;
}

static void
take_dropped(struct gaps *g)
{
	struct span name = ledger_text(&g->entry, "name");
	char(*list)[NAME] = more_room(g->dropped, g->n_dropped,
	    &g->dropped_room, GAPS_MAX, sizeof(*list));

	if (list == NULL || name.n >= NAME) {
		g->failed = true;
		return;
	}
	g->dropped = list;
	list += g->n_dropped++;
	memset(*list, 0, NAME);
	memcpy(*list, name.p, name.n);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The second time: what was in the files that were dropped. */
static void
take_dropped_file(struct gaps *g)
{
	struct span name = ledger_text(&g->entry, "name");
	char text[NAME] = "";

	if (name.n >= NAME)
		return;
	memcpy(text, name.p, name.n);
	if (bsearch(text, g->dropped, g->n_dropped, NAME, by_name) != NULL)
		add(g, time_of(g, "first_time"), time_of(g, "last_time"),
		    "dropped file", ledger_text(&g->entry, "stream"),
		    ledger_number(&g->entry, "records"));
}

static void
take_entry(struct gaps *g)
{
	static const struct {
		const char *type;
		void (*take)(struct gaps *g);
	} types[] = {
	    {"minute", take_minute},
	    {"start", take_start},
	    {"stop", take_stop},
	    {"file", take_file},
	    {"skipped", take_skipped},
	    {"quarantined", take_quarantined},
	    {"dropped", take_dropped},
	};

	if (g->second) {
		if (span_eq(g->entry.type, SPAN("file")))
			take_dropped_file(g);
		return;
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (span_eq(g->entry.type, span_str(types[i].type)))
			types[i].take(g);
}

static void
begin_cb(void *arg, const char *name, const uint8_t *next)
{
	(void)arg;
	(void)name;
	(void)next;
}

static void
line_cb(void *arg, struct span line, bool whole)
{
	struct gaps *g = arg;

	if (whole && ledger_parse(line, &g->entry))
		take_entry(g);
}

static void
end_cb(void *arg)
{
	(void)arg;
}

/* --- as times --- */

static int
by_time(const void *a, const void *b)
{
	const struct span_of_time *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

static bool
make_times(struct gaps *g)
{
	size_t n = 0;

	g->times = calloc(g->count + 1, sizeof(*g->times));
	if (g->times == NULL)
		return false;
	for (size_t i = 0; i < g->count; i++)
		g->times[i] = (struct span_of_time){
		    g->gap[i].from - g->margin, g->gap[i].to + g->margin};
	qsort(g->times, g->count, sizeof(*g->times), by_time);
	for (size_t i = 0; i < g->count; i++) {
		if (n > 0 && g->times[i].from <= g->times[n - 1].to) {
			if (g->times[i].to > g->times[n - 1].to)
				g->times[n - 1].to = g->times[i].to;
		} else {
			g->times[n++] = g->times[i];
		}
	}
	g->n_times = n;
	return true;
}

static bool
read_ledger(struct gaps *g, int dir)
{
	const struct chain_reader reader = {begin_cb, line_cb, end_cb, g};

	if (!chain_read(dir, "ledger", &reader))
		return false;
	if (g->begun && g->stopped)
		add(g, g->known_to, clock_utc() / 1000000, "stopped", SPAN(""),
		    0);
	if (g->n_dropped == 0)
		return true;
	qsort(g->dropped, g->n_dropped, NAME, by_name);
	g->second = true;
	return chain_read(dir, "ledger", &reader);
}

struct gaps *
gaps_new(const char *spool, int64_t margin, char *why, size_t size)
{
	struct gaps *g = calloc(1, sizeof(*g));
	char path[LEDGERS_PATH];
	bool ok;
	int dir;

	snprintf(why, size, "no memory");
	if (g == NULL)
		return NULL;
	g->margin = margin;
	g->spool = spool;
	snprintf(path, sizeof(path), "%s/ledger", spool);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = dir >= 0 && read_ledger(g, dir);
	if (!ok)
		snprintf(why, size,
		    "%s: %s: without the daemon's ledger it is not known what "
		    "is missing; --dedup needs none",
		    path, strerror(errno));
	else if (g->failed)
		snprintf(why, size, "%s: more than %d gaps: no memory for them",
		    path, GAPS_MAX);
	disk_close(&dir);
	if (ok && !g->failed && make_times(g))
		return g;
	gaps_free(g);
	return NULL;
}

void
gaps_free(struct gaps *g)
{
	if (g == NULL)
		return;
	free(g->gap);
	free(g->times);
	free(g->dropped);
	free(g);
}

size_t
gaps_count(const struct gaps *g)
{
	return g->count;
}

void
gaps_print(const struct gaps *g, FILE *to)
{
	char from[TIMESTAMP_RFC3339 + 1] = "";
	char until[TIMESTAMP_RFC3339 + 1] = "";
	struct timestamp_days memo = {0};
	const struct gap *gap;

	for (size_t i = 0; i < g->count; i++) {
		gap = &g->gap[i];
		timestamp_format(gap->from, &memo, from);
		timestamp_format(gap->to, &memo, until);
		fprintf(to, "%s to %s: %s", from, until, gap->cause);
		if (gap->count > 0)
			fprintf(to, " %" PRIu64, gap->count);
		if (gap->source[0] != '\0')
			fprintf(to, ", %s", gap->source);
		fputc('\n', to);
	}
}

/* --- records --- */

static bool
is_inside(const struct gaps *g, int64_t at)
{
	size_t low = 0, high = g->n_times, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (g->times[middle].to < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < g->n_times && g->times[low].from <= at;
}

enum gaps_answer
gaps_hold(const struct gaps *g, const struct record *r)
{
	static const enum record_field fields[] = {
	    RECORD_F_EVENT_TIME,
	    RECORD_F_BEGIN,
	    RECORD_F_END,
	    RECORD_F_TIME,
	    RECORD_F_EVENT_INSERT_TIME,
	    RECORD_F_LAST_UPDATE_TIME,
	};
	enum gaps_answer answer = GAPS_NO_TIME;

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (!record_has(r, fields[i]))
			continue;
		if (is_inside(g, r->value[fields[i]].time))
			return GAPS_INSIDE;
		answer = GAPS_OUTSIDE;
	}
	return answer;
}

/* --- files that are not there --- */

struct absent {
	char name[NAME];
	char stream[SPOOL_NAME_MAX + 1];
	uint64_t segment;
	bool gone; /* it was thrown away, and came otherwise */
};

struct search {
	struct known *known;
	int64_t since;
	struct absent *list;
	size_t count, room;
	bool failed;
};

static void
file_cb(void *arg, const struct account_file *f)
{
	struct search *s = arg;
	char text[TIMESTAMP_RFC3339_US + 1] = "";
	int64_t written;
	struct absent *list;

	if (f->time.n < sizeof(text))
		memcpy(text, f->time.p, f->time.n);
	if (f->repeated || f->name.n >= NAME || f->stream.n > SPOOL_NAME_MAX ||
	    (ctl_time(text, &written, NULL) && written < s->since) ||
	    memmem(f->name.p, f->name.n, ".jsonl", 6) == NULL ||
	    known_has_file(s->known, f->name))
		return;
	list =
	    more_room(s->list, s->count, &s->room, MISSING_MAX, sizeof(*list));
	if (list == NULL) {
		s->failed = true;
		return;
	}
	s->list = list;
	list += s->count++;
	*list = (struct absent){.segment = f->segment};
	memcpy(list->name, f->name.p, f->name.n);
	memcpy(list->stream, f->stream.p, f->stream.n);
}

static void
dropped_cb(void *arg, struct span name)
{
	struct search *s = arg;

	for (size_t i = 0; i < s->count; i++)
		if (span_eq(span_str(s->list[i].name), name))
			s->list[i].gone = true;
}

static void
discarded_cb(void *arg, struct span stream, uint64_t from, uint64_t to)
{
	struct search *s = arg;

	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].segment >= from && s->list[i].segment <= to &&
		    span_eq(span_str(s->list[i].stream), stream))
			s->list[i].gone = true;
}

static void
search_end(struct search *s, size_t *count, char *name, size_t size)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->list[i].gone)
			continue;
		if ((*count)++ == 0)
			snprintf(name, size, "%s", s->list[i].name);
	}
	free(s->list);
}

static bool
search_one(const struct gaps *g, struct known *known,
    const struct ledgers_one *one, size_t *count, char *name, size_t size)
{
	struct search s = {.known = known};
	const struct account_options options = {.file = file_cb,
	    .dropped = dropped_cb,
	    .discarded = discarded_cb,
	    .arg = &s};
	struct account *account = account_new(&options);
	bool ok;

	s.since = g->n_times > 0 ? g->times[0].from : INT64_MAX;
	ok = account != NULL && ledgers_read(one, account) && !s.failed;
	account_free(account);
	search_end(&s, count, name, size);
	return ok;
}

bool
gaps_missing(const struct gaps *g, struct known *known, size_t *count,
    char *name, size_t name_size, char *why, size_t size)
{
	struct ledgers *ledgers = calloc(1, sizeof(*ledgers));
	bool ok;

	*count = 0;
	snprintf(why, size, "no memory");
	ok = ledgers != NULL && ledgers_find(ledgers, g->spool, why, size);
	for (size_t i = 0; ok && i < ledgers->count; i++) {
		ok = search_one(
		    g, known, &ledgers->one[i], count, name, name_size);
		if (!ok)
			snprintf(why, size, "%s: cannot be read: %s",
			    ledgers->one[i].path, strerror(errno));
	}
	free(ledgers);
	return ok;
}
