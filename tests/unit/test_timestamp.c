#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "calendar.h"
#include "guard.h"
#include "run.h"
#include "timestamp.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ALL                                                                    \
	(TIMESTAMP_BSD | TIMESTAMP_ISO | TIMESTAMP_US12 | TIMESTAMP_US24 |     \
	    TIMESTAMP_CLOCK)

/* Scanning */

struct scan_case {
	const char *text;
	size_t used;
	enum timestamp_kind kind;
	struct civil civil;
	bool has_offset;
	int32_t offset;
	uint32_t microsecond;
};

/* clang-format off */
static const struct scan_case good[] = {
	{"May 14 08:30:11 host", 15, TIMESTAMP_BSD, {0, 5, 14, 8, 30, 11}, 0, 0, 0},
	{"May 4 08:30:11", 14, TIMESTAMP_BSD, {0, 5, 4, 8, 30, 11}, 0, 0, 0},
	{"May  4 08:30:11", 15, TIMESTAMP_BSD, {0, 5, 4, 8, 30, 11}, 0, 0, 0},
	{"May 04 08:30:11", 15, TIMESTAMP_BSD, {0, 5, 4, 8, 30, 11}, 0, 0, 0},
	{"jAN\t \t1  00:00:00", 17, TIMESTAMP_BSD, {0, 1, 1, 0, 0, 0}, 0, 0, 0},
	{"June 4 23:59:59", 15, TIMESTAMP_BSD, {0, 6, 4, 23, 59, 59}, 0, 0, 0},
	{"SEPTEMBER 30 23:59:60:", 21, TIMESTAMP_BSD, {0, 9, 30, 23, 59, 59}, 0, 0, 0},
	{"Feb 29 12:00:00", 15, TIMESTAMP_BSD, {0, 2, 29, 12, 0, 0}, 0, 0, 0},
	{"2024-05-14T08:30:11Z", 20, TIMESTAMP_ISO, {2024, 5, 14, 8, 30, 11}, 1, 0, 0},
	{"2024-05-14t08:30:11z", 20, TIMESTAMP_ISO, {2024, 5, 14, 8, 30, 11}, 1, 0, 0},
	{"2024-05-14T08:30:11", 19, TIMESTAMP_ISO, {2024, 5, 14, 8, 30, 11}, 0, 0, 0},
	{"2024-05-14 08:30:11,pc", 19, TIMESTAMP_ISO, {2024, 5, 14, 8, 30, 11}, 0, 0, 0},
	{"2024-05-14  08:30:11", 20, TIMESTAMP_ISO, {2024, 5, 14, 8, 30, 11}, 0, 0, 0},
	{"2024-05-14T08:30:11.5Z", 22, TIMESTAMP_ISO, {2024, 5, 14, 8, 30, 11}, 1, 0, 500000},
	{"2024-05-14T08:30:11.1234567890+02:00", 36, TIMESTAMP_ISO,
		{2024, 5, 14, 8, 30, 11}, 1, 7200, 123456},
	{"2024-05-14T08:30:11-0330", 24, TIMESTAMP_ISO, {2024, 5, 14, 8, 30, 11}, 1, -12600, 0},
	{"2024-05-14 08:30:11 +02:00,x", 26, TIMESTAMP_ISO, {2024, 5, 14, 8, 30, 11}, 1, 7200, 0},
	{"2024-05-14 08:30:11 +2 x", 19, TIMESTAMP_ISO, {2024, 5, 14, 8, 30, 11}, 0, 0, 0},
	{"2024-05-14 08:30:11 Z", 19, TIMESTAMP_ISO, {2024, 5, 14, 8, 30, 11}, 0, 0, 0},
	{"2024-05-14T08:30:11.", 19, TIMESTAMP_ISO, {2024, 5, 14, 8, 30, 11}, 0, 0, 0},
	{"2024-02-29T00:00:00Z", 20, TIMESTAMP_ISO, {2024, 2, 29, 0, 0, 0}, 1, 0, 0},
	{"2016-12-31T23:59:60Z", 20, TIMESTAMP_ISO, {2016, 12, 31, 23, 59, 59}, 1, 0, 0},
	{"0001-01-01T00:00:00Z", 20, TIMESTAMP_ISO, {1, 1, 1, 0, 0, 0}, 1, 0, 0},
	{"7/20/2016 5:50:50 PM [22]", 20, TIMESTAMP_US12, {2016, 7, 20, 17, 50, 50}, 0, 0, 0},
	{"12/31/2016 12:00:00 am", 22, TIMESTAMP_US12, {2016, 12, 31, 0, 0, 0}, 0, 0, 0},
	{"12/31/2016 12:00:00 PM", 22, TIMESTAMP_US12, {2016, 12, 31, 12, 0, 0}, 0, 0, 0},
	{"07/19/2016 14:46:53", 19, TIMESTAMP_US24, {2016, 7, 19, 14, 46, 53}, 0, 0, 0},
	{"07/19/2016 14:46:53 AMx", 19, TIMESTAMP_US24, {2016, 7, 19, 14, 46, 53}, 0, 0, 0},
	{"08:30:11 S", 8, TIMESTAMP_CLOCK, {0, 0, 0, 8, 30, 11}, 0, 0, 0},
};

static const char *const bad[] = {
	"", "x", "Ma", "May", "May ", "May 14", "May 14 ", "May 14 8:30:11",
	"Mayo 14 08:30:11", "Sept 14 08:30:11", "Janu 1 00:00:00",
	"May14 08:30:11", "May 1408:30:11", "May 14T08:30:11",
	"May 0 08:30:11", "May 32 08:30:11", "Feb 30 08:30:11",
	"Apr 31 08:30:11", "May 140 08:30:11", "May 14 24:00:00",
	"May 14 08:60:00", "May 14 08:30:61", "May 14 08:30:111",
	"May 14 08-30-11", "\xc3\xa9 14 08:30:11",
	"2024-05-14", "2024-05-14T", "2024-05-14T08:30", "2024-05-14T08:30:1",
	"2024-05-14   08:30:11", "2024-05-14x08:30:11", "20240514T083011",
	"2024-00-14T08:30:11", "2024-13-14T08:30:11", "2024-05-00T08:30:11",
	"2023-02-29T00:00:00", "1900-02-29T00:00:00", "0000-01-01T00:00:00",
	"2024-05-14T24:00:00", "2024-05-14T08:30:115", "24-05-14T08:30:11",
	"2024-5-14T08:30:11", "20245-05-14T08:30:11",
	"7/20/16 5:50:50 PM", "13/20/2016 5:50:50 PM", "7/32/2016 5:50:50 PM",
	"7/20/2016 13:50:50 PM", "7/20/2016 0:50:50 AM", "7/20/2016 24:50:50",
	"7/20/2016", "7/20/2016 5:50", "/20/2016 5:50:50", "7//2016 5:50:50",
	"7/20/20165 5:50:50 PM", "7/20/20165:50:50",
	"8:30:11", "08:30", "08:30:1", "25:00:00", "08:61:11", ":30:11",
	"08:30:110", "-8:30:11",
};
/* clang-format on */

static void
check_civil(const struct civil *a, const struct civil *b)
{
	ck_assert_int_eq(a->year, b->year);
	ck_assert_int_eq(a->month, b->month);
	ck_assert_int_eq(a->day, b->day);
	ck_assert_int_eq(a->hour, b->hour);
	ck_assert_int_eq(a->minute, b->minute);
	ck_assert_int_eq(a->second, b->second);
}

START_TEST(stamps_are_read)
{
	const struct scan_case *want = &good[_i];
	struct timestamp t;

	ck_assert_uint_eq(
	    timestamp_scan(span_str(want->text), ALL, &t), want->used);
	ck_assert_int_eq(t.kind, want->kind);
	check_civil(&t.civil, &want->civil);
	ck_assert_int_eq(t.has_offset, want->has_offset);
	ck_assert_int_eq(t.offset, want->offset);
	ck_assert_uint_eq(t.microsecond, want->microsecond);
}
END_TEST

START_TEST(only_the_kinds_asked_for)
{
	const struct scan_case *want = &good[_i];
	struct span text = span_str(want->text);
	struct timestamp t;

	ck_assert_uint_eq(timestamp_scan(text, want->kind, &t), want->used);
	ck_assert_uint_eq(
	    timestamp_scan(text, ALL & ~(unsigned)want->kind, &t), 0);
	ck_assert_uint_eq(timestamp_scan(text, 0, &t), 0);
}
END_TEST

START_TEST(what_is_no_stamp_is_none)
{
	struct timestamp t;

	ck_assert_msg(
	    timestamp_scan(span_str(bad[_i]), ALL, &t) == 0, "`%s`", bad[_i]);
}
END_TEST

/* Cut anywhere, a stamp is read from its own bytes or not at all. */
START_TEST(scanning_stays_inside)
{
	struct span text = span_str(good[_i].text);
	struct guard guard;
	struct timestamp t;

	guard_open(&guard, text.n);
	for (size_t n = 0; n <= text.n; n++) {
		struct span cut = guard_place(&guard, span_take(text, n));

		ck_assert_uint_le(timestamp_scan(cut, ALL, &t), n);
	}
	guard_close(&guard);
}
END_TEST

START_TEST(hostile_bytes_give_valid_dates_or_none)
{
	static const char bytes[] = "0123456789::--// ..+TZMayPMAm\t\0\xff";
	uint64_t state = 5;
	char text[40];
	int found = 0;

	for (int i = 0; i < 300000; i++) {
		struct span s = span_str(good[i % (int)COUNT(good)].text);
		struct timestamp t;
		size_t used;

		s = span_take(s, sizeof(text));
		memcpy(text, s.p, s.n);
		for (int k = 0; k < 2; k++) {
			state = state * 6364136223846793005U + 99;
			text[(state >> 33) % s.n] =
			    bytes[(state >> 20) % sizeof(bytes)];
		}
		used = timestamp_scan(span_of(text, s.n), ALL, &t);
		if (used == 0)
			continue;
		found++;
		if (t.kind == TIMESTAMP_BSD)
			t.civil.year = 2000;
		if (t.kind == TIMESTAMP_CLOCK)
			t.civil = (struct civil){2000, 1, 1, t.civil.hour,
			    t.civil.minute, t.civil.second};
		if (used > s.n || !civil_valid(&t.civil))
			ck_abort_msg("`%.*s`", (int)s.n, text);
	}
	ck_assert_int_gt(found, 1000);
}
END_TEST

/* Scanning against other ways to tell */

enum { PLAIN = 19 };

static void
put_digits(int n, int digits, char *out)
{
	for (; digits > 0; n /= 10)
		out[--digits] = (char)('0' + n % 10);
}

/* Reads the plain stamp in every way there is; `local` is good where it is
 * `valid`. The date that is remembered is that of the call before. */
static void
expect_plain(const char text[PLAIN], bool valid, int64_t local)
{
	static struct timestamp_date date;
	struct span in = span_of(text, PLAIN);
	struct timestamp_days days = {0};
	char written[TIMESTAMP_RFC3339];
	int64_t got = local;
	struct timestamp t;
	bool same = timestamp_read_plain(in, &date, &got) == valid &&
		    got == local &&
		    (timestamp_scan(in, ALL, &t) == PLAIN) == valid;

	if (same && valid) {
		timestamp_format(local, &days, written);
		same = civil_seconds(&t.civil) == local && !t.has_offset &&
		       t.microsecond == 0 && memcmp(written, text, 10) == 0 &&
		       memcmp(written + 11, text + 11, 8) == 0;
	}
	if (!same)
		ck_abort_msg("`%.*s`", PLAIN, text);
}

/* Days are counted here from the first of 0001. */
START_TEST(every_date_is_its_day)
{
	static const int lengths[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	static const int days[] = {1, 9, 10, 19, 20, 28, 29, 30, 31, 0, 32, 99};
	char text[] = "yyyy-mm-dd 08:30:11";
	int64_t first = -719162, clock = (8 * 60 + 30) * 60 + 11;

	for (int year = 0; year <= 9999; year++)
		for (int month = 0; month <= 13; month++) {
			bool leap = (year % 4 == 0 && year % 100 != 0) ||
				    year % 400 == 0;
			bool is_month = month >= 1 && month <= 12;
			int length = is_month ? lengths[month - 1] : lengths[0];

			length += leap && month == 2;
			put_digits(year, 4, text);
			put_digits(month, 2, text + 5);
			for (size_t i = 0; i < COUNT(days); i++) {
				int day = days[i];

				put_digits(day, 2, text + 8);
				expect_plain(text,
				    year > 0 && is_month && day >= 1 &&
					day <= length,
				    (first + day - 1) * 86400 + clock);
			}
			if (year > 0 && is_month)
				first += length;
		}
	ck_assert_int_eq(first, 2932897); /* 10000-01-01 */
}
END_TEST

START_TEST(every_time_of_a_day_is_its_second)
{
	char text[] = "1970-01-02 hh:mm:ss";

	for (int i = 0; i < 100 * 100 * 100; i++) {
		int hour = i / 10000, minute = i / 100 % 100, second = i % 100;

		if (second == 60)
			continue; /* below */
		put_digits(hour, 2, text + 11);
		put_digits(minute, 2, text + 14);
		put_digits(second, 2, text + 17);
		expect_plain(text, hour < 24 && minute < 60 && second < 60,
		    86400 + (hour * 60 + minute) * 60 + second);
	}
}
END_TEST

START_TEST(a_leap_second_is_the_one_before_it)
{
	struct timestamp_date date = {{0}, 0};
	struct timestamp t;
	int64_t local;

	ck_assert(
	    timestamp_read_plain(SPAN("2016-12-31 23:59:60"), &date, &local));
	ck_assert_uint_eq(
	    timestamp_scan(SPAN("2016-12-31 23:59:60"), ALL, &t), PLAIN);
	ck_assert_int_eq(local, 1483228799);
	ck_assert_int_eq(civil_seconds(&t.civil), local);
}
END_TEST

/* A memo that knows no date yet is all zero: so is this text. */
START_TEST(nuls_are_no_date)
{
	static const char text[PLAIN + 1] = "\0\0\0\0\0\0\0\0\0\0 08:30:11";
	struct timestamp_date date = {0};
	int64_t local;

	ck_assert(!timestamp_read_plain(span_of(text, PLAIN), &date, &local));
}
END_TEST

/* What follows is too long for an offset: nothing is left of it. */
START_TEST(an_offset_with_more_digits_is_none)
{
	struct timestamp t;

	ck_assert_uint_eq(
	    timestamp_scan(SPAN("2016-07-19T14:46:53+023000"), ALL, &t), PLAIN);
	ck_assert(!t.has_offset);
	ck_assert_int_eq(t.offset, 0);
}
END_TEST

/* Is it a digit where the stamp has one, and else the same byte? A T may stand
 * for the blank. */
static bool
looks_like(const char *stamp, const char *text)
{
	for (size_t i = 0; i < PLAIN; i++) {
		if (stamp[i] == ' ' && text[i] == 'T')
			continue;
		if (stamp[i] >= '0' && stamp[i] <= '9'
			? text[i] < '0' || text[i] > '9'
			: text[i] != stamp[i])
			return false;
	}
	return true;
}

/* Any two bytes of a stamp are others; what numbers they make is not asked. */
START_TEST(nothing_else_looks_like_a_stamp)
{
	static const char stamp[] = "2016-07-09 04:06:03";
	static const unsigned char others[] = {
	    0, ' ', '-', '.', '/', '5', ':', 'T', 0x80, 0xb1, 0xff};
	struct timestamp_date date = {{0}, 0};
	struct timestamp t;
	int64_t local;

	for (size_t at = 0; at < PLAIN; at++)
		for (size_t i = 0; i < PLAIN * COUNT(others); i++)
			for (unsigned c = 0; c < 256; c++) {
				char text[PLAIN];
				struct span in = span_of(text, PLAIN);
				bool plain;

				memcpy(text, stamp, PLAIN);
				text[i % PLAIN] = (char)others[i / PLAIN];
				text[at] = (char)c;
				plain = timestamp_read_plain(in, &date, &local);
				if (plain !=
				    (looks_like(stamp, text) &&
					timestamp_scan(in, ALL, &t) == PLAIN))
					ck_abort_msg("`%.*s`", PLAIN, text);
			}
}
END_TEST

static const char *const months[] = {"January", "February", "March", "April",
    "May", "June", "July", "August", "September", "October", "November",
    "December"};

/* 1-12, or 0: neither short nor whole, by the C library's comparison. */
static int
month_by_hand(const char *name, size_t n)
{
	for (int i = 0; i < 12; i++)
		if ((n == 3 || n == strlen(months[i])) &&
		    strncasecmp(name, months[i], n) == 0)
			return i + 1;
	return 0;
}

/* The letters that `text` begins with are the name of a month, or none. */
static void
expect_month(const char *text)
{
	size_t letters = strspn(text, "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	const char *rest = text + letters;
	size_t blanks = strspn(rest, " \t");
	struct timestamp t = {.civil = {.month = 0}};
	size_t used = timestamp_scan(span_str(text), ALL, &t);
	int wanted = 0;

	if (blanks > 0 && strcmp(rest + blanks, "4 08:30:11") == 0)
		wanted = month_by_hand(text, letters);
	if (used != (wanted > 0 ? strlen(text) : 0) || t.civil.month != wanted)
		ck_abort_msg("`%s`", text);
}

START_TEST(no_three_letters_else_are_a_month)
{
	char text[] = "... 4 08:30:11";

	for (int i = 0; i < 52 * 52 * 52; i++) {
		for (int k = 0, rest = i; k < 3; k++, rest /= 52)
			text[k] = (char)(rest % 52 < 26 ? 'a' + rest % 52
							: 'A' + rest % 52 - 26);
		expect_month(text);
	}
}
END_TEST

/* Every beginning of a name, with any byte in any place or behind it. */
START_TEST(months_are_short_or_whole)
{
	const char *name = months[_i];
	char text[64];

	for (size_t n = 1; n <= strlen(name); n++)
		for (size_t at = 0; at <= n; at++)
			for (unsigned c = 1; c < 256; c++) {
				memcpy(text, name, n);
				text[at] = (char)c;
				memcpy(text + n + (at == n), " 4 08:30:11",
				    sizeof " 4 08:30:11");
				expect_month(text);
			}
	for (size_t n = 1; n <= strlen(name); n++)
		for (unsigned upper = 0; upper < 1U << n; upper++) {
			for (size_t at = 0; at < n; at++)
				text[at] =
				    (char)(upper >> at & 1 ? name[at] & ~0x20
							   : name[at] | 0x20);
			memcpy(text + n, " 4 08:30:11", sizeof " 4 08:30:11");
			expect_month(text);
		}
}
END_TEST

/* Resolving */

static struct span
read_zone(const char *name, char *room, size_t size)
{
	char path[256];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "%s: the zones are not installed", path);
	n = fread(room, 1, size, file);
	fclose(file);
	return span_of(room, n);
}

static int64_t
instant(const char *text)
{
	struct timestamp t;
	bool twice = false;
	int64_t utc;

	ck_assert_uint_eq(
	    timestamp_scan(span_str(text), TIMESTAMP_ISO, &t), strlen(text));
	ck_assert(timestamp_resolve(&t, zone_utc(), NULL, 0, &utc, &twice));
	return utc;
}

static const struct {
	const char *zone, *stamp, *reference, *utc;
	bool twice;
} resolved[] = {
    /* The nearest year. */
    {"UTC", "May 14 08:30:11", "2024-06-30T00:00:00Z", "2024-05-14T08:30:11Z",
	false},
    {"UTC", "Dec 30 12:00:00", "2025-01-02T00:00:00Z", "2024-12-30T12:00:00Z",
	false},
    {"UTC", "Jan 1 00:00:05", "2024-12-31T23:59:50Z", "2025-01-01T00:00:05Z",
	false},
    {"UTC", "Jul 2 12:00:00", "2024-01-01T00:00:00Z", "2023-07-02T12:00:00Z",
	false},
    {"UTC", "Jul 1 11:59:00", "2024-01-01T00:00:00Z", "2024-07-01T11:59:00Z",
	false},
    /* Feb 29 is in leap years only. */
    {"UTC", "Feb 29 12:00:00", "2024-03-01T00:00:00Z", "2024-02-29T12:00:00Z",
	false},
    {"UTC", "Feb 29 12:00:00", "2025-03-01T00:00:00Z", "2024-02-29T12:00:00Z",
	false},
    {"UTC", "Feb 29 12:00:00", "2026-06-01T00:00:00Z", "2028-02-29T12:00:00Z",
	false},
    {"UTC", "Feb 29 12:00:00", "2099-01-01T00:00:00Z", "2096-02-29T12:00:00Z",
	false},
    {"UTC", "Feb 29 12:00:00", "2101-01-01T00:00:00Z", "2104-02-29T12:00:00Z",
	false},
    /* New Year comes at another time in the zone than in UTC. */
    {"America/New_York", "Dec 31 21:00:00", "2025-01-01T02:00:00Z",
	"2025-01-01T02:00:00Z", false},
    {"Pacific/Apia", "Jan 1 01:00:00", "2024-12-31T12:00:00Z",
	"2024-12-31T12:00:00Z", false},
    /* Both hours of an autumn night, and the gap of a spring night. */
    {"Europe/Paris", "Oct 27 02:30:00", "2024-10-27T00:35:00Z",
	"2024-10-27T00:30:00Z", true},
    {"Europe/Paris", "Oct 27 02:30:00", "2024-10-27T01:31:00Z",
	"2024-10-27T01:30:00Z", true},
    {"Europe/Paris", "2024-10-27 02:30:00", "2024-10-27T12:00:00Z",
	"2024-10-27T01:30:00Z", true},
    {"Europe/Paris", "2024-03-31 02:30:00", "2024-03-31T12:00:00Z",
	"2024-03-31T01:30:00Z", false},
    {"Europe/Paris", "Oct 27 03:00:00", "2024-10-27T01:31:00Z",
	"2024-10-27T02:00:00Z", false},
    /* A time of day gets the nearest day. */
    {"UTC", "08:36:00", "2024-06-30T00:00:00Z", "2024-06-30T08:36:00Z", false},
    {"UTC", "23:59:59", "2024-06-30T00:00:00Z", "2024-06-29T23:59:59Z", false},
    {"UTC", "00:00:01", "2024-06-30T23:00:00Z", "2024-07-01T00:00:01Z", false},
    {"America/New_York", "22:00:00", "2024-06-30T02:10:00Z",
	"2024-06-30T02:00:00Z", false},
    {"Europe/Paris", "02:30:00", "2024-10-27T00:50:00Z", "2024-10-27T00:30:00Z",
	true},
    /* Samoa had no 30 December 2011. */
    {"Pacific/Apia", "23:30:00", "2011-12-30T10:30:00Z", "2011-12-30T09:30:00Z",
	false},
    /* The stamp's own offset is all it needs. */
    {"Asia/Kathmandu", "2024-05-14T10:30:11+02:00", "1970-01-01T00:00:00Z",
	"2024-05-14T08:30:11Z", false},
    {"Asia/Kathmandu", "2024-05-14 10:30:11", "1970-01-01T00:00:00Z",
	"2024-05-14T04:45:11Z", false},
    {"Asia/Kathmandu", "7/20/2016 5:50:50 PM", "1970-01-01T00:00:00Z",
	"2016-07-20T12:05:50Z", false},
};

START_TEST(stamps_become_instants)
{
	static char room[1 << 16];
	struct zone *zone =
	    zone_new(read_zone(resolved[_i].zone, room, sizeof(room)));
	struct zone_cache cache = {0};
	struct timestamp t;
	int64_t reference = instant(resolved[_i].reference), utc;

	ck_assert_uint_gt(
	    timestamp_scan(span_str(resolved[_i].stamp), ALL, &t), 0);
	/* The second time out of the cache. */
	for (int i = 0; i < 2; i++) {
		bool twice = false;

		ck_assert(timestamp_resolve(
		    &t, zone, &cache, reference, &utc, &twice));
		ck_assert_int_eq(utc, instant(resolved[_i].utc));
		ck_assert_int_eq(twice, resolved[_i].twice);
	}
	zone_free(zone);
}
END_TEST

START_TEST(twice_is_never_cleared)
{
	struct timestamp t;
	bool twice = true;
	int64_t utc;

	timestamp_scan(SPAN("2024-05-14T08:30:11"), ALL, &t);
	ck_assert(timestamp_resolve(&t, zone_utc(), NULL, 0, &utc, &twice));
	ck_assert(twice);
}
END_TEST

/* For each day of four years and two references, no year is nearer. */
START_TEST(no_other_year_is_nearer)
{
	static char room[1 << 16];
	static const char *const names[] = {
	    "UTC", "America/New_York", "Pacific/Apia", "Europe/Paris"};
	struct zone *zone = zone_new(read_zone(names[_i], room, sizeof(room)));
	struct zone_cache cache = {0};
	int64_t first = calendar_day(2011, 1, 1);

	for (int day = 0; day < 4 * 365; day += 3)
		for (int ref = 0; ref < 4 * 365; ref += 5) {
			int64_t reference =
			    (first + ref) * CALENDAR_DAY + ref * 977 % 86400;
			struct timestamp t = {.kind = TIMESTAMP_BSD};
			bool twice = false;
			int64_t utc, other;

			civil_of(
			    (first + day) * CALENDAR_DAY + day * 577, &t.civil);
			timestamp_resolve(
			    &t, zone, &cache, reference, &utc, &twice);
			for (int year = 2009; year < 2018; year++) {
				t.civil.year = year;
				if (!civil_valid(&t.civil))
					continue;
				zone_to_utc(zone, NULL, civil_seconds(&t.civil),
				    reference, &other);
				if (llabs(other - reference) <
				    llabs(utc - reference))
					ck_abort_msg("%s: day %d near %d in %d",
					    names[_i], day, ref, year);
			}
		}
	zone_free(zone);
}
END_TEST

START_TEST(far_references_are_harmless)
{
	static const int64_t far[] = {
	    INT64_MIN, INT64_MAX, -62135596800, 253402300799, 253402300800};
	static const char *const stamps[] = {"Feb 29 00:00:00",
	    "Dec 31 23:59:59", "12:00:00", "2024-05-14 08:30:11"};
	struct timestamp t;
	bool twice = false;
	int64_t utc;

	for (size_t i = 0; i < COUNT(far); i++)
		for (size_t j = 0; j < COUNT(stamps); j++) {
			timestamp_scan(span_str(stamps[j]), ALL, &t);
			timestamp_resolve(
			    &t, zone_utc(), NULL, far[i], &utc, &twice);
		}
}
END_TEST

/* Formatting and the calendar */

static const struct {
	int64_t microseconds;
	const char *text;
} formatted[] = {
    {0, "1970-01-01T00:00:00.000000Z"},
    {1468939613000001, "2016-07-19T14:46:53.000001Z"},
    {951782399999999, "2000-02-28T23:59:59.999999Z"},
    {951782400000000, "2000-02-29T00:00:00.000000Z"},
    {-1, "1969-12-31T23:59:59.999999Z"},
    {-62167219200000000, "0000-01-01T00:00:00.000000Z"},
    {253402300799999999, "9999-12-31T23:59:59.999999Z"},
};

START_TEST(instants_are_written)
{
	char us[TIMESTAMP_RFC3339_US + 1] = {0}, s[TIMESTAMP_RFC3339 + 1] = {0};
	struct timestamp_days days = {0};

	timestamp_format_us(formatted[_i].microseconds, &days, us);
	ck_assert_str_eq(us, formatted[_i].text);
	timestamp_format(
	    calendar_floor(formatted[_i].microseconds, 1000000), &days, s);
	ck_assert_int_eq(memcmp(s, formatted[_i].text, 19), 0);
	ck_assert_str_eq(s + 19, "Z");
}
END_TEST

START_TEST(far_instants_are_clamped)
{
	char s[TIMESTAMP_RFC3339 + 1] = {0};
	struct timestamp_days days = {0};

	/* the memo of one is no use for the other */
	timestamp_format(INT64_MIN, &days, s);
	ck_assert_str_eq(s, "0000-01-01T00:00:00Z");
	timestamp_format(INT64_MAX, &days, s);
	ck_assert_str_eq(s, "9999-12-31T23:59:59Z");
}
END_TEST

/* Days that share a place in the memo, and times of receipt, again and again.
 */
START_TEST(what_was_written_before_does_not_count)
{
	struct timestamp_days memo = {0};
	uint64_t state = 9;

	for (int i = 0; i < 200000; i++) {
		char known[TIMESTAMP_RFC3339_US], fresh[TIMESTAMP_RFC3339_US];
		struct timestamp_days none = {0};
		int64_t us;

		state = state * 6364136223846793005U + 99;
		us = (int64_t)(state >> 33) % 30 * 1000000 * CALENDAR_DAY +
		     (int64_t)(state >> 40) % 3 * 86399999999 - 86400000000;
		timestamp_format_us(us, &memo, known);
		timestamp_format_us(us, &none, fresh);
		if (memcmp(known, fresh, TIMESTAMP_RFC3339_US) != 0)
			ck_abort_msg("%lld us", (long long)us);
		us = calendar_floor(us, 1000000);
		timestamp_format(us, &memo, known);
		if (memcmp(known, fresh, 19) != 0 || known[19] != 'Z')
			ck_abort_msg("%lld", (long long)us);
	}
}
END_TEST

/* Every day of 800 years, against a calendar that counts day by day. */
START_TEST(days_follow_each_other)
{
	int64_t number = calendar_day(1600, 1, 1);

	ck_assert_int_eq(number, -135140);
	ck_assert_int_eq(calendar_weekday(0), 4);
	for (int year = 1600; year < 2400; year++)
		for (int month = 1; month <= 12; month++)
			for (int day = 1;
			     day <= calendar_month_days(year, month);
			     day++, number++) {
				int64_t y;
				int m, d;

				calendar_date(number, &y, &m, &d);
				if (calendar_day(year, month, day) != number ||
				    y != year || m != month || d != day)
					ck_abort_msg("%d-%d-%d is day %lld",
					    year, month, day,
					    (long long)number);
			}
	ck_assert_int_eq(number, calendar_day(2400, 1, 1));
	ck_assert_int_eq(number + 135140, 2 * CALENDAR_CYCLE_DAYS);
}
END_TEST

START_TEST(the_system_counts_alike)
{
	uint64_t state = 3;

	for (int i = 0; i < 200000; i++) {
		struct civil c;
		struct tm tm;
		time_t t;

		state = state * 6364136223846793005U + 99;
		t = (time_t)(state % 315569519999U) - 62167219200;
		gmtime_r(&t, &tm);
		civil_of(t, &c);
		if (c.year != tm.tm_year + 1900 || c.month != tm.tm_mon + 1 ||
		    c.day != tm.tm_mday || c.hour != tm.tm_hour ||
		    c.minute != tm.tm_min || c.second != tm.tm_sec ||
		    civil_seconds(&c) != t)
			ck_abort_msg("%lld", (long long)t);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("timestamp");
	TCase *scan = tcase_create("scan"), *resolve = tcase_create("resolve"),
	      *by_hand = tcase_create("by hand"),
	      *format = tcase_create("format");

	tcase_set_timeout(resolve, 60);
	tcase_set_timeout(format, 60);
	tcase_add_loop_test(scan, stamps_are_read, 0, COUNT(good));
	tcase_add_loop_test(scan, only_the_kinds_asked_for, 0, COUNT(good));
	tcase_add_loop_test(scan, what_is_no_stamp_is_none, 0, COUNT(bad));
	tcase_add_loop_test(scan, scanning_stays_inside, 0, COUNT(good));
	tcase_add_test(scan, hostile_bytes_give_valid_dates_or_none);
	tcase_set_timeout(by_hand, 60);
	tcase_add_test(by_hand, every_date_is_its_day);
	tcase_add_test(by_hand, every_time_of_a_day_is_its_second);
	tcase_add_test(by_hand, a_leap_second_is_the_one_before_it);
	tcase_add_test(by_hand, nuls_are_no_date);
	tcase_add_test(by_hand, an_offset_with_more_digits_is_none);
	tcase_add_test(by_hand, nothing_else_looks_like_a_stamp);
	tcase_add_test(by_hand, no_three_letters_else_are_a_month);
	tcase_add_loop_test(
	    by_hand, months_are_short_or_whole, 0, COUNT(months));
	tcase_add_loop_test(
	    resolve, stamps_become_instants, 0, COUNT(resolved));
	tcase_add_test(resolve, twice_is_never_cleared);
	tcase_add_loop_test(resolve, no_other_year_is_nearer, 0, 4);
	tcase_add_test(resolve, far_references_are_harmless);
	tcase_add_loop_test(format, instants_are_written, 0, COUNT(formatted));
	tcase_add_test(format, far_instants_are_clamped);
	tcase_add_test(format, what_was_written_before_does_not_count);
	tcase_add_test(format, days_follow_each_other);
	tcase_add_test(format, the_system_counts_alike);
	suite_add_tcase(s, scan);
	suite_add_tcase(s, by_hand);
	suite_add_tcase(s, resolve);
	suite_add_tcase(s, format);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
