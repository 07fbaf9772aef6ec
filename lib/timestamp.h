/*
 * timestamp - the stamps that SEPM, relays and files write, and RFC 3339.
 *
 * Scanning reads the digits and rejects impossible dates; resolving turns them
 * into an instant with the source's zone and a reference for what the stamp
 * leaves out (the year, or the whole date).
 */
#ifndef SEPMLOG_TIMESTAMP_H
#define SEPMLOG_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"
#include "zone.h"

/* A date and time of day of the Gregorian calendar. */
struct civil {
	int year;  /* 1-9999 */
	int month; /* 1-12 */
	int day;   /* 1-31 */
	int hour, minute, second;
};

/* Is there such a date and time? Second 60 is taken as 59 by the scanners. */
bool civil_valid(const struct civil *c);
/* Seconds since 1970 as if the civil time were UTC, and back. */
int64_t civil_seconds(const struct civil *c);
void civil_of(int64_t seconds, struct civil *c);

/* What to look for at the start of the input. */
enum timestamp_kind {
	/* `May 14 08:30:11`, `May  4 ...`, `June 4 ...`: no year (RFC 3164) */
	TIMESTAMP_BSD = 1 << 0,
	/* `2024-05-14T08:30:11[.123][Z|+02:00|+0200]`, or with a blank or two
	 * instead of the T; ` +02:00` after a blank is taken, too */
	TIMESTAMP_ISO = 1 << 1,
	/* `7/20/2016 5:50:50 PM` */
	TIMESTAMP_US12 = 1 << 2,
	/* `07/19/2016 14:46:53` */
	TIMESTAMP_US24 = 1 << 3,
	/* `08:30:11` */
	TIMESTAMP_CLOCK = 1 << 4,
};

struct timestamp {
	enum timestamp_kind kind;
	struct civil civil; /* year 0: BSD; year, month, day 0: CLOCK */
	bool has_offset;
	int32_t offset;	      /* seconds east of UTC */
	uint32_t microsecond; /* 0 when not given */
};

/*
 * Reads one stamp of one of `kinds` (a bit set) at the start of `in`, without
 * skipping blanks. Answers the bytes used, 0 when there is none: an impossible
 * date (Feb 30, hour 24) is none. Feb 29 without a year passes here. The byte
 * after the stamp is not a digit.
 */
size_t timestamp_scan(
    struct span in, unsigned kinds, struct timestamp *stamp);

/*
 * Reads `May 14 08:30:11` or `May  4 08:30:11`, TIMESTAMP_BSD as nearly all
 * senders write it, at the start of `in`: TIMESTAMP_PLAIN_BSD bytes. False: it
 * is not that, or there is no such time; then timestamp_scan says what it is.
 */
enum { TIMESTAMP_PLAIN_BSD = 15 };
bool timestamp_scan_plain_bsd(struct span in, struct timestamp *stamp);

/* The last date that was read, as text: whoever has many stamps to read has
 * most of them from one day. Zero it before first use. */
struct timestamp_date {
	char text[10]; /* `2016-07-19` */
	int64_t local; /* its first second, as if it were in UTC */
};

/*
 * Reads `2016-07-19 14:46:53`, with a blank or a T and nothing behind it, the
 * stamp that SEPM writes. False: it is not that, or no such time; then
 * timestamp_scan says what it is.
 */
bool timestamp_read_plain(
    struct span text, struct timestamp_date *date, int64_t *local);

/*
 * The instant of a stamp, seconds since 1970 UTC, in *utc. Without an offset
 * of its own the stamp is in `zone`. Without a year it gets the one that puts
 * it nearest to `reference` (UTC seconds), Feb 29 only leap years; without a
 * date the day that does. *twice is set, and never cleared, when the wall
 * clock shows it twice; then the instant nearest to the reference is taken.
 * False when no year makes it a date.
 */
bool timestamp_resolve(const struct timestamp *stamp, const struct zone *zone,
    struct zone_cache *cache, int64_t reference, int64_t *utc, bool *twice);

enum {
	TIMESTAMP_RFC3339 = 20,	   /* `2016-07-19T14:46:53Z` */
	TIMESTAMP_RFC3339_US = 27, /* `2016-07-19T14:46:53.000001Z` */
};

enum { TIMESTAMP_DAYS = 8 };

/* What was written before: messages are of today as a rule. Zero it before
 * first use; one per thread. */
struct timestamp_days {
	struct timestamp_day {
		bool written;
		int64_t number; /* calendar.h */
		char text[11];	/* `2016-07-19T` */
	} day[TIMESTAMP_DAYS];
	/* the last time of receipt: that of all messages of one read */
	bool written;
	int64_t microseconds;
	char text[27];
};

/* Write exactly that many bytes, no NUL; years 0000-9999, else clamped. */
void timestamp_format(int64_t seconds, struct timestamp_days *memo,
    char out[TIMESTAMP_RFC3339]);
void timestamp_format_us(int64_t microseconds, struct timestamp_days *memo,
    char out[TIMESTAMP_RFC3339_US]);

#endif
