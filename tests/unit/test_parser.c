#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "parser.h"
#include "timestamp.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define TRAFFIC                                                                \
	"pc,Local: 192.0.2.1,Local: 1,Local: 00005E005301,Remote: 192.0.2.2,"  \
	"Remote: ,Remote: 2,Remote: 00005E0053FE,TCP,Outbound,Begin: %s,End: " \
	"%s,Occurrences: 1,Application: a,Rule: r,Location: l,User: "          \
	"u,Domain: "                                                           \
	"d,Action: Allowed"

enum { MAX = 4096 };

static struct parser *parser;
static struct record record;
static struct message_source source;

/* The system's own file: what the tests need is in it since 2007. */
static struct zone *
load_zone(const char *path)
{
	static char data[65536];
	FILE *file = fopen(path, "rb");
	size_t n;

	ck_assert_ptr_nonnull(file);
	n = fread(data, 1, sizeof(data), file);
	fclose(file);
	return zone_new(span_of(data, n));
}

static int64_t
instant(const char *text)
{
	struct timestamp stamp;
	bool twice = false;
	int64_t utc;

	ck_assert(timestamp_scan(span_str(text), TIMESTAMP_ISO, &stamp));
	ck_assert(timestamp_resolve(&stamp, zone_utc(), NULL, 0, &utc, &twice));
	return utc;
}

static void
parse(const char *text, size_t n, const char *received)
{
	struct message m = {.bytes = span_of(text, n),
	    .length = n,
	    .reference = instant(received)};

	parser_parse(parser, &m, &source, &record);
}

static void
setup(void)
{
	parser = parser_new(MAX);
	ck_assert_ptr_nonnull(parser);
	source = (struct message_source){
	    .zone = zone_utc(), .codepage = &text_windows_1252};
}

static void
teardown(void)
{
	parser_free(parser);
}

static const struct {
	const char *zone; /* NULL: UTC */
	const char *begin;
	const char *received;
	const char *utc;
	bool twice;
} times[] = {
    {NULL, "2024-05-14 08:26:02", "2024-05-14T09:00:00Z",
	"2024-05-14T08:26:02Z", false},
    {"Europe/Paris", "2024-05-14 08:26:02", "2024-05-14T09:00:00Z",
	"2024-05-14T06:26:02Z", false},
    /* the repeated hour, from either side */
    {"Europe/Paris", "2024-10-27 02:30:00", "2024-10-27T00:31:00Z",
	"2024-10-27T00:30:00Z", true},
    {"Europe/Paris", "2024-10-27 02:30:00", "2024-10-27T01:31:00Z",
	"2024-10-27T01:30:00Z", true},
    {"America/New_York", "2024-11-03 01:30:00", "2024-11-03T05:40:00Z",
	"2024-11-03T05:30:00Z", true},
    {"America/New_York", "2024-11-03 01:30:00", "2024-11-03T06:40:00Z",
	"2024-11-03T06:30:00Z", true},
    /* an hour that no clock showed */
    {"Europe/Paris", "2024-03-31 02:30:00", "2024-03-31T01:40:00Z",
	"2024-03-31T01:30:00Z", false},
};

START_TEST(times_are_those_of_the_sources_wall_clock)
{
	char path[128], text[1024], out[TIMESTAMP_RFC3339 + 1] = {0};
	struct zone *zone = NULL;
	int n;

	if (times[_i].zone != NULL) {
		snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s",
		    times[_i].zone);
		zone = load_zone(path);
		ck_assert_ptr_nonnull(zone);
		source.zone = zone;
	}
	n = snprintf(text, sizeof(text), "SymantecServer: " TRAFFIC,
	    times[_i].begin, times[_i].begin);
	parse(text, (size_t)n, times[_i].received);
	ck_assert_int_eq(record.type, RECORD_TRAFFIC);
	ck_assert(record_has(&record, RECORD_F_BEGIN));
	timestamp_format(record.value[RECORD_F_BEGIN].time, out);
	ck_assert_str_eq(out, times[_i].utc);
	ck_assert_int_eq(
	    (record.flags & RECORD_TIME_AMBIGUOUS) != 0, times[_i].twice);
	zone_free(zone);
}
END_TEST

/* However it is cut, a message is one record of a plausible type. */
START_TEST(a_message_cut_anywhere_is_one_record)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
	    "<54>May 14 08:30:11 sepm-north SymantecServer: " TRAFFIC,
	    "2024-05-14 08:26:02", "2024-05-14 08:26:02");

	for (int cut = 0; cut <= n; cut++) {
		char *exact = malloc((size_t)cut + 1);

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, text, (size_t)cut);
		parse(exact, (size_t)cut, "2024-05-14T09:00:00Z");
		ck_assert(record.type == RECORD_TRAFFIC ||
			  record.type == RECORD_UNPARSED);
		ck_assert(record.type == RECORD_TRAFFIC ||
			  record_has(&record, RECORD_F_REASON));
		if (record.type == RECORD_TRAFFIC && cut < n - 20)
			ck_assert(record.flags & RECORD_TRUNCATED ||
				  !record_has(&record, RECORD_F_ACTION));
		free(exact);
	}
	ck_assert_int_eq(record.type, RECORD_TRAFFIC);
	ck_assert_uint_eq(record.flags, 0);
}
END_TEST

START_TEST(a_message_over_the_limit_says_its_length)
{
	static char text[2 * MAX];
	struct message m = {.bytes = span_of(text, MAX), .length = 2 * MAX};

	memset(text, 'x', sizeof(text));
	parser_parse(parser, &m, &source, &record);
	ck_assert_int_eq(record.type, RECORD_UNPARSED);
	ck_assert(record.flags & RECORD_TRUNCATED);
	ck_assert_uint_eq(
	    record.value[RECORD_F_ORIGINAL_LENGTH].number, 2 * MAX);
	ck_assert_uint_eq(record.original.n, MAX);
}
END_TEST

START_TEST(bytes_that_are_not_understood_can_be_had_back)
{
	parse("\xff\xfe\0x", 4, "2024-05-14T09:00:00Z");
	ck_assert_int_eq(record.type, RECORD_UNPARSED);
	ck_assert(span_eq(
	    record_text(&record, RECORD_F_RAW_BASE64), SPAN("//4AeA==")));
	ck_assert(!record_has(&record, RECORD_F_RAW));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("parser");
	TCase *t = tcase_create("parser");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(
	    t, times_are_those_of_the_sources_wall_clock, 0, COUNT(times));
	tcase_add_test(t, a_message_cut_anywhere_is_one_record);
	tcase_add_test(t, a_message_over_the_limit_says_its_length);
	tcase_add_test(t, bytes_that_are_not_understood_can_be_had_back);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
