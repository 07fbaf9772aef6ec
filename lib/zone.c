#include "zone.h"

#include <stdbool.h>
#include <stdlib.h>

#include "calendar.h"

/*
 * A zone is one table of changes of its offset. The footer's rule for the time
 * behind the file's own transitions is written out into the same table when
 * the zone is made, for a little more than 400 years: then the calendar
 * repeats, weekdays included, and later times are looked up a multiple of 400
 * years earlier. Looking up knows nothing of rules.
 */

enum {
	HEADER_SIZE = 44,
	TYPE_SIZE = 6,
	MAX_TRANSITIONS = 1 << 20, /* the largest zones have some hundreds */
	/* RFC 8536 3.2: -25:00 < utoff < 26:00. */
	MAX_OFFSET = 26 * 3600 - 1,
	MIN_LEAP_DISTANCE =
	    28 * CALENDAR_DAY - 1, /* 3.2, leap second records */
	CYCLE_YEARS = 400,
	/* Written out of a rule: the year before the last transition, then
	 * some more, so that a cycle begins and ends well inside the table. */
	CYCLE_BEGINS = 3, /* years after the last transition */
	RULE_YEARS = 1 + CYCLE_BEGINS + CYCLE_YEARS + 2,
};

#define CYCLE ((int64_t)CALENDAR_CYCLE_DAYS * CALENDAR_DAY)
/* 3.2: the earliest transition that a file should have; the same forwards. */
#define MAX_TIME ((int64_t)1 << 59)
/* Times are clamped to this, which keeps all sums far from overflow. */
#define LIMIT ((int64_t)1 << 60)

struct change {
	int64_t at;     /* UTC */
	int32_t offset; /* from then on */
};

struct zone {
	/* From here on everything is as 400 years before. */
	int64_t repeats;
	int32_t first; /* offset before the first change */
	size_t count;
	struct change change[]; /* ascending; no two alike next to each other */
};

static const struct zone utc_zone = {.repeats = INT64_MAX};

/* A data block of TZif (RFC 8536 3.2). */
struct block {
	size_t width; /* bytes of a time: 4 or 8 */
	unsigned version;
	uint32_t isuts, isstds, leaps, times, types, chars;
	const char *time, *index, *type, *leap;
};

/* POSIX TZ (RFC 8536 3.3). */
enum rule_form {
	RULE_JULIAN,  /* Jn: 1-365, Feb 29 is never counted */
	RULE_ORDINAL, /* n: 0-365 */
	RULE_WEEKDAY, /* Mm.w.d */
};

struct rule_day {
	enum rule_form form;
	int month, week, day;
	int32_t time; /* of day; negative or over 24 hours in version 3 */
};

struct rule {
	int32_t standard, daylight; /* seconds east of UTC */
	bool changes;               /* daylight, start and end are set */
	struct rule_day start, end;
};

/* Reading the file */

static uint32_t
be32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 |
	       (uint32_t)u[2] << 8 | u[3];
}

static int64_t
signed32(const char *p)
{
	uint32_t n = be32(p);

	return n <= INT32_MAX ? (int64_t)n : (int64_t)n - ((int64_t)1 << 32);
}

static int64_t
read_time(const struct block *b, const char *p)
{
	if (b->width == 4)
		return signed32(p);
	return signed32(p) * ((int64_t)1 << 32) + be32(p + 4);
}

static bool
take_header(struct span *in, struct block *b)
{
	const char *p = in->p;

	if (in->n < HEADER_SIZE || !span_starts(*in, SPAN("TZif")))
		return false;
	b->version = (unsigned char)p[4];
	b->isuts = be32(p + 20);
	b->isstds = be32(p + 24);
	b->leaps = be32(p + 28);
	b->times = be32(p + 32);
	b->types = be32(p + 36);
	b->chars = be32(p + 40);
	*in = span_skip(*in, HEADER_SIZE);
	return true;
}

/* Takes the block that the counts in *b announce. */
static bool
take_body(struct span *in, size_t width, struct block *b)
{
	uint64_t size = (uint64_t)b->times * (width + 1) +
			(uint64_t)b->types * TYPE_SIZE + b->chars +
			(uint64_t)b->leaps * (width + 4) + b->isstds + b->isuts;

	if (size > in->n)
		return false;
	b->width = width;
	b->time = in->p;
	b->index = b->time + b->times * width;
	b->type = b->index + b->times;
	b->leap = b->type + (size_t)b->types * TYPE_SIZE + b->chars;
	*in = span_skip(*in, (size_t)size);
	return true;
}

/* From version 2 on a second block with longer times follows the first, and
 * then the footer, a TZ string between two LF. */
static bool
take_file(struct span in, struct block *b, struct span *footer)
{
	size_t n;

	*footer = span_of("", 0);
	if (!take_header(&in, b) || !take_body(&in, 4, b))
		return false;
	if (b->version == 0)
		return true;
	if (!take_header(&in, b) || b->version < '2' || !take_body(&in, 8, b))
		return false;
	if (span_at(in, 0) != '\n')
		return false;
	in = span_skip(in, 1);
	n = span_find(in, '\n');
	*footer = span_take(in, n);
	return n < in.n;
}

static int32_t
type_offset(const struct block *b, uint32_t type)
{
	return (int32_t)signed32(b->type + (size_t)type * TYPE_SIZE);
}

static bool
types_valid(const struct block *b)
{
	if (b->types == 0 || b->chars == 0)
		return false;
	if ((b->isuts != 0 && b->isuts != b->types) ||
	    (b->isstds != 0 && b->isstds != b->types))
		return false;
	for (uint32_t i = 0; i < b->types; i++) {
		const unsigned char *type =
		    (const unsigned char *)b->type + (size_t)i * TYPE_SIZE;
		int64_t offset = signed32((const char *)type);

		if (offset < -MAX_OFFSET || offset > MAX_OFFSET)
			return false;
		if (type[4] > 1 || type[5] >= b->chars)
			return false;
	}
	return true;
}

static bool
transitions_valid(const struct block *b)
{
	int64_t before = -MAX_TIME - 1;

	if (b->times > MAX_TRANSITIONS)
		return false;
	for (uint32_t i = 0; i < b->times; i++) {
		int64_t at = read_time(b, b->time + i * b->width);

		if (at <= before || at > MAX_TIME)
			return false;
		if ((unsigned char)b->index[i] >= b->types)
			return false;
		before = at;
	}
	return true;
}

static int64_t
leap_time(const struct block *b, uint32_t i)
{
	return read_time(b, b->leap + i * (b->width + 4));
}

static int64_t
leap_total(const struct block *b, uint32_t i)
{
	return signed32(b->leap + i * (b->width + 4) + b->width);
}

/* Each record adds or drops one second. A version 4 table may lack its oldest
 * records, and its last may only say when the table expires. */
static bool
leaps_valid(const struct block *b)
{
	bool version4 = b->version >= '4';

	if (b->leaps > MAX_TRANSITIONS)
		return false;
	for (uint32_t i = 0; i < b->leaps; i++) {
		int64_t at = leap_time(b, i), total = leap_total(b, i);
		int64_t step = i == 0 ? total : total - leap_total(b, i - 1);
		bool last = i > 0 && i + 1 == b->leaps;

		if (at < 0 || at > MAX_TIME)
			return false;
		if (i > 0 && at - leap_time(b, i - 1) < MIN_LEAP_DISTANCE)
			return false;
		if (step != 1 && step != -1 && !(version4 && i == 0) &&
		    !(version4 && last && step == 0))
			return false;
	}
	return true;
}

/* Reading the footer; each function takes its piece off the front of *s. */

static bool
take_byte(struct span *s, char byte)
{
	if (span_at(*s, 0) != byte)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

/* One to three digits, min to max. */
static bool
take_number(struct span *s, int min, int max, int *number)
{
	size_t n = 0;

	for (*number = 0; n < 3 && span_isdigit(span_at(*s, n)); n++)
		*number = *number * 10 + (s->p[n] - '0');
	*s = span_skip(*s, n);
	return n > 0 && *number >= min && *number <= max;
}

/* `CET`, or `<+0545>`. */
static bool
take_name(struct span *s)
{
	bool quoted = take_byte(s, '<');
	size_t n = 0;

	for (;; n++) {
		int c = span_at(*s, n);

		if (span_isalpha(c))
			continue;
		if (!quoted || (!span_isdigit(c) && c != '+' && c != '-'))
			break;
	}
	*s = span_skip(*s, n);
	return n >= 3 && (!quoted || take_byte(s, '>'));
}

/* `[+-]hh[:mm[:ss]]`. */
static bool
take_time(struct span *s, int max_hours, int32_t *time)
{
	int hours, minutes = 0, seconds = 0;
	bool negative = take_byte(s, '-');

	if (!negative)
		take_byte(s, '+');
	if (!take_number(s, 0, max_hours, &hours))
		return false;
	if (take_byte(s, ':')) {
		if (!take_number(s, 0, 59, &minutes))
			return false;
		if (take_byte(s, ':') && !take_number(s, 0, 59, &seconds))
			return false;
	}
	*time = (hours * 60 + minutes) * 60 + seconds;
	if (negative)
		*time = -*time;
	return true;
}

static bool
take_date(struct span *s, struct rule_day *day)
{
	if (take_byte(s, 'J')) {
		day->form = RULE_JULIAN;
		return take_number(s, 1, 365, &day->day);
	}
	if (take_byte(s, 'M')) {
		day->form = RULE_WEEKDAY;
		return take_number(s, 1, 12, &day->month) &&
		       take_byte(s, '.') && take_number(s, 1, 5, &day->week) &&
		       take_byte(s, '.') && take_number(s, 0, 6, &day->day);
	}
	day->form = RULE_ORDINAL;
	return take_number(s, 0, 365, &day->day);
}

/* `,date[/time]`. */
static bool
take_day(struct span *s, struct rule_day *day)
{
	day->time = 2 * 3600;
	if (!take_byte(s, ',') || !take_date(s, day))
		return false;
	return !take_byte(s, '/') || take_time(s, 167, &day->time);
}

/* POSIX counts offsets westwards. */
static bool
rule_read(struct span s, struct rule *rule)
{
	int32_t west;

	if (!take_name(&s) || !take_time(&s, 24, &west))
		return false;
	rule->standard = -west;
	rule->changes = s.n > 0;
	if (!rule->changes)
		return true;
	if (!take_name(&s))
		return false;
	rule->daylight = rule->standard + 3600;
	if (span_at(s, 0) != ',') {
		if (!take_time(&s, 24, &west))
			return false;
		rule->daylight = -west;
	}
	return take_day(&s, &rule->start) && take_day(&s, &rule->end) &&
	       s.n == 0;
}

static int64_t
rule_day_number(const struct rule_day *day, int64_t year)
{
	int64_t first, number;

	if (day->form == RULE_ORDINAL)
		return calendar_day(year, 1, 1) + day->day;
	if (day->form == RULE_JULIAN)
		return calendar_day(year, 1, 1) + day->day - 1 +
		       (day->day >= 60 && calendar_leap(year));
	first = calendar_day(year, day->month, 1);
	number = first + (day->day - calendar_weekday(first) + 7) % 7 +
		 (day->week - 1) * 7;
	/* Week 5 is the last one, be it the fourth. */
	if (number >= first + calendar_month_days(year, day->month))
		number -= 7;
	return number;
}

/* Daylight time begins on standard time's clock, and ends on its own. */
static struct change
rule_change(const struct rule *rule, int64_t year, bool start)
{
	const struct rule_day *day = start ? &rule->start : &rule->end;
	int64_t local = rule_day_number(day, year) * CALENDAR_DAY + day->time;

	return (struct change){
	    .at = local - (start ? rule->standard : rule->daylight),
	    .offset = start ? rule->daylight : rule->standard,
	};
}

/* Making the table */

static int32_t
offset_of(const struct zone *z, size_t stretch)
{
	return stretch == 0 ? z->first : z->change[stretch - 1].offset;
}

/* Appends a change that is not before the last one. */
static void
add_change(struct zone *z, int64_t at, int32_t offset)
{
	if (z->count > 0 && z->change[z->count - 1].at == at)
		z->count--;
	if (offset_of(z, z->count) != offset)
		z->change[z->count++] = (struct change){at, offset};
}

/* The file's own transitions. Zones with leap seconds (`right/`) count them in
 * their times; ours do not. Answers the time of the last transition. */
static int64_t
add_transitions(struct zone *z, const struct block *b)
{
	uint32_t leap = 0;
	int64_t at = 0;

	for (uint32_t i = 0; i < b->times; i++) {
		at = read_time(b, b->time + i * b->width);
		while (leap < b->leaps && leap_time(b, leap) <= at)
			leap++;
		if (leap > 0)
			at -= leap_total(b, leap - 1);
		add_change(z, at, type_offset(b, (unsigned char)b->index[i]));
	}
	return at;
}

/*
 * Writes the rule's changes behind the table, start and end in turns, and
 * answers how many. Where one is not after the one before it, the time between
 * is empty and both go: that is how RFC 8536 3.3.1 writes daylight time that
 * never ends.
 */
static size_t
write_rule(const struct rule *rule, int64_t year, struct change *out)
{
	bool start_first = rule_change(rule, year, true).at <=
			   rule_change(rule, year, false).at;
	size_t n = 0;

	for (int i = 0; i < 2 * RULE_YEARS; i++) {
		struct change next = rule_change(
		    rule, year + i / 2, start_first == (i % 2 == 0));

		if (n > 0 && next.at <= out[n - 1].at)
			n--;
		else
			out[n++] = next;
	}
	return n;
}

/* Adds what the rule says for the time after the transition at `last` in
 * `year`. */
static void
add_rule(struct zone *z, const struct rule *rule, int64_t last, int64_t year)
{
	struct change *written = z->change + z->count;
	size_t n = write_rule(rule, year - 1, written);

	for (size_t i = 0; i < n; i++) {
		struct change next = written[i];

		if (next.at > last)
			add_change(z, next.at, next.offset);
	}
	z->repeats = calendar_day(year + CYCLE_BEGINS + CYCLE_YEARS, 1, 1) *
		     CALENDAR_DAY;
}

static void
fill(struct zone *z, const struct block *b, const struct rule *rule)
{
	int64_t last, year;
	int month, day;

	z->repeats = INT64_MAX;
	z->count = 0;
	z->first = type_offset(b, 0);
	last = add_transitions(z, b);
	if (rule == NULL)
		return;
	/* Without a transition the rule is all there is (RFC 8536 3.2). */
	if (b->times == 0) {
		z->first = rule->standard;
		last = -MAX_TIME;
		year = 1;
	} else {
		calendar_date(
		    calendar_floor(last, CALENDAR_DAY), &year, &month, &day);
	}
	if (rule->changes)
		add_rule(z, rule, last, year);
}

struct zone *
zone_new(struct span tzif)
{
	struct block block;
	struct span footer;
	struct rule rule;
	struct zone *zone;
	size_t room;

	if (!take_file(tzif, &block, &footer))
		return NULL;
	if (!types_valid(&block) || !transitions_valid(&block) ||
	    !leaps_valid(&block))
		return NULL;
	if (footer.n > 0 && !rule_read(footer, &rule))
		return NULL;
	room = block.times + (footer.n > 0 ? 2 * RULE_YEARS : 0);
	zone = malloc(sizeof(*zone) + room * sizeof(zone->change[0]));
	if (zone != NULL)
		fill(zone, &block, footer.n > 0 ? &rule : NULL);
	return zone;
}

void
zone_free(struct zone *zone)
{
	free(zone);
}

const struct zone *
zone_utc(void)
{
	return &utc_zone;
}

/*
 * Looking up. Stretch i of the table lies between change i - 1 and change i:
 * stretch 0 is before all changes.
 */

static int64_t
clamp(int64_t t)
{
	return t < -LIMIT ? -LIMIT : t > LIMIT ? LIMIT : t;
}

/* What to take off a time to have it in the table. */
static int64_t
cycles_past(const struct zone *z, int64_t t)
{
	return t < z->repeats ? 0 : ((t - z->repeats) / CYCLE + 1) * CYCLE;
}

static int64_t
stretch_start(const struct zone *z, size_t i)
{
	return i == 0 ? INT64_MIN : z->change[i - 1].at;
}

static int64_t
stretch_end(const struct zone *z, size_t i)
{
	return i == z->count ? INT64_MAX : z->change[i].at;
}

/* The stretch that an instant is in. */
static size_t
stretch_at(const struct zone *z, int64_t t)
{
	size_t low = 0, high = z->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (z->change[middle].at <= t)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Local times from *from until *until are in stretch i and in no other: the
 * changes around it cut off what they repeat or skip. Changes further away
 * than two offsets cannot reach it.
 */
static void
clear_part(const struct zone *z, size_t i, int64_t *from, int64_t *until)
{
	*from = -LIMIT;
	*until = LIMIT;
	for (size_t k = i; k > 0; k--) {
		int64_t at = z->change[k - 1].at;
		int32_t a = offset_of(z, k - 1), b = offset_of(z, k);
		int64_t ends = at + (a > b ? a : b);

		if (k < i && at < stretch_start(z, i) - 2 * MAX_OFFSET)
			break;
		if (ends > *from)
			*from = ends;
	}
	for (size_t k = i; k < z->count; k++) {
		int64_t at = z->change[k].at;
		int32_t a = offset_of(z, k), b = offset_of(z, k + 1);
		int64_t begins = at + (a < b ? a : b);

		if (k > i && at > stretch_end(z, i) + 2 * MAX_OFFSET)
			break;
		if (begins < *until)
			*until = begins;
	}
}

/* The offset before the change that skips the local time t; `i` is a stretch
 * not after it. */
static int32_t
skipped_offset(const struct zone *z, size_t i, int64_t t)
{
	for (; i < z->count; i++) {
		int64_t at = z->change[i].at;

		if (t - offset_of(z, i) >= at && t - offset_of(z, i + 1) < at)
			break;
	}
	return offset_of(z, i);
}

static uint64_t
distance(int64_t a, int64_t b)
{
	return a < b ? (uint64_t)b - (uint64_t)a : (uint64_t)a - (uint64_t)b;
}

/* What is shifted alike, and no more: a table that its own rule does not go on
 * from would say something else in the next cycle. */
static void
remember(
    const struct zone *z, size_t i, int64_t shift, struct zone_cache *cache)
{
	int64_t from, until;

	clear_part(z, i, &from, &until);
	if (shift > 0 && from < z->repeats - CYCLE)
		from = z->repeats - CYCLE;
	if (until > z->repeats)
		until = z->repeats;
	cache->from = from + shift;
	cache->until = until + shift;
	cache->offset = offset_of(z, i);
}

enum zone_fit
zone_search(const struct zone *z, struct zone_cache *cache, int64_t time,
    int64_t near, int64_t *utc)
{
	int64_t local = clamp(time);
	int64_t shift = cycles_past(z, local), t = local - shift, best = 0;
	size_t first = stretch_at(z, t - MAX_OFFSET), in = 0, hits = 0;

	for (size_t i = first;
	     i <= z->count && stretch_start(z, i) <= t + MAX_OFFSET; i++) {
		int64_t instant = t - offset_of(z, i);

		if (instant < stretch_start(z, i) ||
		    instant >= stretch_end(z, i))
			continue;
		if (hits++ > 0 && distance(instant + shift, near) >=
				      distance(best + shift, near))
			continue;
		best = instant;
		in = i;
	}
	if (hits == 0)
		best = t - skipped_offset(z, first, t);
	*utc = best + shift;
	if (hits == 1 && cache != NULL)
		remember(z, in, shift, cache);
	return hits == 0 ? ZONE_NEVER : hits == 1 ? ZONE_ONCE : ZONE_TWICE;
}

int64_t
zone_to_local(const struct zone *zone, int64_t utc)
{
	int64_t t = clamp(utc);
	size_t i = stretch_at(zone, t - cycles_past(zone, t));

	return t + offset_of(zone, i);
}
