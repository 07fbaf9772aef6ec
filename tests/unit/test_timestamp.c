#include <check.h>
#include <stdlib.h>

#include "timestamp.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* 2024-06-30T00:00:00Z */
static const int64_t reference = 1719705600;

static const struct {
	unsigned kinds;
	const char *text;
	size_t used;     /* 0: no stamp */
	const char *utc; /* resolved */
} cases[] = {
    {TIMESTAMP_BSD, "May 14 08:30:11 x", 15, "2024-05-14T08:30:11Z"},
    {TIMESTAMP_BSD, "May  4 08:30:11", 15, "2024-05-04T08:30:11Z"},
    {TIMESTAMP_BSD, "May 4 08:30:11", 14, "2024-05-04T08:30:11Z"},
    {TIMESTAMP_BSD, "June  4 08:35:00 h", 16, "2024-06-04T08:35:00Z"},
    {TIMESTAMP_BSD, "Dec 31 23:59:60", 15, "2023-12-31T23:59:59Z"},
    {TIMESTAMP_BSD, "Feb 29 00:00:00", 15, "2024-02-29T00:00:00Z"},
    {TIMESTAMP_BSD, "Feb 30 00:00:00", 0, NULL},
    {TIMESTAMP_BSD, "May 14 24:00:00", 0, NULL},
    {TIMESTAMP_BSD, "May 14 08:30:1", 0, NULL},
    {TIMESTAMP_BSD, "May 14 08:30:111", 0, NULL},
    {TIMESTAMP_ISO, "2024-05-14T10:36:30+02:00", 25, "2024-05-14T08:36:30Z"},
    {TIMESTAMP_ISO, "2024-05-14T10:36:30Z", 20, "2024-05-14T10:36:30Z"},
    {TIMESTAMP_ISO, "2024-05-14 10:36:30", 19, "2024-05-14T10:36:30Z"},
    {TIMESTAMP_ISO, "2024-05-14", 0, NULL},
    {TIMESTAMP_ISO, "2023-02-29 10:36:30", 0, NULL},
    {TIMESTAMP_US12, "7/20/2016 5:50:50 PM [", 20, "2016-07-20T17:50:50Z"},
    {TIMESTAMP_US12, "12/1/2023 12:00:01 AM", 21, "2023-12-01T00:00:01Z"},
    {TIMESTAMP_US24, "07/19/2016 14:46:53", 19, "2016-07-19T14:46:53Z"},
    {TIMESTAMP_CLOCK, "08:36:00 S", 8, "2024-06-30T08:36:00Z"},
    {TIMESTAMP_CLOCK, "13:36:00", 8, "2024-06-29T13:36:00Z"},
    {TIMESTAMP_BSD, "2024-05-14T10:36:30Z", 0, NULL},
};

START_TEST(a_stamp_is_read_and_resolved)
{
	struct timestamp stamp;
	bool twice = false;
	int64_t utc;
	char out[TIMESTAMP_RFC3339 + 1] = {0};

	ck_assert_uint_eq(
	    timestamp_scan(span_str(cases[_i].text), cases[_i].kinds, &stamp),
	    cases[_i].used);
	if (cases[_i].used == 0)
		return;
	ck_assert(timestamp_resolve(
	    &stamp, zone_utc(), NULL, reference, &utc, &twice));
	timestamp_format(utc, out);
	ck_assert_str_eq(out, cases[_i].utc);
	ck_assert(!twice);
}
END_TEST

/* Each prefix on the heap, so that a sanitizer sees a read beyond it. */
START_TEST(a_cut_stamp_is_none)
{
	size_t used = cases[_i].used;

	for (size_t n = 0; n < used; n++) {
		struct timestamp stamp;
		char *cut = malloc(n + 1);
		size_t got;

		ck_assert_ptr_nonnull(cut);
		memcpy(cut, cases[_i].text, n);
		got = timestamp_scan(span_of(cut, n), cases[_i].kinds, &stamp);
		ck_assert_uint_le(got, n);
		free(cut);
	}
}
END_TEST

static const struct {
	const char *text;
	const char *reference;
	const char *utc;
} years[] = {
    {"Dec 30 12:00:00", "2025-01-02T00:00:00Z", "2024-12-30T12:00:00Z"},
    {"Jan  1 00:00:05", "2024-12-31T23:59:00Z", "2025-01-01T00:00:05Z"},
    {"Feb 29 12:00:00", "2025-03-01T00:00:00Z", "2024-02-29T12:00:00Z"},
    {"Feb 29 12:00:00", "2027-06-01T00:00:00Z", "2028-02-29T12:00:00Z"},
    {"Jul  1 00:00:00", "2024-06-30T00:00:00Z", "2024-07-01T00:00:00Z"},
};

START_TEST(the_year_is_the_nearest)
{
	struct timestamp stamp, now;
	char out[TIMESTAMP_RFC3339 + 1] = {0};
	bool twice = false;
	int64_t near, utc;

	ck_assert(
	    timestamp_scan(span_str(years[_i].reference), TIMESTAMP_ISO, &now));
	ck_assert(timestamp_resolve(&now, zone_utc(), NULL, 0, &near, &twice));
	ck_assert(
	    timestamp_scan(span_str(years[_i].text), TIMESTAMP_BSD, &stamp));
	ck_assert(
	    timestamp_resolve(&stamp, zone_utc(), NULL, near, &utc, &twice));
	timestamp_format(utc, out);
	ck_assert_str_eq(out, years[_i].utc);
}
END_TEST

START_TEST(microseconds_are_written_in_full)
{
	char out[TIMESTAMP_RFC3339_US + 1] = {0};

	timestamp_format_us(INT64_C(1719705600000042), out);
	ck_assert_str_eq(out, "2024-06-30T00:00:00.000042Z");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("timestamp");
	TCase *t = tcase_create("timestamp");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(t, a_stamp_is_read_and_resolved, 0, COUNT(cases));
	tcase_add_loop_test(t, a_cut_stamp_is_none, 0, COUNT(cases));
	tcase_add_loop_test(t, the_year_is_the_nearest, 0, COUNT(years));
	tcase_add_test(t, microseconds_are_written_in_full);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
