#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>

#include "privacy.h"
#include "run.h"
#include "testing.h"
#include "vault.h"

#define KEY "0123456789abcdef0123456789abcdef"

static void
bytes_of(const char *hex, void *out, size_t n)
{
	unsigned char *to = out;

	ck_assert_uint_eq(strlen(hex), 2 * n);
	for (size_t i = 0; i < n; i++) {
		const char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		to[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
}

/* --- RFC 9180 A.2.1: this suite, base mode --- */

enum { PLAIN = 29, SEALED = PLAIN + HPKE_TAG };

static const char plain[] =
    "4265617574792069732074727574682c20747275746820626561757479";

static const struct {
	const char *aad;
	const char *sealed;
} rfc[] = {
    {"Count-0", "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b"
		"4db21993c62ce81883d2dd1b51a28"},
    {"Count-1", "6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb1"
		"19e85285337cc95ba5f59992dc98c"},
    {"Count-2", "71146bd6795ccc9c49ce25dda112a48f202ad220559502cef1f34271e0cb4"
		"b02b4f10ecac6f48c32f878fae86b"},
};

START_TEST(sealed_as_the_rfc_has_it)
{
	uint8_t ephemeral[HPKE_KEY], key[HPKE_KEY], public[HPKE_KEY];
	uint8_t enc[HPKE_KEY], wanted[HPKE_KEY];
	char info[20], text[PLAIN], out[SEALED], sealed[SEALED];
	struct hpke *sealer, *opener;

	bytes_of("4f6465206f6e2061204772656369616e2055726e", info, 20);
	bytes_of(plain, text, PLAIN);
	bytes_of("f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd38"
		 "1600",
	    ephemeral, HPKE_KEY);
	bytes_of("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478"
		 "e0fb",
	    key, HPKE_KEY);
	bytes_of("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59"
		 "662a",
	    wanted, HPKE_KEY);
	ck_assert(hpke_public(key, public));
	ck_assert_mem_eq(public, wanted, HPKE_KEY);
	sealer = hpke_sealer_with(
	    public, span_of(info, sizeof(info)), ephemeral, enc);
	ck_assert_ptr_nonnull(sealer);
	bytes_of("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2"
		 "ac4a",
	    wanted, HPKE_KEY);
	ck_assert_mem_eq(enc, wanted, HPKE_KEY);
	opener = hpke_opener(key, span_of(info, sizeof(info)), enc);
	ck_assert_ptr_nonnull(opener);
	for (size_t i = 0; i < COUNT(rfc); i++) {
		bytes_of(rfc[i].sealed, sealed, SEALED);
		ck_assert(hpke_seal(
		    sealer, span_str(rfc[i].aad), span_of(text, PLAIN), out));
		ck_assert_mem_eq(out, sealed, SEALED);
		ck_assert(hpke_open(opener, span_str(rfc[i].aad),
		    span_of(sealed, SEALED), out));
		ck_assert_mem_eq(out, text, PLAIN);
	}
	hpke_free(sealer);
	hpke_free(opener);
}
END_TEST

START_TEST(a_point_that_is_no_key)
{
	static const uint8_t none[HPKE_KEY];
	char header[VAULT_HEADER];

	ck_assert_ptr_null(vault_begin(none, header));
}
END_TEST

/* Keys of 32 bytes 0x80: of X25519, and a public one of Ed25519 (RFC 8410). */
static const char private_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VuBCIEIICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICA\n"
    "-----END PRIVATE KEY-----\n";
static const char public_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VuAyEAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIA=\n"
    "-----END PUBLIC KEY-----\n";
static const char other_pem[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIA=\n"
    "-----END PUBLIC KEY-----\n";

START_TEST(keys_in_pem)
{
	uint8_t key[HPKE_KEY], other[HPKE_KEY];

	ck_assert_int_eq(
	    hpke_read_private(span_str(private_pem), NULL, NULL, key),
	    HPKE_READ);
	ck_assert_uint_eq(key[0], 0x80);
	ck_assert_int_eq(
	    hpke_read_public(span_str(public_pem), other), HPKE_READ);
	ck_assert_uint_eq(other[31], 0x80);
	/* the wrong half, another algorithm, nothing */
	ck_assert_int_eq(
	    hpke_read_public(span_str(private_pem), other), HPKE_PRIVATE);
	ck_assert_int_eq(
	    hpke_read_public(span_str(other_pem), other), HPKE_OTHER_KIND);
	ck_assert_int_eq(hpke_read_public(SPAN("none"), other), HPKE_NO_PEM);
	ck_assert_int_eq(
	    hpke_read_private(SPAN("none"), NULL, NULL, other), HPKE_NO_PEM);
}
END_TEST

/* --- files --- */

static uint8_t key[HPKE_KEY], public[HPKE_KEY];
static char file[VAULT_HEADER + 2 * VAULT_FRAME];
static size_t file_n;
static char opened[VAULT_MESSAGE];
static struct vault_notes *notes;
static uint64_t taken; /* of the notes */

static void
setup(void)
{
	memset(key, 0x42, sizeof(key));
	ck_assert(hpke_public(key, public));
	taken = 0;
	notes = vault_notes_new();
	ck_assert_ptr_nonnull(notes);
}

static void
teardown(void)
{
	vault_notes_free(notes);
}

/* One frame for each of two notes. */
static void
make_file(void)
{
	struct hpke *hpke = vault_begin(public, file);
	struct span message;

	ck_assert_ptr_nonnull(hpke);
	vault_notes_again(notes);
	file_n = VAULT_HEADER;
	for (unsigned i = 0; i < 2; i++) {
		ck_assert(vault_note(notes, PSEUDONYM_USER,
		    i == 0 ? SPAN("u1:aaaaaaaaaaaaaaaa")
			   : SPAN("u1:bbbbbbbbbbbbbbbb"),
		    i == 0 ? SPAN("Jane Roe") : SPAN("J\xc3\xbcrgen")));
		message = vault_notes_from(notes, taken, UINT64_MAX);
		ck_assert_uint_gt(message.n, 0);
		taken += message.n;
		file_n += vault_seal(hpke, message, file + file_n);
	}
	ck_assert_uint_eq(vault_notes_from(notes, taken, UINT64_MAX).n, 0);
	vault_notes_free_to(notes, taken);
	hpke_free(hpke);
}

/* Entries that can be read with the key. */
static unsigned
read_file(const uint8_t with[HPKE_KEY], struct vault_entry *last)
{
	struct span rest = span_of(file, file_n), message;
	struct hpke *hpke = NULL;
	unsigned entries = 0;
	size_t n;

	if (vault_open(rest, with, &hpke) != VAULT_OPENED)
		return 0;
	rest = span_skip(rest, VAULT_HEADER);
	while (rest.n >= VAULT_LENGTH) {
		n = vault_frame_size(rest.p);
		if (n == 0 || n > rest.n - VAULT_LENGTH ||
		    !vault_unseal(hpke, span_take(rest, VAULT_LENGTH + n),
			opened, &message))
			break;
		while (vault_next(&message, last))
			entries++;
		ck_assert_uint_eq(message.n, 0);
		rest = span_skip(rest, VAULT_LENGTH + n);
	}
	hpke_free(hpke);
	return entries;
}

START_TEST(sealed_and_opened)
{
	struct vault_entry last;
	uint8_t other[HPKE_KEY];

	make_file();
	ck_assert_uint_eq(read_file(key, &last), 2);
	ck_assert_uint_eq(last.kind, PSEUDONYM_USER);
	ck_assert(!last.cut);
	ck_assert(span_eq(last.token, SPAN("u1:bbbbbbbbbbbbbbbb")));
	ck_assert(span_eq(last.value, SPAN("J\xc3\xbcrgen")));
	/* nothing of it stands in the file */
	for (size_t i = 0; i + 4 <= file_n; i++)
		ck_assert_int_ne(memcmp(file + i, "Jane", 4), 0);
	memset(other, 0x43, sizeof(other));
	ck_assert_uint_eq(read_file(other, &last), 0);
	/* its public key put where the right one was */
	ck_assert(hpke_public(other, (uint8_t *)file + VAULT_MAGIC_SIZE));
	ck_assert_uint_eq(read_file(other, &last), 0);
}
END_TEST

START_TEST(every_byte_counts)
{
	size_t second = VAULT_HEADER + VAULT_LENGTH;
	struct vault_entry last;

	make_file();
	second += vault_frame_size(file + VAULT_HEADER);
	for (size_t i = 0; i < file_n; i++) {
		file[i] ^= 1;
		ck_assert_uint_eq(read_file(key, &last), i < second ? 0 : 1);
		file[i] ^= 1;
		/* also the bit that X25519 itself ignores (RFC 7748 5) */
		file[i] ^= (char)0x80;
		ck_assert_uint_eq(read_file(key, &last), i < second ? 0 : 1);
		file[i] ^= (char)0x80;
	}
	ck_assert_uint_eq(read_file(key, &last), 2);
	/* killed at any point: whole frames count */
	for (size_t n = file_n; n-- > VAULT_HEADER;) {
		file_n = n;
		ck_assert_uint_eq(read_file(key, &last), n >= second ? 1 : 0);
	}
}
END_TEST

START_TEST(no_frame_elsewhere)
{
	size_t n = VAULT_LENGTH;
	struct vault_entry last;

	make_file();
	n += vault_frame_size(file + VAULT_HEADER);
	/* the first left out; the first twice */
	memcpy(file + VAULT_HEADER, file + VAULT_HEADER + n,
	    file_n - VAULT_HEADER - n);
	file_n -= n;
	ck_assert_uint_eq(read_file(key, &last), 0);
	make_file();
	memcpy(file + VAULT_HEADER + n, file + VAULT_HEADER, n);
	file_n = VAULT_HEADER + 2 * n;
	ck_assert_uint_eq(read_file(key, &last), 1);
}
END_TEST

/* --- notes --- */

/* Of letters; snprintf would be most of what these tests cost. */
static struct span
token_of(unsigned number, char text[32])
{
	size_t n = 3;

	memcpy(text, "u1:", 3);
	for (; n < 3 + PSEUDONYM_LETTERS; n++, number /= 16)
		text[n] = (char)('a' + number % 16);
	return span_of(text, n);
}

START_TEST(each_once)
{
	char text[32];

	for (unsigned turn = 0; turn < 3; turn++)
		for (unsigned i = 0; i < 1000; i++)
			ck_assert(vault_note(notes, PSEUDONYM_USER,
			    token_of(i, text), SPAN("x")));
	ck_assert_uint_eq(vault_noted(notes), 1000);
	/* another file begins: all of it again, once */
	vault_notes_again(notes);
	for (unsigned i = 0; i < 2000; i++)
		ck_assert(vault_note(notes, PSEUDONYM_USER,
		    token_of(i % 1000, text), SPAN("x")));
	ck_assert_uint_eq(vault_noted(notes), 2000);
}
END_TEST

START_TEST(bounded)
{
	char text[32], value[64] = "";
	unsigned i = 0;

	/* the ring: what does not fit is counted, and noted later */
	while (vault_note(notes, PSEUDONYM_USER, token_of(i, text),
	    span_of(value, sizeof(value))))
		i++;
	ck_assert_uint_gt(i, 40000);
	ck_assert_uint_lt(i, 60000);
	ck_assert(!vault_has_room(notes));
	ck_assert_uint_ge(vault_notes_fill(notes), 99);
	vault_notes_because(notes, VAULT_FULL);
	ck_assert(vault_has_room(notes)); /* nobody waits for a full disk */
	ck_assert(!vault_note(notes, PSEUDONYM_USER, token_of(i, text),
	    span_of(value, sizeof(value))));
	ck_assert_uint_eq(vault_unnoted(notes, VAULT_BUSY), 1);
	ck_assert_uint_eq(vault_unnoted(notes, VAULT_FULL), 1);
	ck_assert_uint_eq(vault_unnoted(notes, VAULT_BROKEN), 0);
	vault_notes_because(notes, VAULT_BUSY);
	ck_assert(!vault_has_room(notes));

	for (uint64_t at = 0, n = 1; n > 0; at += n) {
		n = vault_notes_from(notes, at, UINT64_MAX).n;
		ck_assert_uint_le(n, VAULT_MESSAGE);
		vault_notes_free_to(notes, at + n);
	}
	ck_assert(vault_has_room(notes));
	ck_assert(vault_note(notes, PSEUDONYM_USER, token_of(i, text),
	    span_of(value, sizeof(value))));
	ck_assert_uint_eq(vault_noted(notes), i + 1);
}
END_TEST

static void
take_all(void)
{
	struct span message;

	while ((message = vault_notes_from(notes, taken, UINT64_MAX)).n > 0)
		taken += message.n;
	vault_notes_free_to(notes, taken);
}

START_TEST(the_table_forgets)
{
	unsigned twice = 2 * VAULT_REMEMBERED;
	char text[32];

	for (unsigned i = 0; i < twice; i++) {
		ck_assert(vault_note(
		    notes, PSEUDONYM_USER, token_of(i, text), SPAN("x")));
		if (i % 8192 == 0)
			take_all();
	}
	take_all();
	ck_assert_uint_eq(vault_noted(notes), twice);
	/* the last is known, the first is not any more */
	ck_assert(vault_note(
	    notes, PSEUDONYM_USER, token_of(twice - 1, text), SPAN("x")));
	ck_assert_uint_eq(vault_noted(notes), twice);
	ck_assert(
	    vault_note(notes, PSEUDONYM_USER, token_of(0, text), SPAN("x")));
	ck_assert_uint_eq(vault_noted(notes), twice + 1);
}
END_TEST

START_TEST(long_values_are_cut)
{
	static char value[3 * VAULT_VALUE_MAX];
	struct vault_entry entry;
	struct span message;

	memset(value, 'x', sizeof(value));
	memcpy(value + VAULT_VALUE_MAX - 1, "\xc3\xbc", 2);
	ck_assert(vault_note(notes, PSEUDONYM_PATH, SPAN("u1:a"),
	    span_of(value, sizeof(value))));
	message = vault_notes_from(notes, 0, UINT64_MAX);
	ck_assert(vault_next(&message, &entry));
	ck_assert(entry.cut);
	ck_assert_uint_eq(entry.kind, PSEUDONYM_PATH);
	/* between characters */
	ck_assert_uint_eq(entry.value.n, VAULT_VALUE_MAX - 1);
}
END_TEST

START_TEST(no_entries)
{
	static const struct span bad[] = {{"", 0}, {"\x01", 1},
	    {"\x01\x02\x00\x00u", 5}, {"\x01\x00\x00\x01", 4},
	    {"\x01\x01\xff\xffuv", 6}};
	struct vault_entry entry;

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct span message = bad[i];

		ck_assert(!vault_next(&message, &entry));
		ck_assert_uint_eq(message.n, bad[i].n);
	}
}
END_TEST

/* --- from tokens and addresses --- */

/* What is noted as the token of a value; empty: nothing new. */
static struct span
noted(uint64_t *at, struct span token)
{
	struct span message = vault_notes_from(notes, *at, UINT64_MAX),
		    value = SPAN("");
	struct vault_entry entry;

	*at += message.n;
	while (vault_next(&message, &entry))
		if (span_eq(entry.token, token))
			value = entry.value;
	return value;
}

START_TEST(tokens_are_noted_as_written)
{
	static const char path[] = "C:/A/path/that/is/longer/than/what/is/"
				   "remembered/with/its/Token.exe";
	struct pseudonym *p = pseudonym_new(SPAN(KEY), SPAN("u1"));
	char token[PSEUDONYM_TOKEN];
	uint64_t at = 0;
	struct span made;

	ck_assert_ptr_nonnull(p);
	pseudonym_token(p, PSEUDONYM_USER, SPAN("Before"), token);
	pseudonym_seal(p, notes);
	for (unsigned turn = 0; turn < 2; turn++) {
		made = span_between(token,
		    pseudonym_token(p, PSEUDONYM_USER, SPAN("Before"), token));
		ck_assert(span_eq(noted(&at, made), SPAN("Before")));
		made = span_between(token,
		    pseudonym_token(p, PSEUDONYM_USER, SPAN("JDoe"), token));
		ck_assert(span_eq(noted(&at, made), SPAN("JDoe")));
		pseudonym_token(p, PSEUDONYM_USER, SPAN("jdoe"), token);
		ck_assert_uint_eq(noted(&at, made).n, 0);
		made = span_between(token,
		    pseudonym_token(p, PSEUDONYM_PATH, span_str(path), token));
		ck_assert(span_eq(noted(&at, made), span_str(path)));
		made = span_between(
		    token, pseudonym_mac(p, SPAN("00:50:56:aa:bb:cc"), token));
		ck_assert(span_eq(noted(&at, made), SPAN("00:50:56:aa:bb:cc")));
		pseudonym_mac(p, SPAN("00:50:56:aa:bb:cc"), token);
		ck_assert_uint_eq(noted(&at, made).n, 0);
		vault_notes_again(notes);
	}
	pseudonym_free(p);
}
END_TEST

START_TEST(addresses_can_be_read_back)
{
	static const char *const list[] = {"192.0.2.1", "10.20.30.40",
	    "0.0.0.0", "255.255.255.255", "2001:db8::1", "::", "fe80::1:2:3",
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
	struct pseudonym *p = pseudonym_new(SPAN(KEY), SPAN("u1"));
	char made[PSEUDONYM_ADDRESS_MAX + 1], back[PSEUDONYM_ADDRESS_MAX + 1];
	char *end;

	ck_assert_ptr_nonnull(p);
	for (size_t i = 0; i < COUNT(list); i++) {
		end = pseudonym_address(p, span_str(list[i]), made);
		ck_assert_ptr_nonnull(end);
		end = pseudonym_real_address(p, span_between(made, end), back);
		ck_assert_ptr_nonnull(end);
		ck_assert(span_eq(span_between(back, end), span_str(list[i])));
	}
	ck_assert_ptr_null(pseudonym_real_address(p, SPAN("host"), back));
	ck_assert_ptr_null(pseudonym_real_address(p, SPAN(""), back));
	pseudonym_free(p);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("vault");
	TCase *hpke = tcase_create("hpke"), *vault = tcase_create("vault");

	tcase_add_test(hpke, sealed_as_the_rfc_has_it);
	tcase_add_test(hpke, a_point_that_is_no_key);
	tcase_add_test(hpke, keys_in_pem);
	suite_add_tcase(suite, hpke);
	tcase_add_checked_fixture(vault, setup, teardown);
	tcase_add_test(vault, sealed_and_opened);
	tcase_add_test(vault, every_byte_counts);
	tcase_add_test(vault, no_frame_elsewhere);
	tcase_add_test(vault, each_once);
	tcase_add_test(vault, bounded);
	tcase_add_test(vault, the_table_forgets);
	tcase_add_test(vault, long_values_are_cut);
	tcase_add_test(vault, no_entries);
	tcase_add_test(vault, tokens_are_noted_as_written);
	tcase_add_test(vault, addresses_can_be_read_back);
	suite_add_tcase(suite, vault);
	return run_suite(suite);
}
