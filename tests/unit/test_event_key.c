#include <check.h>
#include <stdlib.h>

#include "event_key.h"
#include "memory.h"
#include "run.h"
#include "sha256.h"
#include "testing.h"

static struct event_key *key;
static struct record record;

static void
setup(void)
{
	key = event_key_new();
	ck_assert_ptr_nonnull(key);
}

static void
teardown(void)
{
	event_key_free(key);
}

static void
set(enum record_field f, const char *text)
{
	record_set_text(&record, f, span_str(text));
}

static void
an_event(void)
{
	record_reset(&record);
	record.type = RECORD_TRAFFIC;
	set(RECORD_F_HOST, "pc-0147");
	set(RECORD_F_LOCAL_IP, "192.0.2.47");
	set(RECORD_F_REMOTE_IP, "198.51.100.20");
	set(RECORD_F_PROTOCOL, "tcp");
	set(RECORD_F_DIRECTION, "outbound");
	set(RECORD_F_APPLICATION, "C:/Tools/a.exe");
	set(RECORD_F_RULE, "Permit web");
	set(RECORD_F_ACTION, "allowed");
	record_set_number(&record, RECORD_F_LOCAL_PORT, 50000);
	record_set_number(&record, RECORD_F_REMOTE_PORT, 443);
	record_set_time(&record, RECORD_F_BEGIN, 1715686500);
	record_set_number(&record, RECORD_F_OCCURRENCES, 2);
}

static const char *
key_of(void)
{
	static char text[2][EVENT_KEY_DIGITS + 1];
	static unsigned turn;
	char *out = text[turn ^= 1];
	struct span value;

	record_unset(&record, RECORD_F_EVENT_KEY);
	event_key_set(key, &record);
	value = record_text(&record, RECORD_F_EVENT_KEY);
	ck_assert_uint_eq(value.n, EVENT_KEY_DIGITS);
	memcpy(out, value.p, value.n);
	return out;
}

/* Written down: stored keys stay good from one release to the next. The text
 * that is hashed, for anyone who wants the same elsewhere:
 *   printf 'traffic\36host\37pc-0147\36...' | sha256sum | cut -c1-32 */
START_TEST(a_key_never_changes)
{
	an_event();
	ck_assert_str_eq(key_of(), "818c25afdc1dfb57bb3ad200e576c7e7");
	record_reset(&record);
	record.type = RECORD_SCAN;
	set(RECORD_F_HOST, "pc-1");
	set(RECORD_F_SCAN_ID, "7");
	record_add_extra(&record, SPAN("Tenant"), SPAN("east"));
	ck_assert_str_eq(key_of(), "74d7612336b71b12327c28b47e51332d");
}
END_TEST

/* The text that is hashed, written out. */
static void
expect_hashed(struct span text)
{
	struct sha256 *sha = sha256_new();
	uint8_t sum[SHA256_SIZE];
	char hex[SHA256_HEX];

	ck_assert_ptr_nonnull(sha);
	sha256_begin(sha);
	sha256_add(sha, text);
	sha256_end(sha, sum);
	sha256_free(sha);
	sha256_hex(sum, hex);
	ck_assert(memcmp(key_of(), hex, EVENT_KEY_DIGITS) == 0);
}

START_TEST(each_kind_of_value_counts)
{
	record_reset(&record);
	record.type = RECORD_SCAN;
	record_add_extra(&record, SPAN("Tenant"), SPAN("east"));
	record_add_extra(&record, SPAN("Rack"), SPAN("4"));
	record.addresses = 2;
	record.address[0] = (struct record_address){
	    SPAN("192.0.2.1"), SPAN("02:00:00:00:00:01"), SPAN("192.0.2.254")};
	record.address[1] =
	    (struct record_address){SPAN("192.0.2.2"), SPAN(""), SPAN("")};
	record_mark(&record, RECORD_F_ADDRESSES);
	record.value[RECORD_F_ICMP].pair[0] = 8;
	record.value[RECORD_F_ICMP].pair[1] = 0;
	record_mark(&record, RECORD_F_ICMP);
	/* none of the event, but of how it came */
	record.flags = 1;
	record_mark(&record, RECORD_F_FLAGS);
	expect_hashed(SPAN("scan\36"
			   "icmp\0378\0370\36"
			   "addresses\037192.0.2.1\03702:00:00:00:00:01\037"
			   "192.0.2.254\037192.0.2.2\037\037\037\36"
			   "extra\037Tenant\037east\037Rack\0374\037\36"));
}
END_TEST

/* More than is hashed at once. */
START_TEST(a_long_text_counts_as_a_whole)
{
	static char text[3000];
	static char hashed[sizeof(text) + 100];
	int n;

	memset(text, 'x', sizeof(text) - 1);
	record_reset(&record);
	record.type = RECORD_SCAN;
	set(RECORD_F_REASON, text);
	n = snprintf(hashed, sizeof(hashed), "scan\36reason\037%s\36", text);
	expect_hashed(span_of(hashed, (size_t)n));
}
END_TEST

START_TEST(without_memory_there_is_no_key)
{
	struct event_key *none;
	size_t nth;

	event_key_free(NULL);
	if (!MEMORY_CAN_FAIL)
		return;
	for (nth = 1; nth <= 2; nth++) {
		failing = allocations + nth;
		none = event_key_new();
		failing = 0;
		ck_assert_ptr_null(none);
	}
}
END_TEST

/* How a record came, and what not every source has. */
START_TEST(how_it_came_makes_no_difference)
{
	char first[EVENT_KEY_DIGITS + 1];

	an_event();
	snprintf(first, sizeof first, "%s", key_of());
	set(RECORD_F_SEPM, "sepm-north");
	set(RECORD_F_SEVERITY, "info");
	set(RECORD_F_FACILITY, "lpr");
	set(RECORD_F_TRANSPORT, "udp");
	set(RECORD_F_PEER, "192.0.2.5");
	set(RECORD_F_USER, "mwhite");
	set(RECORD_F_DOMAIN, "BIRCH");
	set(RECORD_F_DOMAIN_NAME, "Default");
	set(RECORD_F_LOCATION, "Branch");
	set(RECORD_F_REMOTE_NAME, "www.example");
	set(RECORD_F_SHA256, "00");
	record_set_time(&record, RECORD_F_TIME, 1);
	record_set_time(&record, RECORD_F_END, 1);
	record_set_time(&record, RECORD_F_RECEIVED, 1);
	record_set_number(&record, RECORD_F_USN, 7);
	set(RECORD_F_HOST, "PC-0147");
	set(RECORD_F_APPLICATION, "c:\\tools\\A.EXE");
	ck_assert_str_eq(key_of(), first);
}
END_TEST

START_TEST(protocols_without_a_name_in_the_database_are_alike)
{
	static const char *const alike[] = {
	    "ethernet", "unknown", "7", "ipv6-icmp"};
	char first[EVENT_KEY_DIGITS + 1];

	an_event();
	set(RECORD_F_PROTOCOL, "others");
	snprintf(first, sizeof first, "%s", key_of());
	for (size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++) {
		set(RECORD_F_PROTOCOL, alike[i]);
		ck_assert_str_eq(key_of(), first);
	}
	record_unset(&record, RECORD_F_LOCAL_PORT);
	ck_assert_str_eq(key_of(), first);
	set(RECORD_F_PROTOCOL, "icmp");
	ck_assert_str_ne(key_of(), first);
}
END_TEST

/* Each of these alone makes another event. */
START_TEST(every_part_counts)
{
	static const enum record_field texts[] = {RECORD_F_HOST,
	    RECORD_F_LOCAL_IP, RECORD_F_REMOTE_IP, RECORD_F_PROTOCOL,
	    RECORD_F_DIRECTION, RECORD_F_APPLICATION, RECORD_F_RULE,
	    RECORD_F_ACTION};
	static const enum record_field numbers[] = {
	    RECORD_F_LOCAL_PORT, RECORD_F_REMOTE_PORT, RECORD_F_OCCURRENCES};
	char first[EVENT_KEY_DIGITS + 1];

	an_event();
	snprintf(first, sizeof first, "%s", key_of());
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		an_event();
		set(texts[i], "udp"); /* a protocol, and anything else */
		ck_assert_str_ne(key_of(), first);
		record_unset(&record, texts[i]);
		ck_assert_str_ne(key_of(), first);
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		an_event();
		record_set_number(&record, numbers[i], 3);
		ck_assert_str_ne(key_of(), first);
	}
	an_event();
	record_set_time(&record, RECORD_F_BEGIN, 1715686501);
	ck_assert_str_ne(key_of(), first);
	record.type = RECORD_PACKET;
	ck_assert_str_ne(key_of(), first);
}
END_TEST

/* A value cannot pass for the end of another. */
START_TEST(values_do_not_run_into_each_other)
{
	char first[EVENT_KEY_DIGITS + 1];

	record_reset(&record);
	record.type = RECORD_ADMIN;
	set(RECORD_F_SITE, "ab");
	set(RECORD_F_ADMIN, "c");
	snprintf(first, sizeof first, "%s", key_of());
	set(RECORD_F_SITE, "a");
	set(RECORD_F_ADMIN, "bc");
	ck_assert_str_ne(key_of(), first);
}
END_TEST

START_TEST(long_values_are_hashed_whole)
{
	static char long_text[100000];
	char first[EVENT_KEY_DIGITS + 1];

	memset(long_text, 'x', sizeof(long_text));
	record_reset(&record);
	record.type = RECORD_RISK;
	record_set_text(
	    &record, RECORD_F_FILE_PATH, span_of(long_text, sizeof(long_text)));
	snprintf(first, sizeof first, "%s", key_of());
	for (size_t at = 0; at < sizeof(long_text); at += 511) {
		long_text[at] = 'y';
		ck_assert_str_ne(key_of(), first);
		long_text[at] = 'x';
	}
	ck_assert_str_eq(key_of(), first);
}
END_TEST

START_TEST(what_is_not_understood_has_none)
{
	record_reset(&record);
	event_key_set(key, &record);
	ck_assert(!record_has(&record, RECORD_F_EVENT_KEY));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("event_key");
	TCase *tests = tcase_create("event_key");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_key_never_changes);
	tcase_add_test(tests, each_kind_of_value_counts);
	tcase_add_test(tests, a_long_text_counts_as_a_whole);
	tcase_add_test(tests, without_memory_there_is_no_key);
	tcase_add_test(tests, how_it_came_makes_no_difference);
	tcase_add_test(
	    tests, protocols_without_a_name_in_the_database_are_alike);
	tcase_add_test(tests, every_part_counts);
	tcase_add_test(tests, values_do_not_run_into_each_other);
	tcase_add_test(tests, long_values_are_hashed_whole);
	tcase_add_test(tests, what_is_not_understood_has_none);
	suite_add_tcase(s, tests);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
