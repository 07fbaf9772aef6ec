#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "run.h"
#include "sepm_value.h"
#include "testing.h"

/* What a reader answered, and the value: `=x`, `absent` or `wrong`. */
static void
check_answer(enum sepm_value answer, struct span value, const char *expected)
{
	static struct testing_text got;

	got = (struct testing_text){.n = 0};
	if (answer == SEPM_VALUE) {
		testing_add(&got, SPAN("="));
		testing_add(&got, value);
	} else {
		testing_add(
		    &got, span_str(answer == SEPM_ABSENT ? "absent" : "wrong"));
	}
	ck_assert_str_eq(got.p, expected);
}

struct row {
	const char *text;
	const char *expected;
};

static struct arena arena;
static struct guard guard;

static void
setup(void)
{
	ck_assert(arena_init(&arena, 1024));
	guard_open(&guard, 512);
}

static void
teardown(void)
{
	guard_close(&guard);
	arena_clear(&arena);
}

/* clang-format off */
static const struct row addresses[] = {
	{ "192.0.2.47",			"=192.0.2.47" },
	{ "255.255.255.255",		"=255.255.255.255" },
	{ "224.0.0.251",		"=224.0.0.251" },
	{ "0.0.0.1",			"=0.0.0.1" },
	{ "192.0.2.9.",			"=192.0.2.9" },
	{ "0.0.0.0",			"absent" },
	{ "0.0.0.0.",			"absent" },
	{ "",				"absent" },
	{ "::",				"absent" },
	{ "0:0:0:0:0:0:0:0",		"absent" },
	{ "2001:db8::1",		"=2001:db8::1" },
	{ "2001:DB8:0:0:0:0:0:31",	"=2001:db8::31" },
	{ "2001:0db8:0000:0000:0000:0000:0000:0031", "=2001:db8::31" },
	{ "fe80::192.0.2.47",		"=fe80::c000:22f" },
	{ "::ffff:192.0.2.47",		"=::ffff:192.0.2.47" },
	{ "ff02::fb",			"=ff02::fb" },
	{ "2001:db8:0:1:0:0:0:1",	"=2001:db8:0:1::1" },
	{ "2001:db8::1.",		"=2001:db8::1" },
	{ "::1",			"=::1" },
	{ "masked",			"wrong" },
	{ "xxx.xxx.xxx.xxx",		"wrong" },
	{ "192.0.2",			"wrong" },
	{ "192.0.2.256",		"wrong" },
	{ "192.0.2.1.1",		"wrong" },
	{ "192.0.2.",			"wrong" },
	{ "192.0.2.1..",		"wrong" },
	{ "192.0.2.01",			"wrong" },
	{ "192.0.2.1 ",			"wrong" },
	{ "192.0.2.1/24",		"wrong" },
	{ "192..2.1",			"wrong" },
	{ ".",				"wrong" },
	{ "-1.0.0.0",			"wrong" },
	{ "1:2:3:4:5:6:7",		"wrong" },
	{ "1:2:3:4:5:6:7:8:9",		"wrong" },
	{ "12345::",			"wrong" },
	{ "fe80::1%eth0",		"wrong" },
	{ ":",				"wrong" },
	{ "pc-0147",			"wrong" },
	{ "2001:0db8:0000:0000:0000:0000:0000:0031:0000:0000:0000", "wrong" },
};

static const struct row macs[] = {
	{ "08002785C5CD",		"=08:00:27:85:c5:cd" },
	{ "08002785c5cd",		"=08:00:27:85:c5:cd" },
	{ "08:00:27:85:C5:CD",		"=08:00:27:85:c5:cd" },
	{ "08-00-27-85-C5-CD",		"=08:00:27:85:c5:cd" },
	{ "08.00.27.85.C5.CD",		"=08:00:27:85:c5:cd" },
	{ "0800.2785.C5CD",		"=08:00:27:85:c5:cd" },
	{ "FFFFFFFFFFFF",		"=ff:ff:ff:ff:ff:ff" },
	{ "000000000001",		"=00:00:00:00:00:01" },
	{ "000000000000",		"absent" },
	{ "00:00:00:00:00:00",		"absent" },
	{ "",				"absent" },
	{ "lobby-switch",		"wrong" },
	{ "08002785C5C",		"wrong" },
	{ "08002785C5CDE",		"wrong" },
	{ "08002785C5CG",		"wrong" },
	{ "08::00:27:85:C5:CD",		"wrong" },
	{ ":08:00:27:85:C5:CD",		"wrong" },
	{ "08:00:27:85:C5:CD:",		"wrong" },
	{ "8:0:27:85:c5:cd",		"wrong" },
	{ "08 00 27 85 C5 CD",		"wrong" },
	{ "-",				"wrong" },
};

#define SHA "A7D1C3F05B9E4826D0F7B3A15C8E9264F1D03B7A5E6C4982B0D7F3E1A59C8640"
#define SHA_LOWER                                                              \
	"a7d1c3f05b9e4826d0f7b3a15c8e9264f1d03b7a5e6c4982b0d7f3e1a59c8640"
#define ZEROS "00000000000000000000000000000000"

static const struct {
	const char *text;
	size_t digits;
	const char *expected;
} hashes[] = {
	{ SHA,					64, "=" SHA_LOWER },
	{ SHA_LOWER,				64, "=" SHA_LOWER },
	{ "5C8E9264F1D03B7AA7D1C3F05B9E4826",	32,
	  "=5c8e9264f1d03b7aa7d1c3f05b9e4826" },
	{ "",					64, "absent" },
	{ ZEROS ZEROS,				64, "absent" },
	{ ZEROS,				32, "absent" },
	{ ZEROS,				64, "wrong" },
	{ SHA,					32, "wrong" },
	{ SHA "0",				64, "wrong" },
	{ "5C8E9264F1D03B7AA7D1C3F05B9E482",	32, "wrong" },
	{ "5C8E9264F1D03B7AA7D1C3F05B9E482g",	32, "wrong" },
	{ "n/a",				32, "wrong" },
};

static const struct {
	const char *text;
	uint64_t max;
	const char *expected;
} numbers[] = {
	{ "0",				65535, "=0" },
	{ "443",			65535, "=443" },
	{ "65535",			65535, "=65535" },
	{ "00443",			65535, "=443" },
	{ "65536",			65535, "wrong" },
	{ "70000",			65535, "wrong" },
	{ "",				65535, "absent" },
	{ "many",			65535, "wrong" },
	{ "-1",				65535, "wrong" },
	{ "+1",				65535, "wrong" },
	{ "1.0",			65535, "wrong" },
	{ "1 ",				65535, "wrong" },
	{ "0x50",			65535, "wrong" },
	{ "1",				0, "wrong" },
	{ "0",				0, "=0" },
	{ "5",				7, "=5" },
	{ "8",				7, "wrong" },
	{ "9223372036854775807",	INT64_MAX, "=9223372036854775807" },
	{ "9223372036854775808",	INT64_MAX, "wrong" },
	{ "18446744073709551615",	UINT64_MAX, "=18446744073709551615" },
	{ "18446744073709551616",	UINT64_MAX, "wrong" },
	{ "99999999999999999999999999",	UINT64_MAX, "wrong" },
};
/* clang-format on */

START_TEST(addresses_are_canonical)
{
	struct span text = guard_place(&guard, span_str(addresses[_i].text));
	struct span ip = {"", 0};

	check_answer(
	    sepm_read_ip(text, &arena, &ip), ip, addresses[_i].expected);
}
END_TEST

START_TEST(macs_have_colons_and_lower_case)
{
	struct span text = guard_place(&guard, span_str(macs[_i].text));
	struct span mac = {"", 0};

	check_answer(sepm_read_mac(text, &arena, &mac), mac, macs[_i].expected);
}
END_TEST

START_TEST(hashes_have_their_full_length)
{
	struct span text = guard_place(&guard, span_str(hashes[_i].text));
	struct span hash = {"", 0};
	enum sepm_value answer =
	    sepm_read_hash(text, hashes[_i].digits, &arena, &hash);

	check_answer(answer, hash, hashes[_i].expected);
}
END_TEST

START_TEST(numbers_are_decimal_and_in_range)
{
	struct span text = guard_place(&guard, span_str(numbers[_i].text));
	struct testing_text digits = {.n = 0};
	uint64_t number = 7;
	enum sepm_value answer =
	    sepm_read_number(text, numbers[_i].max, &number);

	if (answer == SEPM_VALUE)
		testing_add_number(&digits, number);
	else
		ck_assert_uint_eq(number, 7);
	check_answer(answer, span_of(digits.p, digits.n), numbers[_i].expected);
}
END_TEST

/* clang-format off */
static const struct {
	const char *text;
	unsigned kinds;
	const char *expected;
} times[] = {
	{ "2016-07-19 14:43:17", TIMESTAMP_ISO, "=2016-07-19T14:43:17Z" },
	{ "2016-07-19  14:43:17", TIMESTAMP_ISO, "=2016-07-19T14:43:17Z" },
	{ "2016-07-19T14:43:17Z", TIMESTAMP_ISO, "=2016-07-19T14:43:17Z" },
	{ "2016-07-19 14:43:17 +02:00", TIMESTAMP_ISO, "=2016-07-19T12:43:17Z" },
	{ "2016-07-19 14:43:17 -0930", TIMESTAMP_ISO, "=2016-07-20T00:13:17Z" },
	{ "2016-02-29 00:00:00", TIMESTAMP_ISO, "=2016-02-29T00:00:00Z" },
	{ "07/19/2016 14:46:53", TIMESTAMP_US24, "=2016-07-19T14:46:53Z" },
	{ "7/9/2016 1:46:53 PM", TIMESTAMP_US12, "=2016-07-09T13:46:53Z" },
	{ "", TIMESTAMP_ISO, "absent" },
	{ "yesterday", TIMESTAMP_ISO, "wrong" },
	{ "2024-05-14", TIMESTAMP_ISO, "wrong" },
	{ "2024-05-14 ", TIMESTAMP_ISO, "wrong" },
	{ "2024-05-14 08:30", TIMESTAMP_ISO, "wrong" },
	{ "2015-02-29 00:00:00", TIMESTAMP_ISO, "wrong" },
	{ "2016-13-01 00:00:00", TIMESTAMP_ISO, "wrong" },
	{ "2016-07-19 24:00:00", TIMESTAMP_ISO, "wrong" },
	{ "2016-07-19 14:43:17x", TIMESTAMP_ISO, "wrong" },
	{ "2016-07-19 14:43:17 UTC", TIMESTAMP_ISO, "wrong" },
	{ "07/19/2016 14:46:53", TIMESTAMP_ISO, "wrong" },
	{ "2016-07-19 14:43:17", TIMESTAMP_US24, "wrong" },
	{ "0", TIMESTAMP_ISO, "wrong" },
};
/* clang-format on */

START_TEST(times_are_whole_stamps)
{
	struct span text = guard_place(&guard, span_str(times[_i].text));
	struct timestamp_date date = {{0}, 0};
	struct sepm_clock clock = {zone_utc(), NULL, &date, 0};
	struct timestamp_days days = {0};
	char out[TIMESTAMP_RFC3339];
	int64_t time = 7;
	bool twice = false;
	enum sepm_value answer =
	    sepm_read_time(text, times[_i].kinds, &clock, &time, &twice);

	if (answer == SEPM_VALUE)
		timestamp_format(time, &days, out);
	check_answer(answer, span_of(out, sizeof(out)), times[_i].expected);
	ck_assert(!twice);
}
END_TEST

typedef struct span word_fn(struct span word, struct arena *arena);

static const struct {
	word_fn *map;
	const char *text, *expected;
} words[] = {
    {sepm_direction, "Inbound", "inbound"},
    {sepm_direction, "OUTBOUND", "outbound"},
    {sepm_direction, "unknown", "unknown"},
    {sepm_direction, "入站", "inbound"},
    {sepm_direction, "出站", "outbound"},
    {sepm_direction, "Herein", "herein"},
    {sepm_direction, "2", "2"},
    {sepm_direction, "", ""},
    {sepm_action, "Allowed", "allowed"},
    {sepm_action, "blocked", "blocked"},
    {sepm_action, "Not blocked", "allowed"},
    {sepm_action, "Bloqués", "blocked"},
    {sepm_action, "Ask", "ask"},
    {sepm_action, "Continue", "continue"},
    {sepm_action, "Terminate", "terminate"},
    {sepm_action, "Fragen Übel", "fragen Übel"},
    {sepm_action, "", ""},
    {sepm_protocol, "TCP", "tcp"},
    {sepm_protocol, "udp", "udp"},
    {sepm_protocol, "ICMP", "icmp"},
    {sepm_protocol, "OTHERS", "others"},
    {sepm_protocol, "ETHERNET", "ethernet"},
    {sepm_protocol, "Unknown", "unknown"},
    {sepm_protocol, "7", "7"},
    {sepm_protocol, "IPv6-ICMP", "ipv6-icmp"},
    {sepm_protocol, "GRE over IP", "gre over ip"},
};

START_TEST(words_become_those_of_the_record)
{
	struct span text = guard_place(&guard, span_str(words[_i].text));
	struct span got = words[_i].map(text, &arena);

	ck_assert_msg(span_eq(got, span_str(words[_i].expected)), "%.*s",
	    (int)got.n, got.p);
}
END_TEST

START_TEST(known_words_are_told_from_others)
{
	ck_assert(sepm_is_direction(SPAN("Inbound")));
	ck_assert(sepm_is_direction(SPAN("outbound")));
	ck_assert(sepm_is_direction(SPAN("出站")));
	ck_assert(!sepm_is_direction(SPAN("TCP")));
	ck_assert(!sepm_is_direction(SPAN("")));
	ck_assert(!sepm_is_direction(SPAN("Inbound ")));
	ck_assert(sepm_is_protocol(SPAN("TCP")));
	ck_assert(sepm_is_protocol(SPAN("7")));
	ck_assert(sepm_is_protocol(SPAN("255")));
	ck_assert(!sepm_is_protocol(SPAN("256")));
	ck_assert(!sepm_is_protocol(SPAN("")));
	ck_assert(!sepm_is_protocol(SPAN("Inbound")));
}
END_TEST

START_TEST(severities_are_syslog_keywords)
{
	ck_assert(span_eq(sepm_severity(SPAN("Critical")), SPAN("crit")));
	ck_assert(span_eq(sepm_severity(SPAN("major")), SPAN("err")));
	ck_assert(span_eq(sepm_severity(SPAN("Minor")), SPAN("warning")));
	ck_assert(span_eq(sepm_severity(SPAN("INFO")), SPAN("info")));
	ck_assert_uint_eq(sepm_severity(SPAN("Warning")).n, 0);
	ck_assert_uint_eq(sepm_severity(SPAN("Infos")).n, 0);
	ck_assert_uint_eq(sepm_severity(SPAN("")).n, 0);
}
END_TEST

/* Values come to no harm where there is no room for their new form. */
START_TEST(a_full_arena_gives_no_value)
{
	struct arena none = {NULL, 0, 0};
	struct span out;

	ck_assert_int_ne(
	    sepm_read_ip(SPAN("2001:DB8::1"), &none, &out), SEPM_VALUE);
	ck_assert_int_ne(
	    sepm_read_mac(SPAN("08002785C5CD"), &none, &out), SEPM_VALUE);
	ck_assert_int_ne(
	    sepm_read_hash(SPAN(SHA), 64, &none, &out), SEPM_VALUE);
	ck_assert_uint_eq(sepm_action(SPAN("Ask"), &none).n, 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("value");
	TCase *tc = tcase_create("readers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, addresses_are_canonical, 0, COUNT(addresses));
	tcase_add_loop_test(
	    tc, macs_have_colons_and_lower_case, 0, COUNT(macs));
	tcase_add_loop_test(
	    tc, hashes_have_their_full_length, 0, COUNT(hashes));
	tcase_add_loop_test(
	    tc, numbers_are_decimal_and_in_range, 0, COUNT(numbers));
	tcase_add_loop_test(tc, times_are_whole_stamps, 0, COUNT(times));
	tcase_add_loop_test(
	    tc, words_become_those_of_the_record, 0, COUNT(words));
	tcase_add_test(tc, known_words_are_told_from_others);
	tcase_add_test(tc, severities_are_syslog_keywords);
	tcase_add_test(tc, a_full_arena_gives_no_value);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
