/*
 * What is remembered of imports, through its text and back; and what counts as
 * text in a file.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imported.h"
#include "run.h"
#include "survey.h"

static const unsigned char *
digest(unsigned n)
{
	static unsigned char out[SURVEY_DIGEST];

	memset(out, (int)(n % 251), sizeof out);
	memcpy(out, &n, sizeof n);
	return out;
}

static struct imported *
copy(struct imported *im, size_t keep)
{
	struct imported *other = imported_new(keep);

	ck_assert(imported_read(other, imported_text(im)));
	imported_free(im);
	return other;
}

START_TEST(contents_are_remembered)
{
	struct imported *im = imported_new(1000);

	for (unsigned i = 0; i < 700; i++) {
		ck_assert(!imported_has(im, digest(i)));
		ck_assert(imported_add(im, digest(i)));
	}
	im = copy(im, 1000);
	for (unsigned i = 0; i < 700; i++)
		ck_assert(imported_has(im, digest(i)));
	ck_assert(!imported_has(im, digest(700)));
	imported_free(im);
}
END_TEST

START_TEST(the_oldest_are_forgotten)
{
	struct imported *im = imported_new(100);

	for (unsigned i = 0; i < 250; i++)
		ck_assert(imported_add(im, digest(i)));
	for (int again = 0; again < 2; again++) {
		for (unsigned i = 0; i < 250; i++)
			ck_assert_int_eq(imported_has(im, digest(i)), i >= 150);
		im = copy(im, 100);
	}
	/* fewer are wanted now: the latest of them */
	im = copy(im, 10);
	for (unsigned i = 0; i < 250; i++)
		ck_assert_int_eq(imported_has(im, digest(i)), i >= 240);
	imported_free(im);
}
END_TEST

START_TEST(parts_go_when_they_are_whole)
{
	struct imported *im = imported_new(10);

	ck_assert(imported_set_part(im, digest(1), 5));
	ck_assert(imported_set_part(im, digest(2), 7));
	ck_assert(imported_set_part(im, digest(1), 6));
	im = copy(im, 10);
	ck_assert_uint_eq(imported_part(im, digest(1)), 6);
	ck_assert_uint_eq(imported_part(im, digest(2)), 7);
	ck_assert(imported_add(im, digest(1)));
	im = copy(im, 10);
	ck_assert_uint_eq(imported_part(im, digest(1)), 0);
	ck_assert(imported_has(im, digest(1)));
	for (unsigned i = 0; i < 2 * IMPORTED_PARTS; i++)
		imported_set_part(im, digest(100 + i), 1);
	ck_assert_uint_eq(imported_part(im, digest(2)), 0);
	imported_free(im);
}
END_TEST

START_TEST(growing_files)
{
	struct imported *im = imported_new(10);
	struct growing *g = imported_grow(im, 1, 2);

	g->offset = UINT64_C(1) << 40;
	g->head_n = IMPORTED_HEAD;
	memcpy(g->head, digest(9), SURVEY_DIGEST);
	ck_assert_ptr_null(imported_growing(im, 1, 3));
	im = copy(im, 10);
	g = imported_growing(im, 1, 2);
	ck_assert_ptr_nonnull(g);
	ck_assert_uint_eq(g->offset, UINT64_C(1) << 40);
	ck_assert_uint_eq(g->head_n, IMPORTED_HEAD);
	ck_assert_mem_eq(g->head, digest(9), SURVEY_DIGEST);
	for (unsigned i = 0; i < 3 * IMPORTED_GROWING; i++) {
		imported_grow(im, 2, i);
		ck_assert_ptr_nonnull(imported_growing(im, 1, 2));
	}
	imported_grown(im, imported_growing(im, 1, 2));
	ck_assert_ptr_null(imported_growing(im, 1, 2));
	imported_free(im);
}
END_TEST

static const char *const damaged[] = {
    "x",
    "import 2\n",
    "import 1\nx\n",
    "import 1\ncontent 00\n",
    "import 1\npart "
    "0000000000000000000000000000000000000000000000000000000000000000 x\n",
    "import 1\ncontent "
    "000000000000000000000000000000000000000000000000000000000000000g\n",
    "import 1\ncontent "
    "0000000000000000000000000000000000000000000000000000000000000000",
    "import 1\ngrowing 1 2 3\n",
    "import 1\ngrowing 1 2 3 99999 "
    "0000000000000000000000000000000000000000000000000000000000000000\n",
    "import 1\npart "
    "0000000000000000000000000000000000000000000000000000000000000000 "
    "99999999999999999999\n",
};

START_TEST(damage_is_seen)
{
	struct imported *im = imported_new(10);

	ck_assert(!imported_read(im, span_str(damaged[_i])));
	imported_free(im);
}
END_TEST

/* --- survey --- */

static enum survey_status
survey_bytes(struct span bytes, struct survey *survey)
{
	char path[] = "/tmp/survey-XXXXXX";
	int fd = mkstemp(path);
	enum survey_status status;

	ck_assert_int_ge(fd, 0);
	unlink(path);
	ck_assert_int_eq(write(fd, bytes.p, bytes.n), (ssize_t)bytes.n);
	status = survey_file(fd, bytes.n, NULL, survey);
	close(fd);
	return status;
}

START_TEST(what_is_text)
{
	struct survey survey;

	ck_assert_int_eq(survey_bytes(SPAN("x\n"), &survey), SURVEY_TEXT);
	ck_assert_int_eq(survey_bytes(SPAN("\n\n"), &survey), SURVEY_TEXT);
	ck_assert_int_eq(
	    survey_bytes(SPAN("\xff\xfex\0\n\0"), &survey), SURVEY_TEXT);
	ck_assert_int_eq(
	    survey_bytes(SPAN("\1\2\3\na line of text here\n\4"), &survey),
	    SURVEY_TEXT);
	ck_assert_int_eq(survey_bytes(SPAN(""), &survey), SURVEY_EMPTY);
	ck_assert_int_eq(
	    survey_bytes(SPAN("\1\2\3\nabc\n\4"), &survey), SURVEY_HOPELESS);
	ck_assert_str_eq(survey.why, "no line of it is text");
}
END_TEST

/* Random bytes, which have short lines of letters by chance. */
START_TEST(garbage_is_none)
{
	static char bytes[1 << 20];
	struct survey survey;
	uint64_t x = 88172645463325252U + (uint64_t)_i;

	for (size_t i = 0; i < sizeof bytes; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		bytes[i] = (char)(x >> 32);
	}
	ck_assert_int_eq(survey_bytes(span_of(bytes, sizeof bytes), &survey),
	    SURVEY_HOPELESS);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("imported");
	TCase *state = tcase_create("state"), *survey = tcase_create("survey");

	tcase_add_test(state, contents_are_remembered);
	tcase_add_test(state, the_oldest_are_forgotten);
	tcase_add_test(state, parts_go_when_they_are_whole);
	tcase_add_test(state, growing_files);
	tcase_add_loop_test(state, damage_is_seen, 0,
	    (int)(sizeof(damaged) / sizeof(damaged[0])));
	suite_add_tcase(s, state);
	tcase_add_test(survey, what_is_text);
	tcase_add_loop_test(survey, garbage_is_none, 0, 8);
	suite_add_tcase(s, survey);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
