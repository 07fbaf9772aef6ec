#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "calendar.h"
#include "guard.h"
#include "run.h"
#include "zone.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define HOUR 3600

/* For loops of many thousand checks: Check writes to a file at each of its
 * own assertions, also at those that hold. */
#define MUST(condition, ...)                                                   \
	do {                                                                   \
		if (!(condition))                                              \
			ck_abort_msg(__VA_ARGS__);                             \
	} while (0)

/* A small generator of our own, so that a failure comes again. */
static uint64_t
next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *state >> 17;
}

/* A TZif file being put together. */
struct tzif {
	char p[4096];
	size_t n;
};

static void
add(struct tzif *f, const void *bytes, size_t n)
{
	ck_assert_uint_le(f->n + n, sizeof(f->p));
	memcpy(f->p + f->n, bytes, n);
	f->n += n;
}

static void
add_int(struct tzif *f, int64_t value, int bytes)
{
	for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
		add(f, &(char){(char)((uint64_t)value >> shift)}, 1);
}

static void
add_header(struct tzif *f, char version, int64_t leaps, int64_t times,
    int64_t types, int64_t chars)
{
	static const char reserved[15];

	add(f, "TZif", 4);
	add(f, &version, 1);
	add(f, reserved, sizeof(reserved));
	add_int(f, 0, 4);
	add_int(f, 0, 4);
	add_int(f, leaps, 4);
	add_int(f, times, 4);
	add_int(f, types, 4);
	add_int(f, chars, 4);
}

struct moment {
	int64_t at;
	int32_t offset; /* or what leap seconds add up to */
};

/* Times, then a type of its own for each and one before them all. */
static void
add_block(struct tzif *f, char version, int width, int32_t first,
    const struct moment *moments, int count, const struct moment *leaps,
    int leap_count)
{
	add_header(f, version, leap_count, count, count + 1, 4);
	for (int i = 0; i < count; i++)
		add_int(f, moments[i].at, width);
	for (int i = 0; i < count; i++)
		add_int(f, i + 1, 1);
	for (int i = 0; i <= count; i++) {
		add_int(f, i == 0 ? first : moments[i - 1].offset, 4);
		add_int(f, 0, 2);
	}
	add(f, "ABC", 4);
	for (int i = 0; i < leap_count; i++) {
		add_int(f, leaps[i].at, width);
		add_int(f, leaps[i].offset, 4);
	}
}

static void
build(struct tzif *f, char version, int32_t first, const struct moment *moments,
    int count, const char *footer)
{
	f->n = 0;
	if (version == 0) {
		add_block(f, version, 4, first, moments, count, NULL, 0);
		return;
	}
	add_header(f, version, 0, 0, 1, 1);
	add(f, "\0\0\0\0\0\0", 7);
	add_block(f, version, 8, first, moments, count, NULL, 0);
	add(f, "\n", 1);
	add(f, footer, strlen(footer));
	add(f, "\n", 1);
}

static struct zone *
zone_of(const struct tzif *f)
{
	return zone_new(span_of(f->p, f->n));
}

static struct zone *
zone_of_rule(const char *footer)
{
	struct tzif f;

	build(&f, '3', 0, NULL, 0, footer);
	return zone_of(&f);
}

/* The system's zones against the system's C library */

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
	ck_assert_uint_lt(n, size);
	return span_of(room, n);
}

static struct zone *
open_zone(const char *name)
{
	static char room[1 << 16];
	struct zone *zone = zone_new(read_zone(name, room, sizeof(room)));

	ck_assert_msg(zone != NULL, "%s is refused", name);
	return zone;
}

static void
use_system_zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

static int64_t
system_offset(int64_t utc)
{
	time_t t = (time_t)utc;
	struct tm tm;

	MUST(localtime_r(&t, &tm) != NULL, "localtime_r");
	return tm.tm_gmtoff;
}

static int64_t
system_instant(int64_t local)
{
	time_t t = (time_t)local;
	struct tm tm;

	gmtime_r(&t, &tm);
	tm.tm_isdst = -1;
	return mktime(&tm);
}

/* What the C library makes of a local time that no two changes are near. */
struct expected {
	enum zone_fit fit;
	int64_t early, late;
};

static struct expected
expect(int64_t local)
{
	int64_t before = system_offset(local - 30 * HOUR);
	int64_t after = system_offset(local + 30 * HOUR);
	bool early = system_offset(local - before) == before;
	bool late = system_offset(local - after) == after;

	if (before == after)
		return (struct expected){
		    ZONE_ONCE, local - before, local - before};
	if (early && late)
		return (struct expected){
		    ZONE_TWICE, local - before, local - after};
	if (!early && !late)
		return (struct expected){
		    ZONE_NEVER, local - before, local - before};
	if (early)
		after = before;
	return (struct expected){ZONE_ONCE, local - after, local - after};
}

static void
check_instant(const char *name, const struct zone *zone,
    struct zone_cache *cache, int64_t utc)
{
	int64_t local = utc + system_offset(utc), got;
	struct expected want = expect(local);
	enum zone_fit fit;

	MUST(zone_to_local(zone, utc) == local,
	    "%s: %lld is local %lld, not %lld", name, (long long)utc,
	    (long long)local, (long long)zone_to_local(zone, utc));
	fit = zone_to_utc(zone, cache, local, utc, &got);
	MUST(fit == want.fit && got == utc, "%s: local %lld near %lld: %d %lld",
	    name, (long long)local, (long long)utc, fit, (long long)got);
}

/* A wall clock time, whether it is one or not. */
static void
check_local(const char *name, const struct zone *zone, struct zone_cache *cache,
    int64_t local)
{
	struct expected want = expect(local);
	enum zone_fit fit;
	int64_t got;

	fit = zone_to_utc(zone, cache, local, INT64_MIN, &got);
	MUST(fit == want.fit && got == want.early,
	    "%s: local %lld: %d %lld, not %d %lld", name, (long long)local, fit,
	    (long long)got, want.fit, (long long)want.early);
	fit = zone_to_utc(zone, NULL, local, INT64_MAX, &got);
	MUST(fit == want.fit && got == want.late,
	    "%s: local %lld, late: %d %lld, not %d %lld", name,
	    (long long)local, fit, (long long)got, want.fit,
	    (long long)want.late);
	if (fit == ZONE_ONCE)
		MUST(got == system_instant(local), "%s: local %lld: mktime",
		    name, (long long)local);
}

/* All around the change between two instants. */
static void
check_change(const char *name, const struct zone *zone,
    struct zone_cache *cache, int64_t low, int64_t high)
{
	static const int64_t around[] = {
	    -25 * HOUR, -HOUR, -1234, 0, 1800, HOUR, 2 * HOUR, 24 * HOUR};
	int64_t before = system_offset(low), after = system_offset(high);

	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;

		if (system_offset(middle) == before)
			low = middle;
		else
			high = middle;
	}
	for (size_t i = 0; i < COUNT(around); i++)
		for (int64_t s = -1; s <= 1; s++) {
			int64_t t = high + around[i] + s;

			check_instant(name, zone, cache, t);
			check_local(name, zone, cache, t + before);
			check_local(name, zone, cache, t + after);
		}
}

static void
check_years(const char *name, const struct zone *zone, int from, int until)
{
	int64_t utc = calendar_day(from, 1, 1) * CALENDAR_DAY;
	int64_t end = calendar_day(until, 1, 1) * CALENDAR_DAY;
	int64_t step = 709 * HOUR + 1234, offset = system_offset(utc);
	struct zone_cache cache = {0};

	for (; utc < end; utc += step) {
		int64_t next = system_offset(utc + step);

		check_instant(name, zone, &cache, utc);
		check_local(name, zone, &cache, utc);
		if (next != offset)
			check_change(name, zone, &cache, utc, utc + step);
		offset = next;
	}
}

/* clang-format off */
static const char *const zones[] = {
	"UTC", "Europe/Paris", "Europe/London", "Europe/Dublin",
	"America/New_York", "America/St_Johns", "America/Sao_Paulo",
	"America/Caracas", "America/Nuuk", "America/Santiago",
	"Australia/Lord_Howe", "Australia/Sydney", "Asia/Kathmandu",
	"Asia/Tehran", "Asia/Gaza", "Asia/Pyongyang", "Africa/Casablanca",
	"Africa/Monrovia", "Pacific/Apia", "Pacific/Chatham",
	"Pacific/Kwajalein", "Antarctica/Troll", "EST5EDT", "Etc/GMT+12",
};
/* clang-format on */

START_TEST(the_system_agrees)
{
	const char *name = zones[_i];
	struct zone *zone = open_zone(name);

	use_system_zone(name);
	check_years(name, zone, 1970, 2101);
	/* The Gregorian calendar's cycle ends in 2400 and in 2800. */
	check_years(name, zone, 2396, 2406);
	check_years(name, zone, 2796, 2806);
	zone_free(zone);
}
END_TEST

/* Zones of `right/` count leap seconds; their wall clocks are the same. */
START_TEST(leap_seconds_are_taken_out)
{
	struct moment leaps[] = {{78796800, 1}, {94694401, 2}};
	struct moment change = {94694402 + 100, 3600};
	struct tzif f = {.n = 0};
	struct zone *ours;

	add_header(&f, '2', 0, 0, 1, 1);
	add(&f, "\0\0\0\0\0\0", 7);
	add_block(&f, '2', 8, 0, &change, 1, leaps, 2);
	add(&f, "\n\n", 2);
	ours = zone_of(&f);
	ck_assert_ptr_nonnull(ours);
	ck_assert_int_eq(zone_to_local(ours, 94694499), 94694499);
	ck_assert_int_eq(zone_to_local(ours, 94694500), 94694500 + 3600);
	zone_free(ours);
}
END_TEST

/* Rules of POSIX, each against the C library's own reading of it. */
/* clang-format off */
static const char *const rules[] = {
	"UTC0",
	"<+0545>-5:45",
	"<-00>0",
	"EST+5EDT,M3.2.0,M11.1.0",
	"CET-1CEST,M3.5.0,M10.5.0/3",
	"IST-1GMT0,M10.5.0,M3.5.0/1",		/* daylight time goes back */
	"<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
	"IST-2IDT,M3.4.4/26,M10.5.0",
	"EET-2EEST,M3.4.4/50,M10.4.4/50",
	"AEST-10AEDT,M10.1.0,M4.1.0/3",
	"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
	"<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
	"ABC3DEF,J60,J300",			/* March 1 in every year */
	"ABC3DEF,59,300",			/* Feb 29, or March 1 */
	"ABC-3:30:15DEF-4:31:16,J10/0:00:01,J350/23:59:59",
	"ABC3DEF,M1.1.1/0,M12.5.5/1:30",
	"ABC-12DEF-13,M3.5.6/-40,M10.1.3/100",
};
/* clang-format on */

START_TEST(rules_are_read_as_posix_does)
{
	struct zone *zone = zone_of_rule(rules[_i]);

	ck_assert_msg(zone != NULL, "%s is refused", rules[_i]);
	use_system_zone(rules[_i]);
	check_years(rules[_i], zone, 2015, 2035);
	check_years(rules[_i], zone, 2395, 2405);
	zone_free(zone);
}
END_TEST

/* RFC 8536 3.3.1. */
START_TEST(daylight_time_can_last_for_ever)
{
	struct zone *zone = zone_of_rule("XXX3EDT4,0/0,J365/23");
	int64_t year = calendar_day(2025, 1, 1) * CALENDAR_DAY;

	ck_assert_ptr_nonnull(zone);
	for (int64_t t = year - 100 * HOUR; t < year + 100 * HOUR; t += 1800)
		ck_assert_int_eq(zone_to_local(zone, t), t - 4 * HOUR);
	zone_free(zone);
}
END_TEST

static const char *const bad_rules[] = {"X", "CE-1", "CET", "CET-25",
    "CET-1:60", "CET-1x", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,",
    "CET-1CEST,M13.1.0,M1.1.0", "CET-1CEST,M1.6.0,M1.1.0",
    "CET-1CEST,M1.1.7,M1.1.0", "CET-1CEST,M1.0.0,M1.1.0", "CET-1CEST,J0,J5",
    "CET-1CEST,J366,J5", "CET-1CEST,366,5", "CET-1CEST,M3.5.0,M10.5.0/168",
    "CET-1CEST,M3.5.0,M10.5.0/3x", "<+01-1", "<+01>", "<+>-1", "<é>1",
    "CET-1,M3.5.0,M10.5.0", "CET-1 CEST,M3.5.0,M10.5.0", "CET-0001"};

START_TEST(what_is_no_rule_is_refused)
{
	ck_assert_msg(zone_of_rule(bad_rules[_i]) == NULL, "%s", bad_rules[_i]);
}
END_TEST

/* Before the first transition the first type holds, behind the last one the
 * last, where there is no rule. */
START_TEST(every_version_is_read)
{
	static const char versions[] = {0, '2', '3', '4'};
	const struct moment moments[] = {{1000000, 7200}, {2000000, -3600}};
	struct tzif f;
	struct zone *zone;

	build(&f, versions[_i], 1800, moments, 2, "");
	zone = zone_of(&f);
	ck_assert_ptr_nonnull(zone);
	ck_assert_int_eq(zone_to_local(zone, -1000000000000), -999999998200);
	ck_assert_int_eq(zone_to_local(zone, 999999), 999999 + 1800);
	ck_assert_int_eq(zone_to_local(zone, 1000000), 1000000 + 7200);
	ck_assert_int_eq(zone_to_local(zone, 1999999), 1999999 + 7200);
	ck_assert_int_eq(zone_to_local(zone, 2000000), 2000000 - 3600);
	ck_assert_int_eq(zone_to_local(zone, 1000000000000), 999999996400);
	zone_free(zone);
}
END_TEST

/* Changes so close that one wall clock time is shown three times. */
START_TEST(close_changes_leave_all_choices)
{
	const struct moment moments[] = {{10000, -1000}, {10500, -2000}};
	struct zone_cache cache = {0};
	struct tzif f;
	struct zone *zone;
	int64_t utc;

	build(&f, '2', 0, moments, 2, "");
	zone = zone_of(&f);
	ck_assert_ptr_nonnull(zone);
	for (int64_t u = 5000; u < 20000; u += 10) {
		enum zone_fit fit =
		    zone_to_utc(zone, &cache, zone_to_local(zone, u), u, &utc);

		ck_assert_int_eq(utc, u);
		ck_assert_int_eq(
		    fit, u < 8500 || u >= 12000 ? ZONE_ONCE : ZONE_TWICE);
	}
	zone_free(zone);
}
END_TEST

START_TEST(a_cache_changes_no_answer)
{
	struct zone *zone = open_zone(zones[_i]);
	struct zone_cache cache = {0};
	uint64_t state = 7;
	int64_t local = 0, near = 0, with, without;

	for (int i = 0; i < 50000; i++) {
		/* Small steps stay in the cached stretch, large ones leave. */
		local +=
		    (int64_t)(next_random(&state) % (400 * HOUR)) - 200 * HOUR;
		if (i % 50 == 0)
			local = (int64_t)(next_random(&state) % (1ULL << 37)) -
				(INT64_C(1) << 36);
		near = local + (int64_t)(next_random(&state) % 200000) - 100000;
		MUST(zone_to_utc(zone, &cache, local, near, &with) ==
			     zone_to_utc(zone, NULL, local, near, &without) &&
			 with == without,
		    "%s: local %lld: %lld, not %lld", zones[_i],
		    (long long)local, (long long)with, (long long)without);
	}
	zone_free(zone);
}
END_TEST

/* The table ends an hour off its rule, which changes for the first time 26
 * years later: the file says both, and the answers stay the same. */
START_TEST(a_cache_ends_with_its_cycle)
{
	static const char odd[] = "\nIST-0IST0,96,M4.1.0/1\n";
	struct zone_cache cache = {0};
	struct tzif f = {.n = 0};
	struct zone *zone;
	int64_t with, without;

	add_header(&f, '2', 0, 0, 1, 1);
	add(&f, "\0\0\0\0\0\0\0", 7);
	add_header(&f, '2', 0, 1, 1, 4);
	add_int(&f, -90000, 8);
	add(&f, "\0\0\0\x0e\x10\0\0IST\0", 11);
	add(&f, odd, sizeof(odd) - 1);
	zone = zone_new(span_of(f.p, f.n));
	ck_assert_ptr_nonnull(zone);
	for (int64_t year = 0; year < 4000; year++) {
		int64_t local = year * 366 * 24 * HOUR;

		MUST(zone_to_utc(zone, &cache, local, 0, &with) ==
			     zone_to_utc(zone, NULL, local, 0, &without) &&
			 with == without,
		    "%lld: %lld, not %lld", (long long)local, (long long)with,
		    (long long)without);
	}
	zone_free(zone);
}
END_TEST

START_TEST(the_cache_holds_a_season)
{
	struct zone *zone = open_zone("Europe/Paris");
	struct zone_cache cache = {0};
	int64_t utc;

	/* 2024-05-14 08:30:11: from 03:00 on 31 March to 02:00 on 27 October */
	zone_to_utc(zone, &cache, 1715675411, 0, &utc);
	ck_assert_int_eq(utc, 1715675411 - 2 * HOUR);
	ck_assert_int_eq(cache.offset, 2 * HOUR);
	ck_assert_int_eq(cache.from, 1711854000);
	ck_assert_int_eq(cache.until, 1729994400);
	zone_free(zone);
}
END_TEST

START_TEST(utc_is_always_there)
{
	struct zone_cache cache = {0};
	int64_t utc;

	ck_assert_int_eq(zone_to_local(zone_utc(), 12345), 12345);
	ck_assert_int_eq(
	    zone_to_utc(zone_utc(), &cache, -5, 0, &utc), ZONE_ONCE);
	ck_assert_int_eq(utc, -5);
}
END_TEST

START_TEST(no_time_is_too_far)
{
	struct zone *zone = open_zone(zones[_i]);
	static const int64_t far[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1,
	    INT64_MAX, (int64_t)1 << 60, -((int64_t)1 << 60)};
	struct zone_cache cache = {0};
	int64_t utc;

	for (size_t i = 0; i < COUNT(far); i++)
		for (size_t j = 0; j < COUNT(far); j++) {
			zone_to_local(zone, far[i]);
			zone_to_utc(zone, &cache, far[i], far[j], &utc);
			zone_to_utc(zone, &cache, 0, far[j], &utc);
		}
	zone_free(zone);
}
END_TEST

/* Files that are none */

START_TEST(a_cut_file_is_refused)
{
	static char room[1 << 16];
	struct span file = read_zone(zones[_i], room, sizeof(room));
	struct guard guard;

	guard_open(&guard, file.n);
	for (size_t n = 0; n < file.n; n++)
		MUST(zone_new(guard_place(&guard, span_take(file, n))) == NULL,
		    "%s: %zu bytes of it", zones[_i], n);
	guard_close(&guard);
}
END_TEST

enum { V1_HEADER = 44, V2 = V1_HEADER + 7, V2_DATA = V2 + 44 };

/* A byte of a good version 2 file with two transitions, and what it becomes. */
static const struct {
	const char *what;
	size_t at;
	int to;
} damages[] = {
    {"magic", 0, 'X'},
    {"second magic", V2, 'X'},
    {"second block of version 1", V2 + 4, 0},
    {"a count of UT marks", V2 + 23, 2},
    {"a count of standard marks", V2 + 27, 2},
    {"leap seconds that are not there", V2 + 31, 1},
    {"huge count", V2 + 32, 0xff},
    {"huge count of types", V2 + 36, 0xff},
    {"no types", V2 + 39, 0},
    {"no names", V2 + 43, 0},
    {"descending times", V2_DATA + 15, 1},
    {"first time too far back", V2_DATA, 0x80},
    {"last time too far on", V2_DATA + 8, 0x10},
    {"no such type", V2_DATA + 16, 3},
    {"offset of days", V2_DATA + 18 + 1, 0x7f},
    {"negative offset of days", V2_DATA + 18, 0x80},
    {"daylight mark", V2_DATA + 18 + 4, 2},
    {"name index", V2_DATA + 18 + 5, 4},
    {"no LF before the footer", V2_DATA + 18 + 18 + 4, 'x'},
    {"no LF behind the footer", V2_DATA + 18 + 18 + 4 + 5, 'x'},
};

START_TEST(a_damaged_file_is_refused)
{
	const struct moment moments[] = {{200, 0}, {400, 3600}};
	struct tzif f;
	struct zone *zone;

	build(&f, '2', 0, moments, 2, "ABC0");
	zone = zone_of(&f);
	ck_assert_ptr_nonnull(zone);
	zone_free(zone);
	if (_i == 10) /* the two times differ in their last bytes only */
		f.p[V2_DATA + 14] = 0;
	f.p[damages[_i].at] = (char)damages[_i].to;
	ck_assert_msg(zone_of(&f) == NULL, "%s", damages[_i].what);
}
END_TEST

static const struct {
	char version;
	struct moment leap[2];
	bool good;
} leap_tables[] = {
    {'2', {{78796800, 1}, {94694401, 2}}, true},
    {'2', {{78796800, 1}, {94694401, 0}}, true},
    {'2', {{78796800, 2}, {94694401, 3}}, false},
    {'2', {{78796800, 1}, {94694401, 3}}, false},
    {'2', {{78796800, 1}, {94694401, 1}}, false},
    {'2', {{78796800, 1}, {78796801, 2}}, false},
    {'2', {{94694401, 1}, {78796800, 2}}, false},
    {'2', {{-5, 1}, {78796800, 2}}, false},
    {'4', {{78796800, 9}, {94694401, 10}}, true},
    {'4', {{78796800, 9}, {94694401, 9}}, true}, /* expires */
    {'4', {{78796800, 9}, {94694401, 11}}, false},
};

START_TEST(leap_tables_are_checked)
{
	struct tzif f = {.n = 0};
	char version = leap_tables[_i].version;
	struct zone *zone;

	add_header(&f, version, 0, 0, 1, 1);
	add(&f, "\0\0\0\0\0\0", 7);
	add_block(&f, version, 8, 0, NULL, 0, leap_tables[_i].leap, 2);
	add(&f, "\n\n", 2);
	zone = zone_of(&f);
	ck_assert_int_eq(zone != NULL, leap_tables[_i].good);
	zone_free(zone);
}
END_TEST

/* Whatever a file says: an instant's wall clock time leads back to it. */
START_TEST(a_strange_file_keeps_its_word)
{
	static char room[1 << 16];
	struct span file = read_zone("Europe/Paris", room, sizeof(room));
	uint64_t state = 99;
	int accepted = 0;

	for (int i = 0; i < 20000; i++) {
		size_t at =
		    V1_HEADER + next_random(&state) % (file.n - V1_HEADER);
		char was = room[at];
		struct zone *zone;

		room[at] = (char)next_random(&state);
		zone = zone_new(file);
		room[at] = was;
		if (zone == NULL)
			continue;
		accepted++;
		for (int k = 0; k < 20; k++) {
			int64_t u =
			    (int64_t)(next_random(&state) % (1ULL << 40)) -
			    (INT64_C(1) << 38);
			int64_t back;

			zone_to_utc(
			    zone, NULL, zone_to_local(zone, u), u, &back);
			MUST(back == u, "%lld leads to %lld", (long long)u,
			    (long long)back);
		}
		zone_free(zone);
	}
	ck_assert_int_gt(accepted, 100);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("zone");
	TCase *system = tcase_create("system"), *rule = tcase_create("rules"),
	      *file = tcase_create("files"), *lookup = tcase_create("lookup");

	tcase_set_timeout(system, 300);
	tcase_add_loop_test(system, the_system_agrees, 0, COUNT(zones));
	tcase_set_timeout(rule, 120);
	tcase_add_loop_test(
	    rule, rules_are_read_as_posix_does, 0, COUNT(rules));
	tcase_add_test(rule, daylight_time_can_last_for_ever);
	tcase_add_loop_test(
	    rule, what_is_no_rule_is_refused, 0, COUNT(bad_rules));
	tcase_set_timeout(file, 120);
	tcase_add_loop_test(file, every_version_is_read, 0, 4);
	tcase_add_test(file, leap_seconds_are_taken_out);
	tcase_add_loop_test(
	    file, leap_tables_are_checked, 0, COUNT(leap_tables));
	tcase_add_loop_test(file, a_cut_file_is_refused, 0, COUNT(zones));
	tcase_add_loop_test(file, a_damaged_file_is_refused, 0, COUNT(damages));
	tcase_add_test(file, a_strange_file_keeps_its_word);
	tcase_set_timeout(lookup, 120);
	tcase_add_test(lookup, close_changes_leave_all_choices);
	tcase_add_loop_test(lookup, a_cache_changes_no_answer, 0, COUNT(zones));
	tcase_add_test(lookup, a_cache_ends_with_its_cycle);
	tcase_add_test(lookup, the_cache_holds_a_season);
	tcase_add_test(lookup, utc_is_always_there);
	tcase_add_loop_test(lookup, no_time_is_too_far, 0, COUNT(zones));
	suite_add_tcase(s, system);
	suite_add_tcase(s, rule);
	suite_add_tcase(s, file);
	suite_add_tcase(s, lookup);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
