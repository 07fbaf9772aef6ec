#include <check.h>
#include <stdlib.h>

#include "arena.h"
#include "guard.h"
#include "run.h"
#include "span.h"
#include "testing.h"

static struct guard guard;

static void
setup(void)
{
	guard_open(&guard, 256);
}

static void
teardown(void)
{
	guard_close(&guard);
}

/* clang-format off */
static const struct {
	struct span text, trimmed;
} trims[] = {
	{ {"", 0},			{"", 0} },
	{ {"a", 1},			{"a", 1} },
	{ {" a", 2},			{"a", 1} },
	{ {"a ", 2},			{"a", 1} },
	{ {"\t\r\n a  b \0", 10},	{"a  b", 4} },
	{ {"\0\0a\0b\0", 6},		{"a\0b", 3} },
	{ {" ", 1},			{"", 0} },
	{ {"\r\n", 2},			{"", 0} },
	/* U+00A0 at both ends, inside, and halves of it */
	{ {"\xc2\xa0" "a\xc2\xa0", 5},	{"a", 1} },
	{ {"\xc2\xa0 \xc2\xa0", 5},	{"", 0} },
	{ {"a\xc2\xa0" "b", 4},		{"a\xc2\xa0" "b", 4} },
	{ {"\xc2" "a", 2},		{"\xc2" "a", 2} },
	{ {"a\xa0", 2},			{"a\xa0", 2} },
	{ {"a\xc2", 2},			{"a\xc2", 2} },
	{ {"\xa0", 1},			{"\xa0", 1} },
	{ {"\xc2", 1},			{"\xc2", 1} },
	/* characters that end or begin alike: none of them is one */
	{ {"\xe1\xa0\xa0", 3},		{"\xe1\xa0\xa0", 3} },
	{ {"\xc3\xa0 ", 3},		{"\xc3\xa0", 2} },
	{ {"\xc2\xa9", 2},		{"\xc2\xa9", 2} },
	{ {"\v\f", 2},			{"\v\f", 2} },
};
/* clang-format on */

START_TEST(blanks_go_at_both_ends_only)
{
	struct span text = guard_place(&guard, trims[_i].text);

	ck_assert(span_eq(span_trim(text), trims[_i].trimmed));
}
END_TEST

START_TEST(spans_stay_within_their_bytes)
{
	struct span s = guard_place(&guard, SPAN("abc"));

	ck_assert(span_eq(span_skip(s, 1), SPAN("bc")));
	ck_assert(span_eq(span_skip(s, 3), SPAN("")));
	ck_assert(span_eq(span_skip(s, 99), SPAN("")));
	ck_assert_ptr_eq(span_skip(s, 99).p, span_end(s));
	ck_assert(span_eq(span_take(s, 2), SPAN("ab")));
	ck_assert(span_eq(span_take(s, 99), s));
	ck_assert(span_eq(span_between(s.p + 1, s.p + 2), SPAN("b")));
	ck_assert_int_eq(span_at(s, 2), 'c');
	ck_assert_int_eq(span_at(s, 3), -1);
	ck_assert_int_eq(span_at(SPAN("\xff"), 0), 0xff);
	ck_assert_uint_eq(span_find(s, 'c'), 2);
	ck_assert_uint_eq(span_find(s, 'x'), 3);
	ck_assert_uint_eq(span_find(span_of(NULL, 0), 'x'), 0);
}
END_TEST

START_TEST(spans_compare_by_their_bytes)
{
	ck_assert(span_eq(span_of(NULL, 0), SPAN("")));
	ck_assert(!span_eq(SPAN("a"), SPAN("ab")));
	ck_assert(!span_eq(SPAN("a\0b"), SPAN("a\0c")));
	ck_assert(span_starts(SPAN("abc"), SPAN("")));
	ck_assert(span_starts(SPAN("abc"), SPAN("abc")));
	ck_assert(!span_starts(SPAN("ab"), SPAN("abc")));
	ck_assert(span_caseeq(SPAN("aZ1\xe9"), SPAN("Az1\xe9")));
	ck_assert(!span_caseeq(SPAN("\xc9"), SPAN("\xe9")));
	ck_assert(!span_caseeq(SPAN("@"), SPAN("`")));
	ck_assert(!span_caseeq(SPAN("["), SPAN("{")));
	ck_assert(!span_caseeq(SPAN("a"), SPAN("ab")));
}
END_TEST

START_TEST(an_arena_gives_what_it_has)
{
	struct arena a;
	char *first, *second;

	ck_assert(arena_init(&a, 16));
	first = arena_take(&a, 10);
	second = arena_take(&a, 6);
	ck_assert_ptr_eq(second, first + 10);
	ck_assert_ptr_nonnull(arena_take(&a, 0));
	ck_assert_ptr_null(arena_take(&a, 1));
	ck_assert_ptr_null(arena_take(&a, SIZE_MAX));
	arena_reset(&a);
	ck_assert_ptr_eq(arena_take(&a, 16), first);
	ck_assert_ptr_null(arena_take(&a, 1));
	arena_clear(&a);
	arena_clear(&a);
	ck_assert_ptr_null(arena_take(&a, 1));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("span");
	TCase *tc = tcase_create("span");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, blanks_go_at_both_ends_only, 0, COUNT(trims));
	tcase_add_test(tc, spans_stay_within_their_bytes);
	tcase_add_test(tc, spans_compare_by_their_bytes);
	tcase_add_test(tc, an_arena_gives_what_it_has);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
