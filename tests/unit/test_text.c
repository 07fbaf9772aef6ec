#include <check.h>
#include <stdlib.h>

#include "text.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define BYTES(literal)                                                         \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}

static const struct {
	struct span in;
	size_t valid;
	struct span decoded; /* by windows-1252 */
} texts[] = {
    {BYTES(""), 0, BYTES("")},
    {BYTES("plain text, longer than a word"), 30,
	BYTES("plain text, longer than a word")},
    {BYTES("caf\xc3\xa9"), 5, BYTES("caf\xc3\xa9")},
    {BYTES("caf\xe9\xae.exe"), 3, BYTES("caf\xc3\xa9\xc2\xae.exe")},
    {BYTES("\x80"), 0, BYTES("\xe2\x82\xac")},
    {BYTES("\x81"), 0, BYTES("\xc2\x81")},
    {BYTES("\xc0\x80"), 0, BYTES("\xc3\x80\xe2\x82\xac")},
    {BYTES("\xed\xa0\x80"), 0, BYTES("\xc3\xad\xc2\xa0\xe2\x82\xac")},
    {BYTES("\xf4\x90\x80\x80"), 0,
	BYTES("\xc3\xb4\xc2\x90\xe2\x82\xac\xe2\x82\xac")},
    {BYTES("cut \xe2\x82"), 4, BYTES("cut \xc3\xa2\xe2\x80\x9a")},
    {BYTES("\xf0\x9f\x98\x80"), 4, BYTES("\xf0\x9f\x98\x80")},
};

START_TEST(valid_text_is_told_and_the_rest_decoded)
{
	struct arena arena;
	struct span in = texts[_i].in, out;
	char *exact = malloc(in.n + 1);

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, in.p, in.n);
	ck_assert(arena_init(&arena, 256));
	ck_assert_uint_eq(
	    text_valid_utf8(span_of(exact, in.n)), texts[_i].valid);
	ck_assert(text_decode(
	    span_of(exact, in.n), &text_windows_1252, &arena, &out));
	ck_assert(span_eq(out, texts[_i].decoded));
	ck_assert_uint_eq(text_valid_utf8(out), out.n);
	arena_clear(&arena);
	free(exact);
}
END_TEST

START_TEST(a_full_arena_is_told)
{
	struct arena arena;
	struct span out;

	ck_assert(arena_init(&arena, 4));
	ck_assert(!text_decode(
	    SPAN("\xe9\xe9\xe9\xe9\xe9"), &text_windows_1252, &arena, &out));
	arena_clear(&arena);
}
END_TEST

START_TEST(base64_is_that_of_the_rfc)
{
	static const char *const cases[][2] = {{"f", "Zg=="}, {"fo", "Zm8="},
	    {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe", "//4="}};
	char out[16] = {0};

	text_base64(span_str(cases[_i][0]), out);
	ck_assert_str_eq(out, cases[_i][1]);
}
END_TEST

START_TEST(no_code_point_makes_bad_utf8)
{
	char out[4];

	for (uint32_t code = 0; code < 0x110400; code += 7) {
		size_t n = text_put_utf8(code, out);

		ck_assert_uint_eq(text_valid_utf8(span_of(out, n)), n);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("text");
	TCase *t = tcase_create("text");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(
	    t, valid_text_is_told_and_the_rest_decoded, 0, COUNT(texts));
	tcase_add_test(t, a_full_arena_is_told);
	tcase_add_loop_test(t, base64_is_that_of_the_rfc, 0, 5);
	tcase_add_test(t, no_code_point_makes_bad_utf8);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
