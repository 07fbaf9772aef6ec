/*
 * The kinds to look for, a reference, then the stamp. What is read is a date,
 * lies in the input and comes back from its own text; and the ways for what is
 * plain read what the general one does.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "timestamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	HEAD = 1 + 5, /* kinds, reference */
	ALL = TIMESTAMP_BSD | TIMESTAMP_ISO | TIMESTAMP_US12 | TIMESTAMP_US24 |
	      TIMESTAMP_CLOCK,
	DAY = 86400,
};

#define YEAR_10000 INT64_C(253402300800)

static bool
same_civil(const struct civil *a, const struct civil *b)
{
	return a->year == b->year && a->month == b->month && a->day == b->day &&
	       a->hour == b->hour && a->minute == b->minute &&
	       a->second == b->second;
}

/* What the kind leaves out is 0, the rest a date and time. */
static void
check_civil(const struct timestamp *t)
{
	struct civil c = t->civil;

	if (t->kind == TIMESTAMP_BSD || t->kind == TIMESTAMP_CLOCK) {
		if (c.year != 0)
			abort();
		c.year = 2000;
	}
	if (t->kind == TIMESTAMP_CLOCK) {
		if (c.month != 0 || c.day != 0)
			abort();
		c.month = c.day = 1;
	}
	if (!civil_valid(&c) || t->microsecond > 999999)
		abort();
	if (t->offset <= -DAY || t->offset >= DAY ||
	    (!t->has_offset && t->offset != 0))
		abort();
}

/* Written and read again, it is the same instant. */
static void
check_text(int64_t utc, uint32_t microsecond)
{
	static struct timestamp_days days;
	char text[TIMESTAMP_RFC3339_US];
	struct timestamp t;
	struct civil c;

	timestamp_format_us(utc * 1000000 + microsecond, &days, text);
	civil_of(utc, &c);
	if (c.year == 0) /* written, but no stamp */
		return;
	if (civil_seconds(&c) != utc && utc >= YEAR_10000) /* by its offset */
		return;
	if (timestamp_scan(span_of(text, sizeof(text)), ALL, &t) !=
		sizeof(text) ||
	    t.kind != TIMESTAMP_ISO || !t.has_offset || t.offset != 0 ||
	    t.microsecond != microsecond || !same_civil(&t.civil, &c) ||
	    civil_seconds(&c) != utc)
		abort();
}

/* Without a year, or a date, it is the one near the reference. */
static void
check_instant(const struct timestamp *t, int64_t reference)
{
	bool twice = false;
	int64_t utc, apart;

	if (!timestamp_resolve(t, zone_utc(), NULL, reference, &utc, &twice))
		abort();
	if (twice)
		abort();
	apart = utc < reference ? reference - utc : utc - reference;
	if (t->kind == TIMESTAMP_CLOCK && !t->has_offset && apart > DAY / 2)
		abort();
	/* the nearest one can be in the year 10000, which is not there */
	if (t->kind == TIMESTAMP_BSD && !t->has_offset &&
	    reference < YEAR_10000 - 366 * (int64_t)DAY &&
	    apart > (t->civil.month == 2 && t->civil.day == 29 ? 4 * 366 + 1
							       : 183) *
			(int64_t)DAY)
		abort();
	check_text(utc, t->microsecond);
}

static void
check_plain_bsd(struct span in)
{
	struct timestamp plain, t;

	if (!timestamp_scan_plain_bsd(in, &plain))
		return;
	if (timestamp_scan(in, ALL, &t) != TIMESTAMP_PLAIN_BSD ||
	    t.kind != TIMESTAMP_BSD || !same_civil(&t.civil, &plain.civil))
		abort();
}

static void
check_plain(struct span in)
{
	static struct timestamp_date known;
	struct timestamp_date none = {0};
	struct timestamp t;
	int64_t local, again;
	bool read = timestamp_read_plain(in, &none, &local);

	if (timestamp_read_plain(in, &known, &again) != read)
		abort();
	if (!read)
		return;
	if (timestamp_scan(in, ALL, &t) != in.n || t.kind != TIMESTAMP_ISO ||
	    t.has_offset || civil_seconds(&t.civil) != local || again != local)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct timestamp t;
	struct span in;
	uint64_t reference = 0;
	size_t n;

	if (size < HEAD)
		return 0;
	for (int i = 1; i < HEAD; i++)
		reference = reference << 8 | data[i];
	reference %= (uint64_t)YEAR_10000;
	in = span_of((const char *)data + HEAD, size - HEAD);
	check_plain_bsd(in);
	check_plain(in);
	n = timestamp_scan(in, data[0], &t);
	if (n > in.n)
		abort();
	if (n == 0)
		return 0;
	if ((t.kind & data[0]) == 0 || span_isdigit(span_at(in, n)))
		abort();
	check_civil(&t);
	check_instant(&t, (int64_t)reference);
	return 0;
}
