#include "summary.h"

#include <stdio.h>
#include <stdlib.h>

#include "decimal.h"
#include "event.h"
#include "rollup.h"
#include "site.h"

enum {
	HOUR = 3600,
	HOURS = 3 * 366 * 24, /* that are told apart */
	PLACES = 1 << 16,     /* more than twice as many */
	KEY = 1024,           /* bytes of one that is put together */
	PART = 320,           /* of each of its parts, at most */
};

_Static_assert(PLACES >= 2 * HOURS, "PLACES");
_Static_assert(3 * PART + 32 <= KEY, "KEY");

struct hour {
	bool used;
	int64_t number; /* since 1970 */
	struct summary_bar sum;
};

struct summary {
	struct summary_options options;
	struct summary_totals totals;
	struct sites *sites;
	struct top *table[SUMMARY_TABLES];
	size_t hours;
	struct hour *hour; /* PLACES, by hash */
	char key[KEY];
};

struct summary *
summary_new(const struct summary_options *options)
{
	struct summary *s = calloc(1, sizeof *s);
	bool good;

	if (s == NULL)
		return NULL;
	s->options = *options;
	s->sites = sites_new(options->key);
	s->hour = calloc(PLACES, sizeof *s->hour);
	good = s->sites != NULL && s->hour != NULL;
	for (size_t i = 0; good && i < SUMMARY_TABLES; i++) {
		s->table[i] = top_new(options->entries, options->key);
		good = s->table[i] != NULL;
	}
	if (good)
		return s;
	summary_free(s);
	return NULL;
}

void
summary_free(struct summary *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < SUMMARY_TABLES; i++)
		top_free(s->table[i]);
	sites_free(s->sites);
	free(s->hour);
	free(s);
}

/* --- hours --- */

static struct hour *
hour_of(const struct summary *s, int64_t number)
{
	size_t i = hash_fold((uint64_t)number ^ s->options.key.a,
		       s->options.key.b | 1) %
		   PLACES;

	while (s->hour[i].used && s->hour[i].number != number)
		i = (i + 1) % PLACES;
	return &s->hour[i];
}

static void
add_hour(struct summary *s, int64_t time, uint64_t weight, bool blocked)
{
	int64_t number = time / HOUR - (time % HOUR < 0);
	struct hour *hour = hour_of(s, number);

	if (!hour->used) {
		if (s->hours == HOURS) {
			s->totals.no_hour += weight;
			return;
		}
		s->hours++;
		*hour = (struct hour){.used = true, .number = number};
	}
	hour->sum.occurrences += weight;
	if (blocked)
		hour->sum.blocked += weight;
}

static void
note_time(struct summary_totals *t, int64_t time)
{
	if (!t->timed || time < t->first)
		t->first = time;
	if (!t->timed || time > t->last)
		t->last = time;
	t->timed = true;
}

/* --- keys --- */

struct traffic {
	uint64_t weight;
	bool blocked;
	struct span application, remote; /* as they are told apart */
	bool named;                      /* the remote end */
};

static size_t
put(struct summary *s, size_t n, struct span text)
{
	text = span_take(text, PART);
	memcpy(s->key + n, text.p, text.n);
	return n + text.n;
}

/* `tcp 443`; for others, the protocol alone. */
static struct span
port_of(struct summary *s, const struct record *r)
{
	size_t n = put(s, 0, record_text(r, RECORD_F_PROTOCOL));

	if (event_has_ports(r) && record_has(r, RECORD_F_REMOTE_PORT)) {
		s->key[n++] = ' ';
		n = (size_t)(decimal_put(r->value[RECORD_F_REMOTE_PORT].number,
				 s->key + n) -
			     s->key);
	}
	return span_of(s->key, n);
}

static struct span
user_of(struct summary *s, const struct record *r)
{
	struct span user = record_text(r, RECORD_F_USER),
		    domain = record_text(r, RECORD_F_DOMAIN);
	size_t n;

	if (user.n == 0 || domain.n == 0)
		return user;
	n = put(s, put(s, 0, domain), SPAN("\\"));
	return span_of(s->key, put(s, n, user));
}

/* `chrome.exe to example.com, tcp 443`. */
static struct span
attempt_of(struct summary *s, const struct record *r, const struct traffic *t)
{
	char port[KEY];
	struct span text = port_of(s, r);
	size_t n;

	memcpy(port, text.p, text.n);
	text.p = port;
	n = put(s, 0, t->application.n > 0 ? t->application : SPAN("(none)"));
	n = put(s, n, SPAN(" to "));
	n = put(s, n, t->remote.n > 0 ? t->remote : SPAN("(unknown)"));
	if (text.n > 0)
		n = put(s, put(s, n, SPAN(", ")), text);
	return span_of(s->key, n);
}

static bool
add_key(struct summary *s, enum summary_table table, struct span key,
    const struct traffic *t)
{
	struct top_entry *e;

	if (key.n == 0)
		return true;
	e = top_add(s->table[table], key, t->weight);
	if (e == NULL)
		return false;
	e->sum[SUMMARY_OF_RECORDS]++;
	if (t->blocked)
		e->sum[SUMMARY_OF_BLOCKED] += t->weight;
	return true;
}

static bool
add_keys(struct summary *s, const struct record *r, const struct traffic *t)
{
	return add_key(s, t->named ? SUMMARY_SITES : SUMMARY_ADDRESSES,
		   t->remote, t) &&
	       add_key(s, SUMMARY_APPLICATIONS, t->application, t) &&
	       add_key(s, SUMMARY_USERS, user_of(s, r), t) &&
	       add_key(s, SUMMARY_HOSTS, record_text(r, RECORD_F_HOST), t) &&
	       add_key(s, SUMMARY_RULES, record_text(r, RECORD_F_RULE), t) &&
	       add_key(s, SUMMARY_PORTS, port_of(s, r), t) &&
	       (!t->blocked ||
		   add_key(s, SUMMARY_BLOCKED, attempt_of(s, r, t), t));
}

/* --- records --- */

/* No name has a colon, nor an end of digits alone (RFC 3696, 2). */
static bool
is_address(struct span text)
{
	return span_find(text, ':') < text.n ||
	       span_isdigit(span_at(text, text.n - 1));
}

/* An address in the place of a name is no name. */
static void
find_remote(struct summary *s, const struct record *r, struct traffic *t)
{
	struct span name = record_text(r, RECORD_F_REMOTE_NAME);

	t->named = name.n > 0 && !is_address(name);
	t->remote = t->named ? sites_of(s->sites, name)
			     : record_text(r, RECORD_F_REMOTE_IP);
	if (!t->named && t->remote.n == 0)
		t->remote = name;
}

static void
count(
    struct summary_totals *sum, const struct record *r, const struct traffic *t)
{
	struct span action = record_text(r, RECORD_F_ACTION),
		    direction = record_text(r, RECORD_F_DIRECTION);

	sum->occurrences += t->weight;
	if (t->blocked)
		sum->blocked += t->weight;
	else if (span_eq(action, SPAN("allowed")))
		sum->allowed += t->weight;
	if (span_eq(direction, SPAN("inbound")))
		sum->inbound += t->weight;
	else if (span_eq(direction, SPAN("outbound")))
		sum->outbound += t->weight;
	if (t->named) {
		sum->named += t->weight;
		sum->named_records++;
	}
}

static bool
is_wanted(const struct summary_options *o, bool timed, int64_t time)
{
	if (!timed)
		return !o->has_since && !o->has_until;
	return (!o->has_since || time >= o->since) &&
	       (!o->has_until || time < o->until);
}

bool
summary_add(struct summary *s, const struct record *r)
{
	struct traffic t;
	int64_t time = 0;
	bool timed = event_time(r, &time);

	if (!is_wanted(&s->options, timed, time)) {
		s->totals.outside++;
		return true;
	}
	s->totals.records++;
	s->totals.by_type[r->type]++;
	if (r->type != RECORD_TRAFFIC)
		return true;
	t = (struct traffic){.weight = rollup_weight(r),
	    .blocked =
		span_eq(record_text(r, RECORD_F_ACTION), SPAN("blocked")),
	    .application =
		event_base_name(record_text(r, RECORD_F_APPLICATION))};
	find_remote(s, r, &t);
	count(&s->totals, r, &t);
	if (timed) {
		note_time(&s->totals, time);
		add_hour(s, time, t.weight, t.blocked);
	} else {
		s->totals.no_hour += t.weight;
	}
	return add_keys(s, r, &t);
}

const struct summary_totals *
summary_totals(const struct summary *s)
{
	return &s->totals;
}

struct top *
summary_table(struct summary *s, enum summary_table table)
{
	return s->table[table];
}

/* --- bars --- */

static void
choose_width(
    const struct summary_totals *t, size_t max, struct summary_bars *bars)
{
	static const int64_t widths[] = {
	    1, 2, 3, 6, 12, 24, 48, 168, 336, 672, 8760, 87600};
	int64_t width = HOUR;

	for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
		width = widths[i] * HOUR;
		bars->from = t->first / width * width;
		if (bars->from > t->first)
			bars->from -= width;
		if ((t->last - bars->from) / width < (int64_t)max)
			break;
	}
	bars->width = width;
	bars->count = (size_t)((t->last - bars->from) / width + 1);
	/* the years 1 to 9999 are more than there are bars */
	if (bars->count > max)
		bars->count = max;
}

void
summary_bars(const struct summary *s, size_t max, struct summary_bars *bars)
{
	*bars = (struct summary_bars){.count = 0};
	if (!s->totals.timed)
		return;
	choose_width(&s->totals, max, bars);
	for (size_t i = 0; i < PLACES; i++) {
		const struct hour *hour = &s->hour[i];
		int64_t at = (hour->number * HOUR - bars->from) / bars->width;

		if (!hour->used || at < 0 || (size_t)at >= bars->count)
			continue;
		bars->bar[at].occurrences += hour->sum.occurrences;
		bars->bar[at].blocked += hour->sum.blocked;
	}
}
