#include "timestamp.h"

#include <endian.h>

#include "calendar.h"
#include "decimal.h"

enum {
	CLOCK_SIZE = 8, /* `08:30:11` */
	DATE_SIZE = 10, /* `2024-05-14` */
	/*
	 * Within so many days of the reference, whose zone is not yet known,
	 * no other year can be nearer: the other half year is 185 days away,
	 * and offsets from UTC are at most 26 hours.
	 */
	SAME_YEAR_DAYS = 180,
	/* The longest way from one Feb 29 to the next, over 1900. */
	LEAP_YEARS_APART = 8,
	ANY_YEAR = 2000, /* a leap year */
};

#define FIRST_SECOND ((int64_t)-719528 * CALENDAR_DAY)    /* 0000-01-01 */
#define LAST_SECOND ((int64_t)2932897 * CALENDAR_DAY - 1) /* 9999-12-31 */
#define MICRO 1000000
#define MEAN_YEAR (CALENDAR_CYCLE_DAYS * (int64_t)CALENDAR_DAY / 400)

bool
civil_valid(const struct civil *c)
{
	return c->year >= 1 && c->year <= 9999 && c->month >= 1 &&
	       c->month <= 12 && c->day >= 1 &&
	       (c->day <= 28 ||
		   c->day <= calendar_month_days(c->year, c->month)) &&
	       (unsigned)c->hour <= 23 && (unsigned)c->minute <= 59 &&
	       (unsigned)c->second <= 59;
}

static int
clock_seconds(const struct civil *c)
{
	return (c->hour * 60 + c->minute) * 60 + c->second;
}

int64_t
civil_seconds(const struct civil *c)
{
	return calendar_day(c->year, c->month, c->day) * CALENDAR_DAY +
	       clock_seconds(c);
}

void
civil_of(int64_t seconds, struct civil *c)
{
	int64_t day, year;
	int rest;

	if (seconds < FIRST_SECOND)
		seconds = FIRST_SECOND;
	if (seconds > LAST_SECOND)
		seconds = LAST_SECOND;
	day = calendar_floor(seconds, CALENDAR_DAY);
	rest = (int)(seconds - day * CALENDAR_DAY);
	calendar_date(day, &year, &c->month, &c->day);
	c->year = (int)year;
	c->hour = rest / 3600;
	c->minute = rest / 60 % 60;
	c->second = rest % 60;
}

/* Scanning. Each scanner answers the bytes of its piece at the start of `in`,
 * 0 when it is not there. */

/* One to `max` digits. */
static size_t
scan_number(struct span in, size_t max, int *number)
{
	size_t n = 0;

	for (*number = 0; n < max && span_isdigit(span_at(in, n)); n++)
		*number = *number * 10 + (in.p[n] - '0');
	return n;
}

/* Exactly `digits` of them. */
static bool
fixed_number(struct span in, size_t at, size_t digits, int *number)
{
	return scan_number(span_skip(in, at), digits, number) == digits;
}

static size_t
scan_blanks(struct span in)
{
	size_t n = 0;

	while (span_isblank(span_at(in, n)))
		n++;
	return n;
}

/* `:30:11`; a leap second is taken as the one before it. */
static size_t
scan_minutes(struct span in, struct civil *c)
{
	if (span_at(in, 0) != ':' || !fixed_number(in, 1, 2, &c->minute) ||
	    span_at(in, 3) != ':' || !fixed_number(in, 4, 2, &c->second))
		return 0;
	if (c->second == 60)
		c->second = 59;
	return CLOCK_SIZE - 2;
}

/* Eight bytes: digits where `like` has `0`, elsewhere what it has. `most` is
 * what the sum with a byte's difference must not carry out of seven bits. */
struct picture {
	char like[8];
	unsigned char most[8];
};

enum { DIGIT = 0x80 - 10, EXACT = 0x80 - 1 };

/* *pairs has in each byte the number of the two digits that begin there. */
static bool
match_picture(const char *p, const struct picture *picture, uint64_t *pairs)
{
	const uint64_t high = UINT64_C(0x8080808080808080);
	uint64_t w, like, most;

	memcpy(&w, p, 8);
	memcpy(&like, picture->like, 8);
	memcpy(&most, picture->most, 8);
	w ^= like;
	if (((w | (w + most)) & high) != 0)
		return false;
	w = le64toh(w);
	*pairs = w * 10 + (w >> 8);
	return true;
}

static int
pair_at(uint64_t pairs, int byte)
{
	return (int)(pairs >> 8 * byte & 0xff);
}

static size_t
scan_clock(struct span in, struct civil *c)
{
	static const struct picture picture = {"00:00:00",
	    {DIGIT, DIGIT, EXACT, DIGIT, DIGIT, EXACT, DIGIT, DIGIT}};
	uint64_t pairs;

	if (in.n < CLOCK_SIZE || !match_picture(in.p, &picture, &pairs))
		return 0;
	c->hour = pair_at(pairs, 0);
	c->minute = pair_at(pairs, 3);
	c->second = pair_at(pairs, 6);
	if (c->second == 60)
		c->second = 59;
	return CLOCK_SIZE;
}

/* `2024-05-14` */
static bool
scan_date(struct span in, struct civil *c)
{
	static const struct picture picture = {"0000-00-",
	    {DIGIT, DIGIT, DIGIT, DIGIT, EXACT, DIGIT, DIGIT, EXACT}};
	uint64_t pairs;

	if (in.n < DATE_SIZE || !match_picture(in.p, &picture, &pairs))
		return false;
	c->year = pair_at(pairs, 0) * 100 + pair_at(pairs, 2);
	c->month = pair_at(pairs, 5);
	return fixed_number(in, 8, 2, &c->day);
}

struct month {
	struct span name;
	int number;
};

/* The second and the third letter tell which one it can be: their sum is
 * another for each. */
static const struct month months[32] = {
    [15] = {{"January", 7}, 1},
    [7] = {{"February", 8}, 2},
    [19] = {{"March", 5}, 3},
    [2] = {{"April", 5}, 4},
    [26] = {{"May", 3}, 5},
    [3] = {{"June", 4}, 6},
    [1] = {{"July", 4}, 7},
    [28] = {{"August", 6}, 8},
    [21] = {{"September", 9}, 9},
    [23] = {{"October", 7}, 10},
    [5] = {{"November", 8}, 11},
    [8] = {{"December", 8}, 12},
};

/* The month with these three letters, of either case; NULL: none. */
static const struct month *
short_month(const char *p)
{
	const struct month *month = &months[(size_t)(p[1] + p[2]) % 32];
	const char *q = month->name.p;

	/* what differs from a letter in this bit alone is a letter, too */
	if (month->name.n == 0 ||
	    (((p[0] ^ q[0]) | (p[1] ^ q[1]) | (p[2] ^ q[2])) & ~0x20) != 0)
		return NULL;
	return month;
}

/* A month of the calendar in English, short or whole. */
static size_t
scan_month(struct span in, int *number)
{
	const struct month *month = in.n >= 3 ? short_month(in.p) : NULL;
	size_t n = 3;

	if (month == NULL)
		return 0;
	while (n <= month->name.n && span_isalpha(span_at(in, n)))
		n++;
	if (n != 3 && !span_caseeq(span_take(in, n), month->name))
		return 0;
	*number = month->number;
	return n;
}

static size_t
scan_bsd(struct span in, struct timestamp *t)
{
	size_t at = scan_month(in, &t->civil.month), n;

	if (at == 0)
		return 0;
	if ((n = scan_blanks(span_skip(in, at))) == 0)
		return 0;
	at += n;
	if ((n = scan_number(span_skip(in, at), 2, &t->civil.day)) == 0)
		return 0;
	at += n;
	if ((n = scan_blanks(span_skip(in, at))) == 0)
		return 0;
	at += n;
	n = scan_clock(span_skip(in, at), &t->civil);
	return n > 0 ? at + n : 0;
}

/* `.123456`: what is finer than microseconds is dropped. */
static size_t
scan_fraction(struct span in, uint32_t *microsecond)
{
	uint32_t value = 0, unit = MICRO / 10;
	size_t n = 1;

	if (span_at(in, 0) != '.')
		return 0;
	for (; span_isdigit(span_at(in, n)); n++) {
		value += (uint32_t)(in.p[n] - '0') * unit;
		unit /= 10;
	}
	if (n == 1)
		return 0;
	*microsecond = value;
	return n;
}

/* `Z`, `+02:00`, `+0200`. */
static size_t
scan_offset(struct span in, int32_t *offset)
{
	int sign = span_at(in, 0), hours, minutes;
	bool colon = span_at(in, 3) == ':';

	if (span_lower(sign) == 'z') {
		*offset = 0;
		return 1;
	}
	if ((sign != '+' && sign != '-') || !fixed_number(in, 1, 2, &hours) ||
	    !fixed_number(in, colon ? 4 : 3, 2, &minutes))
		return 0;
	if (hours > 23 || minutes > 59)
		return 0;
	*offset = (hours * 60 + minutes) * 60;
	if (sign == '-')
		*offset = -*offset;
	return colon ? 6 : 5;
}

/* An offset right behind the time, or one with a sign behind blanks. */
static size_t
scan_zone(struct span in, struct timestamp *t)
{
	size_t blanks = scan_blanks(in), n;
	int c = span_at(in, blanks);
	int32_t offset;

	if (blanks > 0 && c != '+' && c != '-')
		return 0;
	n = scan_offset(span_skip(in, blanks), &offset);
	if (n == 0 || span_isdigit(span_at(in, blanks + n)))
		return 0;
	t->offset = offset;
	t->has_offset = true;
	return blanks + n;
}

static size_t
scan_iso(struct span in, struct timestamp *t)
{
	struct civil *c = &t->civil;
	size_t at = DATE_SIZE, blanks;

	if (!scan_date(in, c))
		return 0;
	blanks = scan_blanks(span_skip(in, at));
	if (blanks > 2 || (blanks == 0 && span_lower(span_at(in, at)) != 't'))
		return 0;
	at += blanks > 0 ? blanks : 1;
	if (scan_clock(span_skip(in, at), c) == 0)
		return 0;
	at += CLOCK_SIZE;
	if (at == in.n)
		return at;
	at += scan_fraction(span_skip(in, at), &t->microsecond);
	return at + scan_zone(span_skip(in, at), t);
}

/* ` AM`, ` PM`: the hour of the day from that of the half. */
static size_t
scan_meridian(struct span in, int *hour)
{
	size_t blanks = scan_blanks(in);
	int half = span_lower(span_at(in, blanks));

	if (blanks == 0 || (half != 'a' && half != 'p') ||
	    span_lower(span_at(in, blanks + 1)) != 'm' ||
	    span_isalpha(span_at(in, blanks + 2)))
		return 0;
	if (*hour < 1 || *hour > 12)
		*hour = -1;
	else
		*hour = *hour % 12 + (half == 'p' ? 12 : 0);
	return blanks + 2;
}

/* `7/20/2016 5:50:50 PM`, `07/19/2016 14:46:53`; t->kind says which. */
static size_t
scan_us(struct span in, struct timestamp *t)
{
	struct civil *c = &t->civil;
	size_t at, n;

	at = scan_number(in, 2, &c->month);
	if (at == 0 || span_at(in, at) != '/')
		return 0;
	n = scan_number(span_skip(in, ++at), 2, &c->day);
	if (n == 0 || span_at(in, at += n) != '/')
		return 0;
	if (!fixed_number(in, ++at, 4, &c->year))
		return 0;
	at += 4;
	n = scan_blanks(span_skip(in, at));
	if (n == 0)
		return 0;
	at += n;
	n = scan_number(span_skip(in, at), 2, &c->hour);
	if (n == 0 || scan_minutes(span_skip(in, at + n), c) == 0)
		return 0;
	at += n + CLOCK_SIZE - 2;
	n = scan_meridian(span_skip(in, at), &c->hour);
	t->kind = n > 0 ? TIMESTAMP_US12 : TIMESTAMP_US24;
	return at + n;
}

/* What the first byte and the first one that is no digit say it can be. */
static size_t
scan_any(struct span in, struct timestamp *t)
{
	size_t digits = 0;

	if (span_isalpha(span_at(in, 0))) {
		t->kind = TIMESTAMP_BSD;
		return scan_bsd(in, t);
	}
	while (digits < 4 && span_isdigit(span_at(in, digits)))
		digits++;
	switch (span_at(in, digits)) {
	case '-':
		t->kind = TIMESTAMP_ISO;
		return scan_iso(in, t);
	case '/':
		return scan_us(in, t);
	case ':':
		t->kind = TIMESTAMP_CLOCK;
		return scan_clock(in, &t->civil);
	default:
		return 0;
	}
}

/* Could it be a date, once what it leaves out is known? */
static bool
possible(const struct timestamp *t)
{
	struct civil c = t->civil;

	if (t->kind == TIMESTAMP_BSD || t->kind == TIMESTAMP_CLOCK)
		c.year = ANY_YEAR;
	if (t->kind == TIMESTAMP_CLOCK)
		c.month = c.day = 1;
	return civil_valid(&c);
}

size_t
timestamp_scan(struct span in, unsigned kinds, struct timestamp *stamp)
{
	struct timestamp t = {0};
	size_t n = scan_any(in, &t);

	if (n == 0 || (t.kind & kinds) == 0 || !possible(&t) ||
	    span_isdigit(span_at(in, n)))
		return 0;
	*stamp = t;
	return n;
}

bool
timestamp_scan_plain_bsd(struct span in, struct timestamp *stamp)
{
	struct timestamp t = {.kind = TIMESTAMP_BSD};
	const struct month *month;
	int tens, units;

	if (in.n < TIMESTAMP_PLAIN_BSD || in.p[3] != ' ' || in.p[6] != ' ' ||
	    (month = short_month(in.p)) == NULL ||
	    scan_clock(span_of(in.p + 7, CLOCK_SIZE), &t.civil) == 0)
		return false;
	tens = in.p[4] == ' ' ? 0 : in.p[4] - '0';
	units = in.p[5] - '0';
	if (tens < 0 || tens > 3 || units < 0 || units > 9 ||
	    span_isdigit(span_at(in, TIMESTAMP_PLAIN_BSD)))
		return false;
	t.civil.month = month->number;
	t.civil.day = tens * 10 + units;
	if (!possible(&t))
		return false;
	*stamp = t;
	return true;
}

static bool
read_date(struct span text, struct timestamp_date *date)
{
	struct civil c = {0};

	/* NULs are what a memo holds before first use, not a date. */
	if (block_compare(text.p, date->text, DATE_SIZE) && text.p[0] != '\0')
		return true;
	if (!scan_date(text, &c) || !civil_valid(&c))
		return false;
	memcpy(date->text, text.p, DATE_SIZE);
	date->local = civil_seconds(&c);
	return true;
}

bool
timestamp_read_plain(
    struct span text, struct timestamp_date *date, int64_t *local)
{
	struct civil c;

	if (text.n != DATE_SIZE + 1 + CLOCK_SIZE ||
	    (text.p[DATE_SIZE] != ' ' && text.p[DATE_SIZE] != 'T') ||
	    scan_clock(span_skip(text, DATE_SIZE + 1), &c) == 0 ||
	    c.hour > 23 || c.minute > 59 || c.second > 59 ||
	    !read_date(text, date))
		return false;
	*local = date->local + clock_seconds(&c);
	return true;
}

/* Resolving */

/* The zone's view of a local time, and what the stamp is resolved against. */
struct resolver {
	const struct zone *zone;
	struct zone_cache *cache;
	int64_t reference;
	bool found, twice; /* the nearest so far */
	int64_t utc;
};

static int64_t
distance(int64_t a, int64_t b)
{
	return a < b ? b - a : a - b;
}

/* Takes the local time if it is nearer to the reference than those before. */
static void
try_local(struct resolver *r, int64_t local)
{
	int64_t utc;
	bool twice = zone_to_utc(r->zone, r->cache, local, r->reference,
			 &utc) == ZONE_TWICE;

	if (r->found &&
	    distance(utc, r->reference) >= distance(r->utc, r->reference))
		return;
	r->found = true;
	r->utc = utc;
	r->twice = twice;
}

/*
 * The reference's year by division: around New Year it may be the next one's.
 * Each date is within 183 days of the reference in one year of the three around
 * that, all the same.
 */
static int
year_around(int64_t reference)
{
	return 1970 + (int)calendar_floor(reference, MEAN_YEAR);
}

static void
resolve_year(struct resolver *r, const struct civil *stamp)
{
	struct civil c = *stamp;
	int year = year_around(r->reference), apart;
	int64_t local;

	c.year = year;
	if (civil_valid(&c)) {
		local = civil_seconds(&c);
		if (distance(local, r->reference) <=
		    (int64_t)SAME_YEAR_DAYS * CALENDAR_DAY) {
			try_local(r, local);
			return;
		}
	}
	apart = c.month == 2 && c.day == 29 ? LEAP_YEARS_APART : 1;
	for (c.year = year - apart; c.year <= year + apart; c.year++)
		if (civil_valid(&c))
			try_local(r, civil_seconds(&c));
}

/* Two days each way: a zone that moves over the date line skips one. */
static void
resolve_day(struct resolver *r, const struct civil *stamp)
{
	int64_t today =
	    calendar_floor(zone_to_local(r->zone, r->reference), CALENDAR_DAY);

	for (int64_t day = today - 2; day <= today + 2; day++)
		try_local(r, day * CALENDAR_DAY + clock_seconds(stamp));
}

/* What the stamp leaves out comes from the reference. */
static bool
resolve_part(struct resolver *r, const struct timestamp *stamp, int64_t *utc,
    bool *twice)
{
	/* Stamps end with the year 9999, and sums must not overflow. */
	if (r->reference < FIRST_SECOND)
		r->reference = FIRST_SECOND;
	if (r->reference > LAST_SECOND)
		r->reference = LAST_SECOND;
	if (stamp->kind == TIMESTAMP_BSD)
		resolve_year(r, &stamp->civil);
	else
		resolve_day(r, &stamp->civil);
	if (!r->found)
		return false;
	*utc = r->utc;
	if (r->twice)
		*twice = true;
	return true;
}

bool
timestamp_resolve(const struct timestamp *stamp, const struct zone *zone,
    struct zone_cache *cache, int64_t reference, int64_t *utc, bool *twice)
{
	struct resolver r = {
	    .zone = zone, .cache = cache, .reference = reference};

	if (stamp->has_offset) {
		*utc = civil_seconds(&stamp->civil) - stamp->offset;
		return true;
	}
	if (stamp->kind == TIMESTAMP_BSD || stamp->kind == TIMESTAMP_CLOCK)
		return resolve_part(&r, stamp, utc, twice);
	if (zone_to_utc(zone, cache, civil_seconds(&stamp->civil), reference,
		utc) == ZONE_TWICE)
		*twice = true;
	return true;
}

/* Formatting */

static void
write_day(int64_t number, struct timestamp_day *memo)
{
	int64_t year;
	int month, day;
	char *p;

	calendar_date(number, &year, &month, &day);
	p = decimal_put4((unsigned)year, memo->text);
	*p++ = '-';
	p = decimal_put2((unsigned)month, p);
	*p++ = '-';
	p = decimal_put2((unsigned)day, p);
	*p = 'T';
	memo->number = number;
	memo->written = true;
}

/* Up to and without the `Z`. */
static char *
put_time(int64_t seconds, struct timestamp_days *memo, char *p)
{
	struct timestamp_day *known;
	int64_t day;
	int rest;

	if (seconds < FIRST_SECOND)
		seconds = FIRST_SECOND;
	if (seconds > LAST_SECOND)
		seconds = LAST_SECOND;
	day = calendar_floor(seconds, CALENDAR_DAY);
	rest = (int)(seconds - day * CALENDAR_DAY);
	known = &memo->day[(uint64_t)day % TIMESTAMP_DAYS];
	if (!known->written || known->number != day)
		write_day(day, known);
	memcpy(p, known->text, sizeof(known->text));
	p = decimal_put2((unsigned)rest / 3600, p + sizeof(known->text));
	*p++ = ':';
	p = decimal_put2((unsigned)rest / 60 % 60, p);
	*p++ = ':';
	return decimal_put2((unsigned)rest % 60, p);
}

void
timestamp_format(
    int64_t seconds, struct timestamp_days *memo, char out[TIMESTAMP_RFC3339])
{
	*put_time(seconds, memo, out) = 'Z';
}

void
timestamp_format_us(int64_t microseconds, struct timestamp_days *memo,
    char out[TIMESTAMP_RFC3339_US])
{
	if (!memo->written || memo->microseconds != microseconds) {
		int64_t seconds = calendar_floor(microseconds, MICRO);
		unsigned rest = (unsigned)(microseconds - seconds * MICRO);
		char *p = put_time(seconds, memo, memo->text);

		*p++ = '.';
		p = decimal_put4(rest / 100, p);
		p = decimal_put2(rest % 100, p);
		*p = 'Z';
		memo->microseconds = microseconds;
		memo->written = true;
	}
	memcpy(out, memo->text, sizeof(memo->text));
}
