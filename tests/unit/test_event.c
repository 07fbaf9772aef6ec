#include <check.h>
#include <stdio.h>
#include <string.h>

#include "community_id.h"
#include "event.h"
#include "run.h"
#include "sha1.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A record's room is big. */
static struct record record;

static void
set(enum record_field f, const char *text)
{
	record_set_text(&record, f, span_str(text));
}

/* SHA-1: FIPS 180-4's examples, and lengths around those of its chunks. */

static const struct {
	const char *unit;
	int count;
	const char *digest;
} hashes[] = {
    {"abc", 1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {"", 1, "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	"84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
    {"a", 1000, "291e9a6c66994949b57ba5e650361e98fc36b1ba"},
    {"a", 55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"},
    {"a", 56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"},
    {"a", 63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"},
    {"a", 64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"},
    {"a", 65, "11655326c708d70319be2610e8a57d9a5b959d3b"},
};

START_TEST(hashes_are_the_standards)
{
	char text[1024], hex[2 * SHA1_SIZE + 1];
	unsigned char digest[SHA1_SIZE];
	size_t n = 0;

	for (int i = 0; i < hashes[_i].count; i++)
		n += (size_t)sprintf(text + n, "%s", hashes[_i].unit);
	sha1(span_of(text, n), digest);
	for (int i = 0; i < SHA1_SIZE; i++)
		sprintf(hex + 2 * i, "%02x", digest[i]);
	ck_assert_str_eq(hex, hashes[_i].digest);
}
END_TEST

/* Community ID: values that its authors and others publish. */

static const struct {
	struct community_end a, b;
	int protocol;
	const char *id; /* NULL: none */
} flows[] = {
#define END(ip, port)                                                          \
	{                                                                      \
		{ip, sizeof(ip) - 1}, port                                     \
	}
    {END("128.232.110.120", 34855), END("66.35.250.204", 80), 6,
	"1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
    {END("192.168.1.52", 54585), END("8.8.8.8", 53), 17,
	"1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
    {END("192.168.170.8", 7), END("192.168.170.56", 7), 132,
	"1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="},
    {END("2001:470:e5bf:dead:4957:2174:e82c:4887", 63943),
	END("2607:f8b0:400c:c03::1a", 25), 6, "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="},
    {END("1.2.3.4", 4584), END("43.3.132.3", 3483), 6,
	"1:koNcqhFRD5kb254ZrLsdv630jCM="},
    {END("192.168.0.89", 8), END("192.168.0.1", 0), 1, NULL},
    {END("192.168.0.89", 8), END("2001:db8::1", 1), 6, NULL},
    {END("masked", 8), END("192.168.0.1", 1), 6, NULL},
    {END("", 8), END("192.168.0.1", 1), 17, NULL},
    {END("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa", 8), END("::1", 1),
	17, NULL},
};

static void
check_flow(int i, const struct community_end *a, const struct community_end *b)
{
	char id[COMMUNITY_ID + 1] = {0};
	bool found = community_id(a, b, flows[i].protocol, id);

	ck_assert_int_eq(found, flows[i].id != NULL);
	if (found)
		ck_assert_str_eq(id, flows[i].id);
}

START_TEST(flows_have_their_published_names)
{
	check_flow(_i, &flows[_i].a, &flows[_i].b);
	check_flow(_i, &flows[_i].b, &flows[_i].a);
}
END_TEST

/* Ends and times */

static const struct {
	enum record_type type;
	const char *direction;
	const struct event_end *source, *destination;
	bool target;
} sides[] = {
    {RECORD_TRAFFIC, "outbound", &event_local, &event_remote, false},
    {RECORD_TRAFFIC, "inbound", &event_remote, &event_local, true},
    {RECORD_TRAFFIC, "unknown", NULL, NULL, false},
    {RECORD_TRAFFIC, "", NULL, NULL, false},
    {RECORD_SECURITY, "inbound", &event_remote, &event_local, true},
    {RECORD_SCAN, "", NULL, NULL, false},
};

START_TEST(direction_decides_who_is_the_source)
{
	record_reset(&record);
	record.type = sides[_i].type;
	set(RECORD_F_DIRECTION, sides[_i].direction);
	ck_assert_ptr_eq(event_source(&record), sides[_i].source);
	ck_assert_ptr_eq(event_destination(&record), sides[_i].destination);
	ck_assert_int_eq(event_is_target(&record), sides[_i].target);
}
END_TEST

START_TEST(a_risk_comes_from_the_source_computer)
{
	record_reset(&record);
	record.type = RECORD_RISK;
	ck_assert_int_eq(
	    (int)event_source(&record)->ip, RECORD_F_SOURCE_COMPUTER_IP);
	ck_assert_ptr_null(event_destination(&record));
	ck_assert(event_is_target(&record));
}
END_TEST

START_TEST(the_time_is_the_first_there_is)
{
	int64_t time = 0;

	record_reset(&record);
	ck_assert(!event_time(&record, &time));
	record_set_time(&record, RECORD_F_RECEIVED, -1);
	ck_assert(event_time(&record, &time));
	ck_assert_int_eq(time, -1);
	record_set_time(&record, RECORD_F_TIME, 3);
	ck_assert(event_time(&record, &time));
	ck_assert_int_eq(time, 3);
	record_set_time(&record, RECORD_F_EVENT_TIME, 2);
	ck_assert(event_time(&record, &time));
	ck_assert_int_eq(time, 2);
	record_set_time(&record, RECORD_F_BEGIN, 1);
	ck_assert(event_time(&record, &time));
	ck_assert_int_eq(time, 1);
}
END_TEST

static const struct {
	const char *word, *local, *remote;
	int number;
} protocols[] = {
    {"tcp", "192.0.2.1", "192.0.2.2", 6},
    {"udp", "", "", 17},
    {"icmp", "192.0.2.1", "192.0.2.2", 1},
    {"icmp", "", "", 1},
    {"icmp", "2001:db8::1", "", 58},
    {"icmp", "2001:db8::1", "192.0.2.1", 1},
    {"ipv6-icmp", "", "", 58},
    {"ethernet", "", "", -1},
    {"others", "", "", -1},
    {"unknown", "", "", -1},
    {"7", "", "", -1},
    {"", "", "", -1},
};

START_TEST(protocols_are_the_ianas)
{
	record_reset(&record);
	set(RECORD_F_PROTOCOL, protocols[_i].word);
	set(RECORD_F_LOCAL_IP, protocols[_i].local);
	set(RECORD_F_REMOTE_IP, protocols[_i].remote);
	ck_assert_int_eq(event_protocol(&record), protocols[_i].number);
	ck_assert_int_eq(event_protocol_word(protocols[_i].number).n > 0,
	    protocols[_i].number >= 0);
}
END_TEST

START_TEST(severities_have_their_code)
{
	record_reset(&record);
	ck_assert_uint_eq(event_severity(&record), 8);
	for (unsigned code = 0; code < 8; code++) {
		record_set_text(
		    &record, RECORD_F_SEVERITY, record_severity_word(code));
		ck_assert_uint_eq(event_severity(&record), code);
	}
}
END_TEST

static const struct {
	const char *ip;
	int family;
	bool unicast;
} addresses[] = {
    {"192.0.2.1", 4, true},
    {"224.0.0.251", 4, false},
    {"255.255.255.255", 4, false},
    {"2001:db8::1", 6, true},
    {"::ffff:192.0.2.1", 6, true},
    {"ff02::fb", 6, false},
    {"", 0, false},
    {"masked", 0, false},
    {"1.2", 4, false},
};

START_TEST(addresses_are_told_apart)
{
	struct span ip = span_str(addresses[_i].ip);

	ck_assert_int_eq(event_family(ip), addresses[_i].family);
	ck_assert_int_eq(event_is_unicast(ip), addresses[_i].unicast);
}
END_TEST

/* Texts */

static const struct {
	const char *path, *base;
} paths[] = {
    {"C:/Tools/sync.exe", "sync.exe"},
    {"C:\\Tools\\sync.exe", "sync.exe"},
    {"SYSTEM", "SYSTEM"},
    {"/", ""},
    {"", ""},
};

START_TEST(a_name_is_behind_the_last_slash)
{
	struct span path = span_str(paths[_i].path);

	ck_assert(span_eq(event_base_name(path), span_str(paths[_i].base)));
	ck_assert_int_eq(event_is_path(path),
	    strlen(paths[_i].base) < strlen(paths[_i].path));
}
END_TEST

START_TEST(texts_are_cut_between_characters)
{
	ck_assert_uint_eq(event_cut(SPAN("abc"), 3).n, 3);
	ck_assert_uint_eq(event_cut(SPAN("abcd"), 3).n, 3);
	ck_assert_uint_eq(event_cut(SPAN("ab\xc3\xa9"), 3).n, 2);
	ck_assert_uint_eq(event_cut(SPAN("a\xe2\x80\xa8"), 3).n, 1);
	ck_assert_uint_eq(event_cut(SPAN("\xc3\xa9"), 1).n, 0);
}
END_TEST

START_TEST(hashes_are_told_by_length)
{
	char lower[EVENT_HASH_MAX];

	ck_assert_int_eq(
	    event_hash(SPAN("0123456789ABCDEF0123456789abcdef"), lower),
	    EVENT_MD5);
	ck_assert_mem_eq(lower, "0123456789abcdef0123456789abcdef", 32);
	ck_assert_int_eq(
	    event_hash(SPAN("0123456789abcdef0123456789abcdef01234567"), lower),
	    EVENT_SHA1);
	ck_assert_int_eq(
	    event_hash(SPAN("0123456789abcdef0123456789abcdeg"), lower),
	    EVENT_NO_HASH);
	ck_assert_int_eq(event_hash(SPAN(""), lower), EVENT_NO_HASH);
}
END_TEST

START_TEST(numbers_are_digits_only)
{
	uint64_t n = 0;

	ck_assert(event_number(SPAN("7007"), &n));
	ck_assert_uint_eq(n, 7007);
	ck_assert(!event_number(SPAN(""), &n));
	ck_assert(!event_number(SPAN("-1"), &n));
	ck_assert(!event_number(SPAN("0x1f"), &n));
	ck_assert(!event_number(SPAN("1234567890123456789"), &n));
}
END_TEST

static void
add_tests(Suite *s)
{
	TCase *flow = tcase_create("flow"),
	      *record_case = tcase_create("record"),
	      *text = tcase_create("text");

	tcase_add_loop_test(flow, hashes_are_the_standards, 0, COUNT(hashes));
	tcase_add_loop_test(
	    flow, flows_have_their_published_names, 0, COUNT(flows));
	tcase_add_loop_test(
	    record_case, direction_decides_who_is_the_source, 0, COUNT(sides));
	tcase_add_test(record_case, a_risk_comes_from_the_source_computer);
	tcase_add_test(record_case, the_time_is_the_first_there_is);
	tcase_add_loop_test(
	    record_case, protocols_are_the_ianas, 0, COUNT(protocols));
	tcase_add_test(record_case, severities_have_their_code);
	tcase_add_loop_test(
	    record_case, addresses_are_told_apart, 0, COUNT(addresses));
	tcase_add_loop_test(
	    text, a_name_is_behind_the_last_slash, 0, COUNT(paths));
	tcase_add_test(text, texts_are_cut_between_characters);
	tcase_add_test(text, hashes_are_told_by_length);
	tcase_add_test(text, numbers_are_digits_only);
	suite_add_tcase(s, flow);
	suite_add_tcase(s, record_case);
	suite_add_tcase(s, text);
}

int
main(void)
{
	Suite *s = suite_create("event");

	add_tests(s);
	return run_suite(s);
}
