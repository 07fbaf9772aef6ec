#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>

#include "privacy.h"
#include "run.h"
#include "testing.h"

#define KEY "0123456789abcdef0123456789abcdef"

static struct pseudonym *pseudonym;
static struct privacy *privacy;
static struct privacy_policy policy;
static struct record record;
static const struct record *seen;

static void
setup(void)
{
	pseudonym = pseudonym_new(SPAN(KEY), SPAN("u1"));
	privacy = privacy_new(SPAN(KEY), SPAN("u1"), 4096);
	ck_assert_ptr_nonnull(pseudonym);
	ck_assert_ptr_nonnull(privacy);
	policy =
	    (struct privacy_policy){.ipv4 = 24, .ipv6 = 48, .characters = 3};
	for (size_t f = 0; f < RECORD_FIELD_COUNT; f++) {
		enum privacy_group group =
		    privacy_group_of((enum record_field)f);

		policy.action[f] = (uint8_t)privacy_group_info[group].otherwise;
		if (group == PRIVACY_UNPARSED)
			policy.action[f] = PRIVACY_DROP;
	}
	record_reset(&record);
}

static void
teardown(void)
{
	pseudonym_free(pseudonym);
	privacy_free(privacy);
}

static void
set(enum record_field f, const char *text)
{
	record_set_text(&record, f, span_str(text));
}

/* NUL-terminated; good for four calls. */
static const char *
copy(struct span text)
{
	static char copies[4][TESTING_ROOM];
	static unsigned turn;
	char *out = copies[turn++ % 4];

	ck_assert_uint_lt(text.n, TESTING_ROOM);
	memcpy(out, text.p, text.n);
	out[text.n] = '\0';
	return out;
}

static const char *
token(enum pseudonym_kind kind, const char *value)
{
	char out[PSEUDONYM_TOKEN];

	return copy(span_between(
	    out, pseudonym_token(pseudonym, kind, span_str(value), out)));
}

static void
apply(void)
{
	seen = privacy_apply(privacy, &policy, &record);
}

static const char *
got(enum record_field f)
{
	return copy(record_text(seen, f));
}

/* --- what pseudonyms are made of --- */

static size_t
bytes_of(const char *hex, char *out)
{
	size_t n = 0;

	for (; *hex != '\0'; hex += 2) {
		const char pair[3] = {hex[0], hex[1], '\0'};

		out[n++] = (char)strtoul(pair, NULL, 16);
	}
	return n;
}

/* RFC 4231 4, test cases 1 to 4, 6 and 7. */
static const struct {
	const char *key; /* hex */
	const char *data;
	const char *mac;
} hmacs[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
	"dddddddddddddddddddddddddddddddd",
	"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819",
	"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
	"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
	"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {NULL, /* 131 bytes 0xaa */
	"54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204"
	"b6579202d2048617368204b6579204669727374",
	"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
};

START_TEST(hmacs_are_those_of_the_rfc)
{
	struct sha256 *sha = sha256_new();
	char key[131], data[160], hex[SHA256_HEX + 1] = "";
	uint8_t mac[SHA256_SIZE];
	size_t k = sizeof(key), d;

	memset(key, 0xaa, sizeof(key));
	if (hmacs[_i].key != NULL)
		k = bytes_of(hmacs[_i].key, key);
	d = bytes_of(hmacs[_i].data, data);
	for (size_t cut = 0; cut <= d; cut++) {
		pseudonym_hmac(sha, span_of(key, k), span_of(data, cut),
		    span_of(data + cut, d - cut), mac);
		sha256_hex(mac, hex);
		ck_assert_str_eq(hex, hmacs[_i].mac);
	}
	sha256_free(sha);
}
END_TEST

/* The sample of the reference implementation, and, for IPv6, which it has not,
 * what others have published for the same key. */
static const uint8_t sample_key[PSEUDONYM_PAN_KEY] = {21, 34, 23, 141, 51, 164,
    207, 128, 19, 10, 91, 22, 73, 144, 125, 16, 216, 152, 143, 131, 121, 121,
    101, 39, 98, 87, 76, 45, 42, 132, 34, 2};

static const struct {
	const char *from, *to;
} pans[] = {
    {"128.11.68.132", "135.242.180.132"},
    {"129.118.74.4", "134.136.186.123"},
    {"130.132.252.244", "133.68.164.234"},
    {"141.223.7.43", "141.167.8.160"},
    {"141.233.145.108", "141.129.237.235"},
    {"152.163.225.39", "151.140.114.167"},
    {"156.29.3.236", "147.225.12.42"},
    {"165.247.96.84", "162.9.99.234"},
    {"166.107.77.190", "160.132.178.185"},
    {"192.102.249.13", "252.138.62.131"},
    {"::1", "78ff:f001:9fc0:20df:8380:b1f1:704:ed"},
    {"::2", "78ff:f001:9fc0:20df:8380:b1f1:704:ef"},
    {"::ffff", "78ff:f001:9fc0:20df:8380:b1f1:704:f838"},
    {"2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e"},
    {"2001:db8::2", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1c"},
};

START_TEST(addresses_are_those_of_crypto_pan)
{
	struct pseudonym_pan *pan = pseudonym_pan_new(sample_key);
	int family = strchr(pans[_i].from, ':') != NULL ? AF_INET6 : AF_INET;
	uint8_t bytes[16];
	char text[INET6_ADDRSTRLEN];

	ck_assert_int_eq(inet_pton(family, pans[_i].from, bytes), 1);
	pseudonym_pan(pan, bytes, family == AF_INET ? 4 : 16);
	ck_assert_str_eq(
	    inet_ntop(family, bytes, text, sizeof(text)), pans[_i].to);
	pseudonym_pan_free(pan);
}
END_TEST

/* Written down: tokens stay equal from one release to the next. For anyone who
 * wants the same elsewhere:
 *   printf 'user\0jdoe' | openssl dgst -sha256 -mac HMAC -macopt key:$KEY
 * and base32 of the first 10 bytes. */
START_TEST(tokens_never_change)
{
	ck_assert_str_eq(token(PSEUDONYM_USER, "jdoe"), "u1:npjydy35ekgoowt2");
	ck_assert_str_eq(token(PSEUDONYM_USER, "JDoe"), "u1:npjydy35ekgoowt2");
	ck_assert_str_ne(token(PSEUDONYM_USER, "jdoe2"), "u1:npjydy35ekgoowt2");
}
END_TEST

START_TEST(kinds_do_not_share_tokens)
{
	for (int a = 0; a < PSEUDONYM_KINDS; a++)
		for (int b = 0; b < a; b++)
			ck_assert_str_ne(token((enum pseudonym_kind)a, "same"),
			    token((enum pseudonym_kind)b, "same"));
}
END_TEST

START_TEST(letters_of_other_alphabets_have_no_case)
{
	static const struct {
		const char *one, *other;
	} pairs[] = {
	    {"MÜLLER", "müller"},
	    {"ŁUKASZ ŽIŽEK", "łukasz žižek"},
	    {"ΓΙΩΡΓΟΣ", "γιωργοσ"},
	    {"ЁЛКИН ИВАН", "ёлкин иван"},
	};

	for (size_t i = 0; i < COUNT(pairs); i++)
		ck_assert_str_eq(token(PSEUDONYM_USER, pairs[i].one),
		    token(PSEUDONYM_USER, pairs[i].other));
	ck_assert_str_ne(
	    token(PSEUDONYM_USER, "×"), token(PSEUDONYM_USER, "÷"));
}
END_TEST

/* Longer than what is remembered, at every place of a character that is cut. */
START_TEST(long_values_are_taken_whole)
{
	static char one[2048], other[2048];
	char first[PSEUDONYM_TOKEN + 1];

	for (size_t n = 500; n < 520; n++) {
		memset(one, 'x', n);
		memset(other, 'X', n);
		snprintf(one + n, sizeof one - n, "éé-end");
		snprintf(other + n, sizeof other - n, "ÉÉ-END");
		ck_assert_str_eq(
		    token(PSEUDONYM_PATH, one), token(PSEUDONYM_PATH, other));
	}
	snprintf(first, sizeof first, "%s", token(PSEUDONYM_PATH, one));
	one[strlen(one) - 1] = 'e';
	ck_assert_str_ne(token(PSEUDONYM_PATH, one), first);
}
END_TEST

START_TEST(keys_have_a_least_length)
{
	ck_assert_ptr_null(pseudonym_new(SPAN("0123456789"), SPAN("u1")));
	ck_assert_ptr_null(pseudonym_new(SPAN(KEY), SPAN("")));
	ck_assert_ptr_null(pseudonym_new(SPAN(KEY), SPAN("ninechars")));
}
END_TEST

/* --- records --- */

START_TEST(equal_values_have_equal_tokens_wherever_they_are)
{
	set(RECORD_F_USER, "CORP\\jdoe");
	set(RECORD_F_USER1, "jdoe@corp");
	set(RECORD_F_ADMIN, "JDOE");
	set(RECORD_F_DOMAIN, "CORP");
	set(RECORD_F_HOST, "PC-0147");
	set(RECORD_F_COMPUTER_NAME, "pc-0147");
	apply();
	ck_assert_str_eq(got(RECORD_F_ADMIN), token(PSEUDONYM_USER, "jdoe"));
	ck_assert_str_eq(got(RECORD_F_DOMAIN), token(PSEUDONYM_NAME, "corp"));
	ck_assert_str_eq(got(RECORD_F_HOST), got(RECORD_F_COMPUTER_NAME));
	ck_assert_msg(strstr(got(RECORD_F_USER), got(RECORD_F_ADMIN)) &&
			  strstr(got(RECORD_F_USER), got(RECORD_F_DOMAIN)),
	    "%s", got(RECORD_F_USER));
	ck_assert_msg(strstr(got(RECORD_F_USER1), got(RECORD_F_ADMIN)) &&
			  strstr(got(RECORD_F_USER1), got(RECORD_F_DOMAIN)),
	    "%s", got(RECORD_F_USER1));
	ck_assert_str_eq(copy(record_text(&record, RECORD_F_ADMIN)), "JDOE");
}
END_TEST

START_TEST(accounts_of_windows_name_nobody)
{
	set(RECORD_F_USER, "NT AUTHORITY\\SYSTEM");
	set(RECORD_F_USER1, "none");
	set(RECORD_F_APPLICATION, "C:/Windows/System32/svchost.exe");
	apply();
	ck_assert_str_eq(got(RECORD_F_USER), "NT AUTHORITY\\SYSTEM");
	ck_assert_str_eq(got(RECORD_F_USER1), "none");
	ck_assert_str_eq(
	    got(RECORD_F_APPLICATION), "C:/Windows/System32/svchost.exe");
}
END_TEST

/* %1 is the token of user jdoe, %2 that of host pc-0147. */
static const struct {
	const char *text, *scrubbed;
} scrubs[] = {
    {"C:/Users/jdoe/AppData/a.exe", "C:/Users/%1/AppData/a.exe"},
    {"C:\\Users\\JDoe\\a.exe", "C:\\Users\\%1\\a.exe"},
    {"C:\\\\Users\\\\jdoe\\\\a.exe", "C:\\\\Users\\\\%1\\\\a.exe"},
    {"c:/documents and settings/jdoe", "c:/documents and settings/%1"},
    {"/home/jdoe/bin/x", "/home/%1/bin/x"},
    {"C:/Users/Public/x.exe", "C:/Users/Public/x.exe"},
    {"C:/Users/", "C:/Users/"},
    {"\\\\pc-0147\\c$\\x.exe", "\\\\%2\\c$\\x.exe"},
    {"//PC-0147/share/x.exe", "//%2/share/x.exe"},
    {"jdoe", "%1"},
    {"D:/data of jdoe.zip", "D:/data of %1.zip"},
    {"D:/jdoes/x", "D:/jdoes/x"},    /* short: not within a word */
    {"D:/xpc-0147y/x", "D:/x%2y/x"}, /* long: anywhere */
    {"no name in here", "no name in here"},
};

static const char *
expand(const char *text)
{
	static char out[TESTING_ROOM];
	char *end = out;

	for (; *text != '\0'; text++) {
		if (*text != '%')
			*end++ = *text;
		else
			end = stpcpy(end,
			    *++text == '1' ? token(PSEUDONYM_USER, "jdoe")
					   : token(PSEUDONYM_HOST, "pc-0147"));
	}
	*end = '\0';
	return out;
}

START_TEST(names_inside_texts_become_tokens)
{
	set(RECORD_F_USER, "jdoe");
	set(RECORD_F_HOST, "pc-0147");
	set(RECORD_F_APPLICATION, scrubs[_i].text);
	set(RECORD_F_RULE, scrubs[_i].text);
	apply();
	ck_assert_str_eq(
	    got(RECORD_F_APPLICATION), expand(scrubs[_i].scrubbed));
	ck_assert_str_eq(got(RECORD_F_RULE), expand(scrubs[_i].scrubbed));
}
END_TEST

/* Another's profile: no field of the record has that name. */
START_TEST(profiles_of_others_are_names_too)
{
	set(RECORD_F_APPLICATION, "C:/Users/m.mustermann/x.exe");
	set(RECORD_F_PROCESS, "\\\\fileserver\\data\\x.exe");
	apply();
	ck_assert_ptr_null(strstr(got(RECORD_F_APPLICATION), "mustermann"));
	ck_assert_ptr_null(strstr(got(RECORD_F_PROCESS), "fileserver"));
	ck_assert_ptr_nonnull(strstr(
	    got(RECORD_F_APPLICATION), token(PSEUDONYM_USER, "m.mustermann")));
}
END_TEST

START_TEST(what_is_dropped_is_not_in_texts_either)
{
	policy.action[RECORD_F_USER] = PRIVACY_DROP;
	policy.action[RECORD_F_LOCAL_IP] = PRIVACY_DROP;
	set(RECORD_F_USER, "corp\\jdoe");
	set(RECORD_F_LOCAL_IP, "192.0.2.47");
	set(RECORD_F_RULE, "for jdoe at 192.0.2.47, not 192.0.2.4");
	set(RECORD_F_APPLICATION, "C:/Users/asmith/x");
	apply();
	ck_assert(!record_has(seen, RECORD_F_USER));
	ck_assert(!record_has(seen, RECORD_F_LOCAL_IP));
	ck_assert_str_eq(got(RECORD_F_RULE), "for * at *, not 192.0.2.4");
	ck_assert_str_eq(got(RECORD_F_APPLICATION), "C:/Users/*/x");
}
END_TEST

START_TEST(addresses_stay_addresses)
{
	uint8_t a[4], b[4];

	set(RECORD_F_LOCAL_IP, "192.0.2.47");
	set(RECORD_F_REMOTE_IP, "192.0.2.48");
	set(RECORD_F_IP_ADDRESS, "0.0.0.0");
	set(RECORD_F_LOCAL_MAC, "00:11:22:33:44:55");
	set(RECORD_F_REMOTE_NAME, "192.0.2.47");
	apply();
	ck_assert_int_eq(inet_pton(AF_INET, got(RECORD_F_LOCAL_IP), a), 1);
	ck_assert_int_eq(inet_pton(AF_INET, got(RECORD_F_REMOTE_IP), b), 1);
	ck_assert_mem_eq(a, b, 3);
	ck_assert_int_eq(a[3] & 0xe0, b[3] & 0xe0);
	ck_assert_str_ne(got(RECORD_F_LOCAL_IP), "192.0.2.47");
	ck_assert_str_eq(got(RECORD_F_IP_ADDRESS), "0.0.0.0");
	ck_assert_str_eq(got(RECORD_F_REMOTE_NAME), got(RECORD_F_LOCAL_IP));
	ck_assert_uint_eq(strlen(got(RECORD_F_LOCAL_MAC)), 17);
	ck_assert_int_eq(strtol(got(RECORD_F_LOCAL_MAC), NULL, 16) & 3, 2);
}
END_TEST

START_TEST(truncated_to_networks_and_letters)
{
	policy.action[RECORD_F_LOCAL_IP] = PRIVACY_TRUNCATE;
	policy.action[RECORD_F_REMOTE_IP] = PRIVACY_TRUNCATE;
	policy.action[RECORD_F_LOCAL_MAC] = PRIVACY_TRUNCATE;
	policy.action[RECORD_F_USER] = PRIVACY_TRUNCATE;
	policy.ipv6 = 45;
	set(RECORD_F_LOCAL_IP, "192.0.2.47");
	set(RECORD_F_REMOTE_IP, "2001:db8:ffff:1::2");
	set(RECORD_F_LOCAL_MAC, "00:11:22:33:44:55");
	set(RECORD_F_USER, "Ömérson");
	set(RECORD_F_INTRUSION_URL, "https://joe:x@www.example.com/~joe?q=joe");
	apply();
	ck_assert_str_eq(got(RECORD_F_LOCAL_IP), "192.0.2.0");
	ck_assert_str_eq(got(RECORD_F_REMOTE_IP), "2001:db8:fff8::");
	ck_assert_str_eq(got(RECORD_F_LOCAL_MAC), "00:11:22:00:00:00");
	ck_assert_str_eq(got(RECORD_F_USER), "Ömé");
	ck_assert_str_eq(got(RECORD_F_INTRUSION_URL), "www.example.com");
}
END_TEST

START_TEST(arrays_are_no_way_out)
{
	set(RECORD_F_HOST, "pc-0147");
	record.address[0] = (struct record_address){
	    SPAN("192.0.2.47"), SPAN("00:11:22:33:44:55"), SPAN("192.0.2.1")};
	record.addresses = 1;
	record_mark(&record, RECORD_F_ADDRESSES);
	record_add_extra(&record, SPAN("Seat of PC-0147"), SPAN("at pc-0147"));
	apply();
	ck_assert(!record_has(seen, RECORD_F_EXTRA));
	ck_assert_uint_eq(seen->extras, 0);
	ck_assert_str_ne(copy(seen->address[0].ip), "192.0.2.47");
	ck_assert_str_ne(copy(seen->address[0].gateway), "192.0.2.1");
	ck_assert_str_ne(copy(seen->address[0].mac), "00:11:22:33:44:55");
	policy.action[RECORD_F_EXTRA] = PRIVACY_SCRUB;
	apply();
	ck_assert_uint_eq(seen->extras, 1);
	ck_assert_ptr_null(strstr(copy(seen->extra[0].label), "0147"));
	ck_assert_ptr_null(strstr(copy(seen->extra[0].value), "0147"));
}
END_TEST

START_TEST(nothing_of_the_message_stays)
{
	record.original = SPAN("jdoe was here");
	record.type = RECORD_UNPARSED;
	set(RECORD_F_RAW, "jdoe was here");
	set(RECORD_F_EVENT_KEY, "818c25afdc1dfb57bb3ad200e576c7e7");
	apply();
	ck_assert_uint_eq(seen->original.n, 0);
	ck_assert(!record_has(seen, RECORD_F_RAW));
	ck_assert_uint_eq(
	    seen->value[RECORD_F_ORIGINAL_LENGTH].number, record.original.n);
	ck_assert_uint_eq(strlen(got(RECORD_F_EVENT_KEY)), 32);
	ck_assert_str_ne(
	    got(RECORD_F_EVENT_KEY), "818c25afdc1dfb57bb3ad200e576c7e7");
	policy.digest = true;
	apply();
	ck_assert_uint_eq(seen->original.n, SHA256_SIZE);
}
END_TEST

/* A line has room for so much: encode_bound. */
START_TEST(short_names_do_not_make_long_lines)
{
	static char text[2048];

	for (size_t i = 0; i + 1 < sizeof(text); i++)
		text[i] = i % 2 == 0 ? 'x' : ' ';
	set(RECORD_F_USER, "x");
	set(RECORD_F_RULE, text);
	apply();
	ck_assert_str_eq(got(RECORD_F_RULE), token(PSEUDONYM_TEXT, text));
	set(RECORD_F_RULE, "x or y");
	apply();
	ck_assert_ptr_nonnull(
	    strstr(got(RECORD_F_RULE), token(PSEUDONYM_USER, "x")));
	ck_assert_ptr_nonnull(strstr(got(RECORD_F_RULE), " or y"));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("privacy");
	TCase *tests = tcase_create("privacy");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, hmacs_are_those_of_the_rfc, 0, COUNT(hmacs));
	tcase_add_loop_test(
	    tests, addresses_are_those_of_crypto_pan, 0, COUNT(pans));
	tcase_add_test(tests, tokens_never_change);
	tcase_add_test(tests, kinds_do_not_share_tokens);
	tcase_add_test(tests, letters_of_other_alphabets_have_no_case);
	tcase_add_test(tests, long_values_are_taken_whole);
	tcase_add_test(tests, keys_have_a_least_length);
	tcase_add_test(tests, equal_values_have_equal_tokens_wherever_they_are);
	tcase_add_test(tests, accounts_of_windows_name_nobody);
	tcase_add_loop_test(
	    tests, names_inside_texts_become_tokens, 0, COUNT(scrubs));
	tcase_add_test(tests, profiles_of_others_are_names_too);
	tcase_add_test(tests, what_is_dropped_is_not_in_texts_either);
	tcase_add_test(tests, addresses_stay_addresses);
	tcase_add_test(tests, truncated_to_networks_and_letters);
	tcase_add_test(tests, arrays_are_no_way_out);
	tcase_add_test(tests, nothing_of_the_message_stays);
	tcase_add_test(tests, short_names_do_not_make_long_lines);
	suite_add_tcase(s, tests);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
