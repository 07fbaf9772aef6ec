#include <arpa/inet.h>
#include <check.h>
#include <ctype.h>
#include <stdlib.h>

#include "guard.h"
#include "run.h"
#include "sepm_value.h"
#include "sepm_word.h"
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

/* clang-format off */
static const struct {
	const char *language;
	word_fn *map;
	const char *text, *expected;
} translated[] = {
	{ "fr",	sepm_direction, "Entrant",	"inbound" },
	{ "fr",	sepm_direction, "Sortant",	"outbound" },
	{ "fr",	sepm_direction, "Inconnu",	"unknown" },
	{ "fr",	sepm_action, "Bloqués",		"blocked" },
	{ "fr",	sepm_action, "Autorisé",	"allowed" },
	/* letters beyond ASCII are compared as they are */
	{ "fr",	sepm_action, "BLOQUÉ",		"bloquÉ" },
	{ "zh",	sepm_direction, "入站",		"inbound" },
	{ "zh",	sepm_direction, "出站",		"outbound" },
	{ "zh",	sepm_direction, "入站站",	"入站站" },
	{ "ja",	sepm_direction, "受信",		"inbound" },
	{ "ja",	sepm_direction, "送信",		"outbound" },
	{ "ja",	sepm_action, "許可",		"allowed" },
	{ "ja",	sepm_action, "遮断",		"blocked" },
	/* longer than one block: the same up to its end, and beyond */
	{ "ja",	sepm_direction, "インバウンド",	"inbound" },
	{ "ja",	sepm_direction, "インバウント",	"インバウント" },
	{ "ja",	sepm_direction, "インバウンドド", "インバウンドド" },
	{ "ja",	sepm_direction, "アウトバウンド", "outbound" },
	{ "ja",	sepm_direction, "アウトバウン",	"アウトバウン" },
};
/* clang-format on */

START_TEST(translated_words_become_those_of_the_record)
{
	struct span text = guard_place(&guard, span_str(translated[_i].text));
	struct span got = translated[_i].map(text, &arena);

	ck_assert_msg(span_eq(got, span_str(translated[_i].expected)),
	    "%s: %.*s", translated[_i].language, (int)got.n, got.p);
}
END_TEST

START_TEST(known_words_are_told_from_others)
{
	ck_assert(sepm_is_direction(SPAN("Inbound")));
	ck_assert(sepm_is_direction(SPAN("outbound")));
	ck_assert(sepm_is_direction(SPAN("出站")));
	ck_assert(sepm_is_direction(SPAN("アウトバウンド")));
	ck_assert(!sepm_is_direction(SPAN("アウトバウンドの向き")));
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

/* --- against other ways to tell --- */

/*
 * Everything is read in two places: before an unreadable page, and with more
 * of its kind around it, which must not count.
 */
enum { PLACES = 2, AMID = 256 };

static struct span
placed(const char *text, size_t n, int place)
{
	static const char around[] = "7.7.7.7.7.7.7.7.";
	char *p = guard.base + AMID;

	if (place == 0)
		return guard_place(&guard, span_of(text, n));
	memcpy(p - BLOCK, around, BLOCK);
	memcpy(p, text, n);
	memcpy(p + n, around, BLOCK);
	return span_of(p, n);
}

/* The value of `wanted` is good for SEPM_VALUE only. */
static void
expect(struct span text, enum sepm_value answer, struct span value,
    enum sepm_value wanted, const char *wanted_text)
{
	if (answer != wanted ||
	    (wanted == SEPM_VALUE &&
		(value.n != strlen(wanted_text) ||
		    memcmp(value.p, wanted_text, value.n) != 0)))
		ck_abort_msg("`%.*s`", (int)text.n, text.p);
}

/* Without a colon, it is an address if the system writes it as it is. */
static void
expect_address(const char *text, size_t n)
{
	char plain[64] = {0}, again[INET_ADDRSTRLEN];
	enum sepm_value wanted = SEPM_WRONG;
	struct in_addr addr;

	memcpy(plain, text, n);
	if (n > 0 && plain[n - 1] == '.')
		plain[n - 1] = '\0';
	if (n == 0)
		wanted = SEPM_ABSENT;
	else if (memchr(text, '\0', n) == NULL &&
		 inet_pton(AF_INET, plain, &addr) == 1 &&
		 inet_ntop(AF_INET, &addr, again, sizeof(again)) != NULL &&
		 strcmp(plain, again) == 0)
		wanted = addr.s_addr != 0 ? SEPM_VALUE : SEPM_ABSENT;
	for (int place = 0; place < PLACES; place++) {
		struct span in = placed(text, n, place), ip = {"", 0};

		expect(in, sepm_read_ip(in, &arena, &ip), ip, wanted, plain);
	}
}

START_TEST(addresses_are_those_of_the_system)
{
	static const char *const parts[] = {"", "0", "1", "9", "10", "99",
	    "100", "199", "200", "249", "250", "255", "256", "260", "999", "00",
	    "01", "010", "1000"};
	static const char *const whole[] = {
	    "1.2.3.4", "192.0.2.47", "255.255.255.255", "10.20.30.40."};
	char text[64];
	int n;

	for (size_t i = 0; i < COUNT(parts) * COUNT(parts) * COUNT(parts); i++)
		for (size_t k = 0; k < COUNT(parts); k++) {
			n = snprintf(text, sizeof(text), "%s.%s.%s.%s",
			    parts[k], parts[i % COUNT(parts)],
			    parts[i / COUNT(parts) % COUNT(parts)],
			    parts[i / COUNT(parts) / COUNT(parts)]);
			expect_address(text, (size_t)n);
		}
	for (size_t i = 0; i < COUNT(whole); i++)
		for (size_t at = 0; at < strlen(whole[i]); at++)
			for (unsigned c = 0; c < 256; c++) {
				n = snprintf(
				    text, sizeof(text), "%s", whole[i]);
				text[at] = (char)c;
				expect_address(text, (size_t)n);
			}
}
END_TEST

START_TEST(addresses_have_four_parts)
{
	static const char *const parts[] = {"1", "20", "255"};
	char text[64];

	for (size_t i = 0; i < 3 * 3 * 3 * 3 * 3 * 3; i++) {
		size_t n = 0, choice = i;

		for (int part = 1; part <= 6; part++, choice /= 3) {
			n += (size_t)sprintf(text + n, "%s", parts[choice % 3]);
			expect_address(text, n);
			text[n++] = '.';
			expect_address(text, n);
			text[n] = '.';
			expect_address(text, n + 1);
		}
	}
	for (int value = 0; value < 1100; value++)
		for (int width = 1; width <= 4; width++)
			for (int part = 0; part < 4; part++) {
				int n = snprintf(text, sizeof(text),
				    "%.*s%0*d%.*s", 2 * part, "1.1.1.", width,
				    value, 2 * (3 - part), ".1.1.1");

				expect_address(text, (size_t)n);
			}
}
END_TEST

/* Is it a number up to max? Told by the length and the order of the digits. */
static bool
is_number(const char *text, uint64_t max)
{
	char limit[32];
	size_t n = strlen(text);

	if (n == 0 || strspn(text, "0123456789") != n)
		return false;
	text += strspn(text, "0");
	n = (size_t)snprintf(
	    limit, sizeof(limit), "%llu", (unsigned long long)max);
	return strlen(text) < n ||
	       (strlen(text) == n && strcmp(text, limit) <= 0) || *text == '\0';
}

static const uint64_t limits[] = {0, 1, 7, 9, 10, 99, 255, 65535, UINT32_MAX,
    999999999999999999, INT64_MAX, UINT64_MAX / 10, UINT64_MAX / 10 * 10,
    UINT64_MAX - 1, UINT64_MAX};

static void
expect_number(const char *text)
{
	for (size_t i = 0; i < COUNT(limits); i++) {
		uint64_t number = 7;
		bool wanted = is_number(text, limits[i]);
		enum sepm_value answer =
		    sepm_read_number(span_str(text), limits[i], &number);

		if (answer != (wanted ? SEPM_VALUE : SEPM_WRONG) ||
		    number != (wanted ? strtoull(text, NULL, 10) : 7))
			ck_abort_msg("`%s` up to %llu", text,
			    (unsigned long long)limits[i]);
	}
}

/* Around each limit and each power of ten, and the tens of them. */
static void
expect_numbers_around(uint64_t middle)
{
	static const char zeros[] = "000000000000000000000000";
	char text[64];

	for (unsigned long long n = middle - 11; n != middle + 12; n++)
		for (int z = 0; z < (int)sizeof(zeros); z += 6) {
			int end = sprintf(text, "%.*s%llu", z, zeros, n);

			expect_number(text);
			text[end + 1] = '\0';
			for (int digit = '0'; digit <= '9'; digit++) {
				text[end] = (char)digit;
				expect_number(text);
			}
		}
}

START_TEST(numbers_end_at_their_limits)
{
	uint64_t power = 1;

	for (size_t i = 0; i < COUNT(limits); i++)
		expect_numbers_around(limits[i]);
	for (int i = 0; i < 20; i++, power *= 10)
		expect_numbers_around(power);
}
END_TEST

START_TEST(only_digits_make_a_number)
{
	char text[] = "18446744073709551615";

	for (size_t at = 0; at < sizeof(text) - 1; at++) {
		char digit = text[at];

		for (unsigned c = 1; c < 256; c++) {
			text[at] = (char)c;
			expect_number(text);
		}
		text[at] = digit;
	}
	ck_assert_int_eq(sepm_read_number(SPAN("1\0"), 9, NULL), SEPM_WRONG);
}
END_TEST

/* Pair by pair, with at most one separator before each but the first. */
static bool
is_mac(const char *text, size_t n, char out[18])
{
	size_t at = 0;

	for (int pair = 0; pair < 6; pair++) {
		if (pair > 0 && at < n &&
		    (text[at] == ':' || text[at] == '.' || text[at] == '-'))
			at++;
		for (int k = 0; k < 2; k++, at++) {
			if (at >= n || !isxdigit((unsigned char)text[at]))
				return false;
			out[3 * pair + k] =
			    (char)tolower((unsigned char)text[at]);
		}
		out[3 * pair + 2] = ':';
	}
	out[17] = '\0';
	return at == n;
}

static void
expect_mac(const char *text, size_t n)
{
	char wanted_text[18];
	enum sepm_value wanted = SEPM_WRONG;

	if (is_mac(text, n, wanted_text))
		wanted = strcmp(wanted_text, "00:00:00:00:00:00") == 0
			     ? SEPM_ABSENT
			     : SEPM_VALUE;
	for (int place = 0; place < PLACES; place++) {
		struct span in = placed(text, n, place), mac = {"", 0};

		arena_reset(&arena);
		expect(in, sepm_read_mac(in, &arena, &mac), mac, wanted,
		    wanted_text);
	}
}

static const char *const mac_forms[] = {"08002785C5cd", "08:00:27:85:C5:cd",
    "08-00-27-85-C5-cd", "0800.2785.C5cd", "000000000000", "FFFFFFFFFFFF",
    "00:00:00:00:00:00"};

/* Each byte another, left out, or behind another one. */
START_TEST(one_wrong_byte_makes_no_mac)
{
	const char *form = mac_forms[_i];
	size_t n = strlen(form);
	char text[64];

	for (size_t at = 0; at <= n; at++)
		for (unsigned c = 0; c < 256; c++) {
			memcpy(text, form, n);
			text[at] = (char)c; /* at the end it is one more */
			expect_mac(text, at < n ? n : n + 1);
			memcpy(text + at + 1, form + at, n - at);
			expect_mac(text, n + 1);
			if (at == n)
				continue;
			memcpy(text + at, form + at + 1, n - at - 1);
			expect_mac(text, n - 1);
		}
}
END_TEST

START_TEST(separators_of_macs_are_free)
{
	static const char *const separators[] = {"", ":", ".", "-"};
	static const char *const pairs[] = {"08", "00", "27", "85", "C5", "cD"};

	for (size_t i = 0; i < 4 * 4 * 4 * 4 * 4; i++) {
		size_t n = 0, choice = i;
		char text[64];

		for (int pair = 0; pair < 6; pair++, choice /= 4)
			n += (size_t)sprintf(text + n, "%s%s", pairs[pair],
			    pair < 5 ? separators[choice % 4] : "");
		expect_mac(text, n);
	}
}
END_TEST

static void
expect_hash(const char *text, size_t n, size_t digits)
{
	char lower[128] = {0};
	bool hex = n == digits, zero = true;
	enum sepm_value wanted = SEPM_WRONG;

	for (size_t i = 0; i < n; i++) {
		hex = hex && isxdigit((unsigned char)text[i]);
		zero = zero && text[i] == '0';
		lower[i] = (char)tolower((unsigned char)text[i]);
	}
	if (n == 0 || hex)
		wanted = zero ? SEPM_ABSENT : SEPM_VALUE;
	for (int place = 0; place < PLACES; place++) {
		struct span in = placed(text, n, place), hash = {"", 0};

		arena_reset(&arena);
		expect(in, sepm_read_hash(in, digits, &arena, &hash), hash,
		    wanted, lower);
	}
}

#define BOTH_CASES                                                             \
	"ABCDEFabcdef0123456789FEDCBAfedcba98"                                 \
	"76543210AaBbCcDdEeFf00112233"

static const size_t hash_digits[] = {15, 16, 17, 31, 32, 40, 64};

START_TEST(one_wrong_byte_makes_no_hash)
{
	static const char *const bases[] = {
	    SHA, SHA_LOWER, ZEROS ZEROS, BOTH_CASES};
	size_t digits = hash_digits[_i];
	char text[65];

	for (size_t i = 0; i < COUNT(bases); i++)
		for (size_t at = 0; at < digits; at++) {
			memcpy(text, bases[i], 64);
			for (unsigned c = 0; c < 256; c++) {
				text[at] = (char)c;
				expect_hash(text, digits, digits);
			}
			expect_hash(bases[i], at, digits);
		}
	if (digits < 64)
		expect_hash(SHA, digits + 1, digits);
}
END_TEST

/* clang-format off */
static const struct {
	word_fn *map;
	const char *text, *to;
} known_words[] = {
	{ sepm_direction, "inbound",	"inbound" },
	{ sepm_direction, "outbound",	"outbound" },
	{ sepm_direction, "unknown",	"unknown" },
	{ sepm_direction, "入站",	"inbound" },
	{ sepm_direction, "出站",	"outbound" },
	{ sepm_direction, "entrant",	"inbound" },
	{ sepm_direction, "sortant",	"outbound" },
	{ sepm_direction, "inconnu",	"unknown" },
	{ sepm_direction, "受信",	"inbound" },
	{ sepm_direction, "送信",	"outbound" },
	{ sepm_direction, "インバウンド", "inbound" },
	{ sepm_direction, "アウトバウンド", "outbound" },
	{ sepm_action,	  "allowed",	"allowed" },
	{ sepm_action,	  "blocked",	"blocked" },
	{ sepm_action,	  "not blocked", "allowed" },
	{ sepm_action,	  "bloqué",	"blocked" },
	{ sepm_action,	  "bloquée",	"blocked" },
	{ sepm_action,	  "bloqués",	"blocked" },
	{ sepm_action,	  "bloquées",	"blocked" },
	{ sepm_action,	  "autorisé",	"allowed" },
	{ sepm_action,	  "autorisée",	"allowed" },
	{ sepm_action,	  "autorisés",	"allowed" },
	{ sepm_action,	  "autorisées",	"allowed" },
	{ sepm_action,	  "許可",	"allowed" },
	{ sepm_action,	  "遮断",	"blocked" },
	{ sepm_protocol,  "tcp",	"tcp" },
	{ sepm_protocol,  "udp",	"udp" },
	{ sepm_protocol,  "icmp",	"icmp" },
	{ sepm_protocol,  "others",	"others" },
	{ sepm_protocol,  "ethernet",	"ethernet" },
	{ sepm_protocol,  "unknown",	"unknown" },
	{ sepm_protocol,  "ipv6-icmp",	"ipv6-icmp" },
};
/* clang-format on */

/* What a text is to become by that table, byte for byte. */
static const char *
word_by_hand(word_fn *map, const char *text, size_t n)
{
	static char lower[64];

	for (size_t i = 0; i < n; i++)
		lower[i] = text[i] >= 'A' && text[i] <= 'Z'
			       ? (char)(text[i] + ('a' - 'A'))
			       : text[i];
	lower[n] = '\0';
	for (size_t i = 0; i < COUNT(known_words); i++)
		if (known_words[i].map == map &&
		    strlen(known_words[i].text) == n &&
		    memcmp(known_words[i].text, lower, n) == 0)
			return known_words[i].to;
	return lower;
}

static void
expect_word(word_fn *map, const char *text, size_t n)
{
	const char *wanted = word_by_hand(map, text, n);

	for (int place = 0; place < PLACES; place++) {
		struct span in = placed(text, n, place);

		arena_reset(&arena);
		expect(in, SEPM_VALUE, map(in, &arena), SEPM_VALUE, wanted);
	}
}

/* Each byte of each known word another, left out, or behind another one. */
START_TEST(words_are_known_in_any_case_and_else_lowered)
{
	const char *word = known_words[_i].text;
	word_fn *map = known_words[_i].map;
	size_t n = strlen(word);
	unsigned letters = 0;
	char text[64];

	for (size_t at = 0; at < n; at++)
		letters |= (unsigned)span_isalpha(word[at]) << at;
	for (unsigned upper = 0; upper < 1U << n; upper++) {
		if ((upper & ~letters) != 0)
			continue;
		for (size_t at = 0; at < n; at++)
			text[at] = (char)(upper >> at & 1
					      ? toupper((unsigned char)word[at])
					      : word[at]);
		expect_word(map, text, n);
	}
	for (size_t at = 0; at <= n; at++)
		for (unsigned c = 1; c < 256; c++) {
			memcpy(text, word, n);
			text[at] = (char)c; /* at the end it is one more */
			expect_word(map, text, at < n ? n : n + 1);
			memcpy(text + at + 1, word + at, n - at);
			expect_word(map, text, n + 1);
			expect_word(map, word, at);
		}
}
END_TEST

START_TEST(words_of_any_length_are_lowered)
{
	char text[64];

	for (size_t n = 0; n < 3 * BLOCK; n++)
		for (unsigned c = 1; c < 256; c++) {
			memset(text, (int)c, n);
			expect_word(sepm_action, text, n);
		}
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
	TCase *tc = tcase_create("readers"), *by_hand = tcase_create("by hand");

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
	tcase_add_loop_test(tc, translated_words_become_those_of_the_record, 0,
	    COUNT(translated));
	tcase_add_test(tc, known_words_are_told_from_others);
	tcase_add_test(tc, severities_are_syslog_keywords);
	tcase_add_test(tc, a_full_arena_gives_no_value);
	suite_add_tcase(s, tc);

	tcase_set_timeout(by_hand, 60);
	tcase_add_checked_fixture(by_hand, setup, teardown);
	tcase_add_test(by_hand, addresses_are_those_of_the_system);
	tcase_add_test(by_hand, addresses_have_four_parts);
	tcase_add_test(by_hand, numbers_end_at_their_limits);
	tcase_add_test(by_hand, only_digits_make_a_number);
	tcase_add_loop_test(
	    by_hand, one_wrong_byte_makes_no_mac, 0, COUNT(mac_forms));
	tcase_add_test(by_hand, separators_of_macs_are_free);
	tcase_add_loop_test(
	    by_hand, one_wrong_byte_makes_no_hash, 0, COUNT(hash_digits));
	tcase_add_loop_test(by_hand,
	    words_are_known_in_any_case_and_else_lowered, 0,
	    COUNT(known_words));
	tcase_add_test(by_hand, words_of_any_length_are_lowered);
	suite_add_tcase(s, by_hand);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
