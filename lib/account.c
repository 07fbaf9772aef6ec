#include "account.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	LIVES = 64,      /* that are not settled yet */
	INTERVALS = 256, /* of numbers, for each stream */
	RECENT = 256,    /* lines of files that can be compared */
	TIME = 28,
};

/* The numbers of a stream that are accounted for: first to last, in order. */
struct interval {
	uint64_t first, last;
};

struct numbers {
	size_t count;
	bool full; /* some holes were given up */
	struct interval interval[INTERVALS];
};

/* What one life has of a stream. */
struct share {
	bool begun;
	uint64_t first; /* its first segment */
	uint64_t minutes, files;
};

struct life {
	bool minutes; /* its records are counted by minutes */
	bool stopped;
	uint64_t lost;                  /* lines, at its stop */
	uint64_t rolled_in, rolled_out; /* records, by its minutes */
	char from[TIME], to[TIME];
	struct share share[ACCOUNT_STREAMS];
};

struct recent {
	size_t stream;
	uint64_t segment, records, bytes;
	uint8_t sum[SHA256_SIZE];
};

struct account {
	struct account_options options;
	struct account_totals totals;
	struct sha256 *sha;

	/* the chain */
	const char *name;
	const uint8_t *next;
	uint64_t line;
	uint8_t chain[SHA256_SIZE];
	uint8_t begin[SHA256_SIZE]; /* of the first file */
	bool begun, broken;
	bool reached; /* the next file goes on from here */
	bool torn;
	uint64_t superseded;
	bool explained; /* by a `removed` line */

	uint64_t lives; /* ever */
	struct life life[LIVES];
	char minute[TIME]; /* up to where minutes are known */
	struct numbers numbers[ACCOUNT_STREAMS];
	uint64_t oldest[ACCOUNT_STREAMS]; /* the first segment ever named */
	size_t recents;
	struct recent recent[RECENT];
	struct ledger_entry entry;
};

struct account *
account_new(const struct account_options *options)
{
	struct account *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->options = *options;
	a->sha = sha256_new();
	if (!a->sha) {
		free(a);
		return NULL;
	}
	return a;
}

void
account_free(struct account *a)
{
	if (!a)
		return;
	sha256_free(a->sha);
	free(a);
}

const struct account_totals *
account_totals(const struct account *a)
{
	return &a->totals;
}

static void __attribute__((format(printf, 3, 4)))
say(struct account *a, enum account_level level, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	a->totals.findings += level == ACCOUNT_FINDING;
	if (!a->options.say)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->options.say(a->options.arg, level, text);
}

static void
copy_text(char *to, size_t size, struct span text)
{
	text = span_take(text, size - 1);
	memcpy(to, text.p, text.n);
	to[text.n] = '\0';
}

/* --- streams --- */

/* Its index; ACCOUNT_STREAMS: there are too many. */
static size_t
stream_index(struct account *a, struct span name)
{
	struct account_totals *t = &a->totals;
	size_t i;

	for (i = 0; i < t->streams; i++)
		if (span_eq(span_str(t->stream[i].name), name))
			return i;
	if (i == ACCOUNT_STREAMS || name.n >= ACCOUNT_NAME || name.n == 0)
		return ACCOUNT_STREAMS;
	copy_text(t->stream[i].name, ACCOUNT_NAME, name);
	a->oldest[i] = UINT64_MAX;
	return t->streams++;
}

/* --- numbers of segments --- */

static bool
numbers_have(const struct numbers *n, uint64_t number)
{
	size_t i;

	for (i = n->count; i-- > 0;)
		if (number >= n->interval[i].first)
			return number <= n->interval[i].last;
	return false;
}

/* The two lowest become one: what is between them was told when it is. */
static void
numbers_give_up(struct numbers *n)
{
	n->interval[1].first = n->interval[0].first;
	memmove(n->interval, n->interval + 1,
	    (n->count - 1) * sizeof(n->interval[0]));
	n->count--;
	n->full = true;
}

static void
numbers_add(struct numbers *n, uint64_t number)
{
	size_t i;

	if (numbers_have(n, number))
		return;
	if (n->count == INTERVALS)
		numbers_give_up(n);
	for (i = n->count; i > 0 && n->interval[i - 1].first > number; i--)
		continue;
	if (i > 0 && n->interval[i - 1].last + 1 == number) {
		n->interval[i - 1].last = number;
		if (i < n->count && n->interval[i].first == number + 1) {
			n->interval[i - 1].last = n->interval[i].last;
			memmove(n->interval + i, n->interval + i + 1,
			    (n->count - i - 1) * sizeof(n->interval[0]));
			n->count--;
		}
		return;
	}
	if (i < n->count && n->interval[i].first == number + 1) {
		n->interval[i].first = number;
		return;
	}
	memmove(n->interval + i + 1, n->interval + i,
	    (n->count - i) * sizeof(n->interval[0]));
	n->interval[i] = (struct interval){number, number};
	n->count++;
}

/* --- lives --- */

static struct life *
life_now(struct account *a)
{
	return a->lives > 0 ? &a->life[(a->lives - 1) % LIVES] : NULL;
}

/* The life that a segment was begun in. */
static struct life *
life_of(struct account *a, size_t stream, uint64_t segment)
{
	uint64_t i, kept = a->lives < LIVES ? a->lives : LIVES;
	struct life *life;

	for (i = 0; i < kept; i++) {
		life = &a->life[(a->lives - 1 - i) % LIVES];
		if (life->share[stream].begun &&
		    life->share[stream].first <= segment)
			return life;
	}
	return NULL;
}

static void
settle_stream(
    struct account *a, const struct life *life, size_t stream, uint64_t *lost)
{
	const struct share *s = &life->share[stream];
	const char *name = a->totals.stream[stream].name;
	uint64_t missing;

	if (s->files > s->minutes && life->stopped)
		say(a, ACCOUNT_FINDING,
		    "%s: %" PRIu64 " records in files of %s to %s that no "
		    "minute counted",
		    name, s->files - s->minutes, life->from, life->to);
	if (s->files > s->minutes && !life->stopped)
		say(a, ACCOUNT_REMARK,
		    "%s: %" PRIu64 " records came after the last whole minute "
		    "before %s and are there",
		    name, s->files - s->minutes, life->to);
	if (s->files >= s->minutes)
		return;
	missing = s->minutes - s->files;
	if (missing <= *lost) {
		*lost -= missing; /* told with the stop */
		return;
	}
	say(a, ACCOUNT_FINDING,
	    "%s: %" PRIu64 " of %" PRIu64 " records that were stored from %s "
	    "to %s are in no file",
	    name, missing - *lost, s->minutes, life->from, life->to);
	*lost = 0;
}

/* While it goes on there is always something that waits. */
static void
settle_rolled(struct account *a, const struct life *life)
{
	if (life->rolled_in <= life->rolled_out ||
	    (!life->stopped && strcmp(life->to, "now") == 0))
		return;
	say(a, ACCOUNT_FINDING,
	    "%" PRIu64 " of %" PRIu64 " records that were rolled up from %s "
	    "to %s were not written%s",
	    life->rolled_in - life->rolled_out, life->rolled_in, life->from,
	    life->to,
	    life->stopped ? ""
			  : " (killed, or a crash); streams that do not roll "
			    "up have them");
}

static void
settle(struct account *a, const struct life *life)
{
	uint64_t lost = life->lost;
	size_t i;

	if (!life->minutes)
		return;
	settle_rolled(a, life);
	for (i = 0; i < a->totals.streams; i++)
		settle_stream(a, life, i, &lost);
}

static void
take_segments(struct account *a, struct life *life)
{
	const struct ledger_entry *e = &a->entry;
	size_t i, stream;

	for (i = 0; i < e->count; i++) {
		if (!span_eq(e->member[i].in, SPAN("segments")))
			continue;
		stream = stream_index(a, e->member[i].key);
		if (stream == ACCOUNT_STREAMS || life->share[stream].begun)
			continue;
		life->share[stream].begun = true;
		life->share[stream].first = e->member[i].number;
		if (e->member[i].number < a->oldest[stream])
			a->oldest[stream] = e->member[i].number;
	}
}

/* --- each type of line --- */

static void
take_start(struct account *a)
{
	struct span time = ledger_text(&a->entry, "time");
	struct life *life = life_now(a);

	a->totals.starts++;
	if (life) {
		copy_text(life->to, TIME, time);
		if (!life->stopped && life->minutes) {
			a->totals.crashes++;
			say(a, ACCOUNT_REMARK,
			    "it ended without a stop (killed, or a crash): "
			    "what it did from %s to %s is known only by its "
			    "files",
			    a->minute[0] ? a->minute : life->from, life->to);
		}
	}
	if (a->lives >= LIVES)
		settle(a, &a->life[a->lives % LIVES]);
	a->lives++;
	life = &a->life[(a->lives - 1) % LIVES];
	memset(life, 0, sizeof(*life));
	copy_text(life->from, TIME, time);
	copy_text(life->to, TIME, SPAN("now"));
	life->minutes = ledger_text(&a->entry, "source").n == 0;
	a->minute[0] = '\0';
	take_segments(a, life);
}

/* Takes back what was added for files that have been thrown away. */
static void
discard(struct account *a, size_t stream, uint64_t from, uint64_t to)
{
	size_t i, kept = a->recents < RECENT ? a->recents : RECENT;
	struct account_stream *total = &a->totals.stream[stream];
	const struct recent *r;
	uint64_t number;

	for (i = 0; i < kept; i++) {
		r = &a->recent[i];
		if (r->stream != stream || r->segment < from || r->segment > to)
			continue;
		total->files--;
		total->records -= r->records;
		total->bytes -= r->bytes;
	}
	for (number = from; number <= to && number - from < RECENT; number++)
		numbers_add(&a->numbers[stream], number);
	if (a->options.discarded)
		a->options.discarded(
		    a->options.arg, span_str(total->name), from, to);
}

static void
take_committed(struct account *a)
{
	const struct ledger_entry *e = &a->entry;
	const struct life *life = life_now(a);
	uint64_t first;
	size_t i, stream;

	for (i = 0; life && i < e->count; i++) {
		if (!span_eq(e->member[i].in, SPAN("segments")))
			continue;
		stream = stream_index(a, e->member[i].key);
		if (stream == ACCOUNT_STREAMS || !life->share[stream].begun)
			continue;
		first = life->share[stream].first;
		if (e->member[i].number + 1 < first)
			discard(a, stream, e->member[i].number + 1, first - 1);
	}
}

static void
take_streams(struct account *a)
{
	if (life_now(a))
		take_segments(a, life_now(a));
}

static void
take_stop(struct account *a)
{
	struct life *life = life_now(a);
	const struct ledger_entry *e = &a->entry;
	size_t i;

	if (life) {
		life->stopped = true;
		copy_text(life->to, TIME, ledger_text(e, "time"));
	}
	for (i = 0; i < e->count; i++) {
		if (!span_eq(e->member[i].in, SPAN("lost")))
			continue;
		say(a, ACCOUNT_FINDING,
		    "%" PRIu64 " %.*s were lost at the stop of %.*s",
		    e->member[i].number, (int)e->member[i].key.n,
		    e->member[i].key.p, (int)ledger_text(e, "time").n,
		    ledger_text(e, "time").p);
		if (life && span_eq(e->member[i].key, SPAN("lines")))
			life->lost = e->member[i].number;
	}
}

static void
add_cause(struct account *a, struct span in, struct span key, uint64_t value)
{
	struct account_totals *t = &a->totals;
	char name[ACCOUNT_NAME];
	size_t i;

	if (in.n > 0)
		snprintf(name, sizeof(name), "%.*s.%.*s", (int)in.n, in.p,
		    (int)key.n, key.p);
	else
		copy_text(name, sizeof(name), key);
	for (i = 0; i < t->causes && strcmp(t->cause[i].name, name) != 0; i++)
		continue;
	if (i == ACCOUNT_CAUSES)
		return;
	if (i == t->causes) {
		memcpy(t->cause[i].name, name, sizeof(name));
		t->causes++;
	}
	t->cause[i].value += value;
}

static void
add_minute_stream(struct account *a, const struct ledger_member *m)
{
	size_t stream = stream_index(a, m->key);
	struct life *life = life_now(a);

	if (stream == ACCOUNT_STREAMS)
		return;
	a->totals.stream[stream].minutes += m->number;
	if (life)
		life->share[stream].minutes += m->number;
}

static void
add_rolled(struct account *a, const struct ledger_member *m)
{
	struct life *life = life_now(a);

	if (!life || !span_eq(m->key, SPAN("records")))
		return;
	if (span_eq(m->in, SPAN("rolled_in")))
		life->rolled_in += m->number;
	if (span_eq(m->in, SPAN("rolled_out")))
		life->rolled_out += m->number;
}

static void
add_minute(struct account *a)
{
	const struct ledger_entry *e = &a->entry;
	size_t i;

	for (i = 0; i < e->count; i++) {
		const struct ledger_member *m = &e->member[i];

		if (!m->is_number)
			continue;
		if (span_eq(m->in, SPAN("streams")))
			add_minute_stream(a, m);
		else
			add_cause(a, m->in, m->key, m->number);
		add_rolled(a, m);
	}
}

static void
check_minute(struct account *a)
{
	const struct ledger_entry *e = &a->entry;
	struct span from = ledger_text(e, "from"), to = ledger_text(e, "to");
	uint64_t received = ledger_sum(e, "received");
	uint64_t stored = ledger_number(e, "stored");
	uint64_t filtered = ledger_number(e, "filtered");
	struct span source = ledger_text(e, "source");

	a->totals.received += received;
	a->totals.stored += stored;
	a->totals.filtered += filtered;
	a->totals.bytes += ledger_number(e, "bytes");
	if (received != stored + filtered)
		say(a, ACCOUNT_FINDING,
		    "from %.*s to %.*s, %.*s: %" PRIu64
		    " received, but %" PRIu64 " stored and %" PRIu64
		    " filtered",
		    (int)from.n, from.p, (int)to.n, to.p, (int)source.n,
		    source.p, received, stored, filtered);
	/* lines of one minute have the same times */
	if (a->minute[0] &&
	    strncmp(a->minute, from.p, from.n < TIME ? from.n : TIME) < 0)
		say(a, ACCOUNT_FINDING, "no minutes from %s to %.*s", a->minute,
		    (int)from.n, from.p);
	copy_text(a->minute, TIME, to);
}

static void
take_minute(struct account *a)
{
	uint64_t drops = ledger_number(&a->entry, "kernel_drops");
	struct span from = ledger_text(&a->entry, "from"),
		    to = ledger_text(&a->entry, "to"),
		    listener = ledger_text(&a->entry, "listener");

	check_minute(a);
	add_minute(a);
	if (drops > 0)
		say(a, ACCOUNT_FINDING,
		    "%.*s: %" PRIu64 " datagrams were dropped by the kernel "
		    "from %.*s to %.*s; raise receive_buffer",
		    (int)listener.n, listener.p, drops, (int)from.n, from.p,
		    (int)to.n, to.p);
}

static bool
recent_differs(struct account *a, size_t stream, const struct account_file *f)
{
	size_t i, kept = a->recents < RECENT ? a->recents : RECENT;
	const struct recent *r;

	for (i = 0; i < kept; i++) {
		r = &a->recent[i];
		if (r->stream != stream || r->segment != f->segment)
			continue;
		return r->records != f->records || r->bytes != f->bytes ||
		       memcmp(r->sum, f->sum, sizeof(r->sum)) != 0;
	}
	return false;
}

static void
recent_add(struct account *a, size_t stream, const struct account_file *f)
{
	struct recent *r = &a->recent[a->recents++ % RECENT];

	r->stream = stream;
	r->segment = f->segment;
	r->records = f->records;
	r->bytes = f->bytes;
	memcpy(r->sum, f->sum, sizeof(r->sum));
}

static void
add_file(struct account *a, size_t stream, const struct account_file *f)
{
	struct account_stream *total = &a->totals.stream[stream];
	uint64_t origin = ledger_number(&a->entry, "origin");
	struct life *life =
	    life_of(a, stream, origin > 0 ? origin : f->segment);

	numbers_add(&a->numbers[stream], f->segment);
	recent_add(a, stream, f);
	total->files++;
	total->records += f->records;
	total->bytes += f->bytes;
	if (life)
		life->share[stream].files += f->records;
}

static void
take_file(struct account *a)
{
	const struct ledger_entry *e = &a->entry;
	struct account_file f = {
	    .name = ledger_text(e, "name"),
	    .stream = ledger_text(e, "stream"),
	    .compression = ledger_text(e, "compression"),
	    .time = ledger_text(e, "time"),
	    .segment = ledger_number(e, "segment"),
	    .records = ledger_number(e, "records"),
	    .bytes = ledger_number(e, "bytes"),
	};
	size_t stream = stream_index(a, f.stream);

	f.has_sum = sha256_read(ledger_text(e, "sha256"), f.sum);
	f.has_file = ledger_file(e, &f.file);
	if (stream == ACCOUNT_STREAMS) {
		say(a, ACCOUNT_FINDING, "%s:%" PRIu64 ": a file of no stream",
		    a->name, a->line);
		return;
	}
	f.repeated = numbers_have(&a->numbers[stream], f.segment);
	if (!f.repeated)
		add_file(a, stream, &f);
	else if (recent_differs(a, stream, &f))
		say(a, ACCOUNT_FINDING,
		    "%s:%" PRIu64 ": %.*s is there before with other content",
		    a->name, a->line, (int)f.name.n, f.name.p);
	if (a->options.file)
		a->options.file(a->options.arg, &f);
}

static void
take_skipped(struct account *a)
{
	struct span reason = ledger_text(&a->entry, "reason");
	size_t stream = stream_index(a, ledger_text(&a->entry, "stream"));
	uint64_t segment = ledger_number(&a->entry, "segment");

	if (stream == ACCOUNT_STREAMS)
		return;
	if (!numbers_have(&a->numbers[stream], segment))
		say(a, ACCOUNT_REMARK,
		    "%s: no file of segment %" PRIu64 ": %.*s",
		    a->totals.stream[stream].name, segment, (int)reason.n,
		    reason.p);
	numbers_add(&a->numbers[stream], segment);
}

/* Its line under the old number, if there was one, is not to be counted. */
static void
take_renumbered(struct account *a)
{
	size_t stream = stream_index(a, ledger_text(&a->entry, "stream"));
	uint64_t segment = ledger_number(&a->entry, "segment");
	uint64_t records = ledger_number(&a->entry, "records");
	struct life *life;

	if (stream == ACCOUNT_STREAMS)
		return;
	say(a, ACCOUNT_REMARK,
	    "%s: segment %" PRIu64 " has become %" PRIu64
	    ": there was a file of its name in ready/",
	    a->totals.stream[stream].name, segment,
	    ledger_number(&a->entry, "to"));
	life = life_of(a, stream, segment);
	if (numbers_have(&a->numbers[stream], segment)) {
		a->totals.stream[stream].files--;
		a->totals.stream[stream].records -= records;
		if (life)
			life->share[stream].files -= records;
	}
	numbers_add(&a->numbers[stream], segment);
}

static void
take_quarantined(struct account *a)
{
	struct span stream = ledger_text(&a->entry, "stream");
	uint64_t bytes = ledger_number(&a->entry, "bytes");

	a->totals.quarantined += bytes;
	say(a, ACCOUNT_REMARK,
	    "%.*s: %" PRIu64 " bytes of segment %" PRIu64
	    " were no whole records after a crash, and are in quarantine/",
	    (int)stream.n, stream.p, bytes,
	    ledger_number(&a->entry, "segment"));
}

static void
take_dropped(struct account *a)
{
	struct span name = ledger_text(&a->entry, "name");

	a->totals.dropped++;
	say(a, ACCOUNT_FINDING, "%.*s was deleted to make room (on_full)",
	    (int)name.n, name.p);
	if (a->options.dropped)
		a->options.dropped(a->options.arg, name);
}

static void
take_removed(struct account *a)
{
	uint8_t last[SHA256_SIZE];

	if (sha256_read(ledger_text(&a->entry, "last"), last) &&
	    memcmp(last, a->begin, sizeof(last)) == 0)
		a->explained = true;
}

static void
take_entry(struct account *a)
{
	static const struct {
		const char *type;
		void (*take)(struct account *a);
	} types[] = {
	    {"minute", take_minute},
	    {"file", take_file},
	    {"start", take_start},
	    {"streams", take_streams},
	    {"stop", take_stop},
	    {"committed", take_committed},
	    {"skipped", take_skipped},
	    {"renumbered", take_renumbered},
	    {"quarantined", take_quarantined},
	    {"dropped", take_dropped},
	    {"removed", take_removed},
	};
	struct span time = ledger_text(&a->entry, "time");
	size_t i;

	if (a->totals.first_time[0] == '\0')
		copy_text(a->totals.first_time, TIME, time);
	copy_text(a->totals.last_time, TIME, time);
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (span_eq(a->entry.type, span_str(types[i].type)))
			types[i].take(a);
}

/* --- files and the chain --- */

static const uint8_t zeros[SHA256_SIZE];

void
account_begin_file(struct account *a, const char *name, const uint8_t *next)
{
	a->name = name;
	a->next = next;
	a->line = 0;
	a->torn = false;
	a->superseded = 0;
	/* a file that was given up before it had a line */
	a->reached = next && memcmp(a->chain, next, SHA256_SIZE) == 0;
}

static void
look_for_next(struct account *a)
{
	if (a->next && memcmp(a->chain, a->next, SHA256_SIZE) == 0)
		a->reached = true;
}

/* The first line of a file says where it goes on. */
static void
take_head(struct account *a)
{
	uint8_t before[SHA256_SIZE];

	if (!span_eq(a->entry.type, SPAN("ledger")) ||
	    !sha256_read(ledger_text(&a->entry, "before"), before)) {
		say(a, ACCOUNT_FINDING,
		    "%s: does not begin as a file of the ledger", a->name);
		return;
	}
	if (!a->begun) {
		memcpy(a->begin, before, sizeof(before));
		memcpy(a->chain, before, sizeof(before));
		a->begun = true;
	}
	/* that it is not so was told at the end of the file before */
	memcpy(a->chain, before, sizeof(before));
	look_for_next(a);
}

static void
check_chain(struct account *a)
{
	ledger_chain(a->sha, a->chain, a->entry.body);
	if (memcmp(a->chain, a->entry.chain, SHA256_SIZE) == 0)
		return;
	say(a, ACCOUNT_FINDING,
	    "%s:%" PRIu64 ": this line was altered, or a line before it was "
	    "removed or added",
	    a->name, a->line);
	memcpy(a->chain, a->entry.chain, SHA256_SIZE);
}

void
account_line(struct account *a, struct span line, bool whole)
{
	a->line++;
	if (!whole || !ledger_parse(line, &a->entry)) {
		/* being written, or cut by a crash: seen at the end */
		a->torn = true;
		if (whole && !a->reached)
			say(a, ACCOUNT_FINDING,
			    "%s:%" PRIu64 ": is no line of a ledger", a->name,
			    a->line);
		return;
	}
	if (a->line == 1)
		take_head(a);
	if (a->reached) {
		a->superseded++;
		return;
	}
	check_chain(a);
	a->totals.lines++;
	take_entry(a);
	look_for_next(a);
}

void
account_end_file(struct account *a)
{
	if (a->next && !a->reached)
		say(a, ACCOUNT_FINDING,
		    "%s: lines are missing at its end, or the file after it",
		    a->name);
	if (a->superseded > 0)
		say(a, ACCOUNT_REMARK,
		    "%s: its last %" PRIu64 " lines were not confirmed by the "
		    "disk and were written again",
		    a->name, a->superseded);
	sha256_hex(a->chain, a->totals.last);
	if (a->next)
		memcpy(a->chain, a->next, SHA256_SIZE);
}

/* --- the end --- */

void
account_live(
    struct account *a, struct span name, uint64_t segment, uint64_t records)
{
	size_t stream = stream_index(a, name);
	struct life *life;

	if (stream == ACCOUNT_STREAMS ||
	    numbers_have(&a->numbers[stream], segment))
		return; /* it was published meanwhile */
	numbers_add(&a->numbers[stream], segment);
	a->totals.stream[stream].live += records;
	life = life_of(a, stream, segment);
	if (life)
		life->share[stream].files += records;
}

static void
tell_hole(struct account *a, size_t stream, uint64_t from, uint64_t to)
{
	const char *name = a->totals.stream[stream].name;

	if (from == to)
		say(a, ACCOUNT_FINDING,
		    "%s: nothing is known of segment %" PRIu64, name, from);
	else
		say(a, ACCOUNT_FINDING,
		    "%s: nothing is known of segments %" PRIu64 " to %" PRIu64,
		    name, from, to);
}

static void
tell_holes(struct account *a, size_t stream, bool live)
{
	const struct numbers *n = &a->numbers[stream];
	size_t i;

	if (n->count == 0)
		return;
	if (n->interval[0].first > a->oldest[stream] && !n->full && live)
		tell_hole(
		    a, stream, a->oldest[stream], n->interval[0].first - 1);
	for (i = 1; i < n->count; i++)
		if (live)
			tell_hole(a, stream, n->interval[i - 1].last + 1,
			    n->interval[i].first - 1);
	if (n->full)
		say(a, ACCOUNT_FINDING,
		    "%s: too many of its segments are missing to name them all",
		    a->totals.stream[stream].name);
}

void
account_end(struct account *a, bool live)
{
	uint64_t i, kept = a->lives < LIVES ? a->lives : LIVES;

	if (a->begun && memcmp(a->begin, zeros, sizeof(zeros)) != 0 &&
	    !a->explained)
		say(a, ACCOUNT_FINDING,
		    "its first files are missing: it begins in the middle");
	for (i = 0; i < a->totals.streams; i++)
		tell_holes(a, i, live);
	for (i = kept; i-- > 0;) {
		struct life *life = &a->life[(a->lives - 1 - i) % LIVES];

		/* what its live segments hold is not known */
		if (live || i > 0)
			settle(a, life);
	}
}

bool
account_is_older(const struct account *a, struct span stream, uint64_t segment)
{
	size_t i;

	for (i = 0; i < a->totals.streams; i++)
		if (span_eq(span_str(a->totals.stream[i].name), stream))
			return segment < a->oldest[i];
	return false;
}
