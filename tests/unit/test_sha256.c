/* SHA-256 of what FIPS 180-2 (appendix B) has answers for. */
#include "run.h"
#include "sha256.h"

static struct sha256 *sha;

static void
setup(void)
{
	sha = sha256_new();
	ck_assert_ptr_nonnull(sha);
}

static void
teardown(void)
{
	sha256_free(sha);
}

static void
assert_end(const char *expected)
{
	uint8_t sum[SHA256_SIZE], read[SHA256_SIZE];
	char hex[SHA256_HEX];

	sha256_end(sha, sum);
	sha256_hex(sum, hex);
	ck_assert(span_eq(span_of(hex, sizeof hex), span_str(expected)));
	ck_assert(sha256_read(span_str(expected), read));
	ck_assert_mem_eq(sum, read, sizeof sum);
}

static const char of_abc[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

START_TEST(a_new_one_has_begun)
{
	sha256_add(sha, SPAN("abc"));
	assert_end(of_abc);
}
END_TEST

START_TEST(it_begins_again)
{
	sha256_add(sha, SPAN("something else"));
	sha256_begin(sha);
	sha256_add(sha, SPAN("a"));
	sha256_add(sha, SPAN(""));
	sha256_add(sha, SPAN("bc"));
	assert_end(of_abc);
	sha256_begin(sha);
	assert_end("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b785"
		   "2b855");
}
END_TEST

START_TEST(across_blocks)
{
	static const char text[] =
	    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	char piece[1000];

	sha256_add(sha, span_str(text));
	assert_end("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419d"
		   "b06c1");
	memset(piece, 'a', sizeof piece);
	sha256_begin(sha);
	for (unsigned i = 0; i < 1000; i++)
		sha256_add(sha, span_of(piece, sizeof piece));
	assert_end("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc71"
		   "12cd0");
}
END_TEST

START_TEST(what_is_no_sum)
{
	uint8_t sum[SHA256_SIZE];
	char hex[SHA256_HEX];

	memcpy(hex, of_abc, sizeof hex);
	ck_assert(!sha256_read(span_of(hex, sizeof hex - 1), sum));
	ck_assert(!sha256_read(SPAN(""), sum));
	hex[0] = 'B';
	ck_assert(!sha256_read(span_of(hex, sizeof hex), sum));
	hex[0] = 'b';
	hex[sizeof hex - 1] = 'g';
	ck_assert(!sha256_read(span_of(hex, sizeof hex), sum));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("sha256");
	TCase *t = tcase_create("sha256");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_new_one_has_begun);
	tcase_add_test(t, it_begins_again);
	tcase_add_test(t, across_blocks);
	tcase_add_test(t, what_is_no_sum);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
