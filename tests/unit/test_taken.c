#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "run.h"
#include "taken.h"
#include "testing.h"

enum { PENDING = 1000, INTERVALS = 64 };

static struct taken *taken;

static void
setup(void)
{
	taken = taken_new(PENDING, INTERVALS);
	ck_assert_ptr_nonnull(taken);
}

static void
teardown(void)
{
	taken_free(taken);
}

static struct taken_key
key(const char *site, uint64_t usn)
{
	char digits[32];

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)usn);
	return taken_key(taken, span_str(site), span_str(digits), SPAN("row"));
}

static void
add(const char *site, uint64_t first, uint64_t last)
{
	for (; first <= last; first++) {
		ck_assert_int_ne(
		    taken_look(taken, key(site, first)), TAKEN_YES);
		ck_assert(taken_add(taken, key(site, first)));
		ck_assert_int_eq(
		    taken_look(taken, key(site, first)), TAKEN_YES);
	}
}

static const char *
text(void)
{
	static char out[16384];

	ck_assert_uint_lt(taken_bound(taken), sizeof(out));
	out[taken_write(taken, out)] = '\0';
	return out;
}

/* As after the next start. */
static void
reopen(void)
{
	const char *state = text();

	taken_free(taken);
	setup();
	ck_assert(taken_read(taken, span_str(state)));
	ck_assert_str_eq(text(), state);
}

#define HEAD "taken 1\nsource 0\nsite 0 0 0\n\n\n"

START_TEST(rows_in_order_are_one_interval)
{
	add("A", 5, 9);
	add("A", 10, 20);
	ck_assert(taken_settle(taken));
	ck_assert_str_eq(text(), HEAD "site 1 0 1\nA\n5+15 \n");
	add("A", 21, 21);
	add("A", 4, 4);
	ck_assert(taken_settle(taken));
	ck_assert_str_eq(text(), HEAD "site 1 0 1\nA\n4+17 \n");
	ck_assert_uint_eq(taken_pending(taken), 0);
}
END_TEST

START_TEST(late_rows_fill_their_gaps)
{
	add("A", 1, 1);
	add("A", 3, 3);
	add("A", 7, 7);
	ck_assert(taken_settle(taken));
	ck_assert_str_eq(text(), HEAD "site 1 0 3\nA\n1 2 4 \n");
	ck_assert_int_eq(taken_look(taken, key("A", 2)), TAKEN_NEW);
	add("A", 2, 2);
	add("A", 5, 5);
	ck_assert(taken_settle(taken));
	ck_assert_str_eq(text(), HEAD "site 1 0 3\nA\n1+2 2 2 \n");
	ck_assert_int_eq(taken_look(taken, key("A", 5)), TAKEN_YES);
	ck_assert_int_eq(taken_look(taken, key("A", 6)), TAKEN_NEW);
}
END_TEST

START_TEST(each_site_has_numbers_of_its_own)
{
	add("A", 1, 3);
	add("", 2, 2);
	ck_assert_int_eq(taken_look(taken, key("", 1)), TAKEN_NEW);
	ck_assert(taken_settle(taken));
	add("B", 9, 9);
	ck_assert(taken_settle(taken));
	reopen();
	ck_assert_int_eq(taken_look(taken, key("A", 3)), TAKEN_YES);
	ck_assert_int_eq(taken_look(taken, key("", 2)), TAKEN_YES);
	ck_assert_int_eq(taken_look(taken, key("", 3)), TAKEN_NEW);
	ck_assert_int_eq(taken_look(taken, key("B", 2)), TAKEN_NEW);
	ck_assert_int_eq(taken_look(taken, key("B", 9)), TAKEN_YES);
}
END_TEST

START_TEST(rows_without_a_number_are_known_by_content)
{
	static const char *const usns[] = {"", "-1", "x", "9223372036854775808",
	    "99999999999999999999", "1.0"};

	for (size_t i = 0; i < COUNT(usns); i++) {
		struct span usn = span_str(usns[i]), row = usn;
		struct taken_key k = taken_key(taken, SPAN("A"), usn, row);

		ck_assert_uint_eq(k.site, 0);
		ck_assert_int_eq(taken_look(taken, k), TAKEN_NEW);
		ck_assert(taken_add(taken, k));
	}
	ck_assert(taken_settle(taken));
	reopen();
	for (size_t i = 0; i < COUNT(usns); i++)
		ck_assert_int_eq(taken_look(taken,
				     taken_key(taken, SPAN("B"),
					 span_str(usns[i]), span_str(usns[i]))),
		    TAKEN_YES);
	ck_assert_int_eq(taken_look(taken, taken_key(taken, SPAN("B"), SPAN(""),
					       SPAN("other"))),
	    TAKEN_NEW);
}
END_TEST

START_TEST(sites_are_bounded)
{
	char name[TAKEN_SITE_MAX + 2];

	for (int i = 0; i < TAKEN_SITES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ck_assert_uint_ne(key(name, 1).site, 0);
	}
	ck_assert_uint_eq(key("one more", 1).site, 0);
	ck_assert_uint_ne(key("7", 1).site, 0);
	teardown();
	setup();
	memset(name, 'x', sizeof(name));
	name[TAKEN_SITE_MAX + 1] = '\0';
	ck_assert_uint_eq(key(name, 1).site, 0);
	name[TAKEN_SITE_MAX] = '\0';
	ck_assert_uint_ne(key(name, 1).site, 0);
}
END_TEST

START_TEST(beyond_the_bound_the_lowest_are_forgotten)
{
	for (uint64_t n = 1; n <= 200; n++)
		add("A", n * 2, n * 2);
	add("B", 7, 7);
	ck_assert(!taken_forgets(taken));
	ck_assert(taken_settle(taken));
	ck_assert(taken_forgets(taken));
	ck_assert_int_eq(taken_look(taken, key("A", 400)), TAKEN_YES);
	ck_assert_int_eq(taken_look(taken, key("A", 399)), TAKEN_NEW);
	ck_assert_int_eq(taken_look(taken, key("A", 2)), TAKEN_FORGOTTEN);
	ck_assert_int_eq(taken_look(taken, key("A", 3)), TAKEN_FORGOTTEN);
	ck_assert_int_eq(taken_look(taken, key("B", 7)), TAKEN_YES);
	ck_assert_int_eq(taken_look(taken, key("B", 6)), TAKEN_NEW);
	reopen();
	ck_assert(!taken_forgets(taken));
	ck_assert_int_eq(taken_look(taken, key("A", 3)), TAKEN_FORGOTTEN);
	add("A", 3, 3); /* on demand */
	ck_assert(taken_settle(taken));
	ck_assert_int_eq(taken_look(taken, key("A", 3)), TAKEN_YES);
	/* what is known by content is never passed over */
	for (uint64_t n = 1; n <= 200; n++) {
		struct span row = span_of((const char *)&n, sizeof(n));
		struct taken_key k = taken_key(taken, SPAN(""), SPAN(""), row);

		ck_assert(taken_add(taken, k));
	}
	ck_assert(taken_settle(taken));
	for (uint64_t n = 1; n <= 200; n++) {
		struct span row = span_of((const char *)&n, sizeof(n));
		struct taken_key k = taken_key(taken, SPAN(""), SPAN(""), row);

		ck_assert_int_ne(taken_look(taken, k), TAKEN_FORGOTTEN);
	}
}
END_TEST

START_TEST(pending_rows_are_bounded)
{
	add("A", 1, PENDING);
	ck_assert(!taken_add(taken, key("A", PENDING + 1)));
	ck_assert_uint_eq(taken_pending(taken), PENDING);
	ck_assert(taken_settle(taken));
	add("A", PENDING + 1, PENDING + 1);
}
END_TEST

START_TEST(marker_and_source_are_kept)
{
	*taken_marker(taken) = (struct taken_marker){true, 1715679600000, 9};
	*taken_source(taken) = UINT64_MAX;
	reopen();
	ck_assert(taken_marker(taken)->set);
	ck_assert_int_eq(taken_marker(taken)->time, 1715679600000);
	ck_assert_uint_eq(taken_marker(taken)->usn, 9);
	ck_assert_uint_eq(*taken_source(taken), UINT64_MAX);
}
END_TEST

/* Rows in any order, some again, against a plain table. */
START_TEST(any_order_gives_the_same)
{
	static bool in[3000];
	uint64_t random = (uint64_t)_i + 1;

	teardown();
	taken = taken_new(100, 100000);
	for (int i = 0; i < 20000; i++) {
		uint64_t n;

		random = random * UINT64_C(6364136223846793005) + 1;
		n = (random >> 33) % 3000;
		ck_assert_int_eq(taken_look(taken, key("A", n)),
		    in[n] ? TAKEN_YES : TAKEN_NEW);
		if (in[n] || i % 3 == 0)
			continue;
		if (!taken_add(taken, key("A", n))) {
			ck_assert(taken_settle(taken));
			ck_assert(taken_add(taken, key("A", n)));
		}
		in[n] = true;
	}
	ck_assert(taken_settle(taken));
	for (uint64_t n = 0; n < 3000; n++)
		ck_assert_int_eq(taken_look(taken, key("A", n)),
		    in[n] ? TAKEN_YES : TAKEN_NEW);
}
END_TEST

static const char *const damaged[] = {
    "taken 2\n",
    "taken 1\n",
    "taken 1\nsource x\n",
    "taken 1\nsource 99999999999999999999999\n",
    "taken 1\nsource 1\nmarker 1\n",
    "taken 1\nsource 1\nmarker -1 1\n",
    HEAD "site",
    HEAD "site 1 0 1\nA\n5",
    HEAD "site 1 0 2\nA\n5 \n",
    HEAD "site 1 0 1\nA\n5 6 \n",
    HEAD "site 1 0 2\nA\n5 1 \n",
    HEAD "site 1 0 2\nA\n5 0 \n",
    HEAD "site 1 0 1\nA\n5+ \n",
    HEAD "site 1 0 1\nA\n18446744073709551615+1 \n",
    HEAD "site 9 0 1\nA\n5 \n",
    HEAD "site 1 0 99999999999\nA\n5 \n",
    HEAD "site 1 0 1\nA\n5 \nsite 1 0 1\nA\n9 \n",
    "taken 1\nsource 0\nsite 1 0 1\nA\n5 \n",
};

START_TEST(damaged_texts_are_refused)
{
	ck_assert(!taken_read(taken, span_str(damaged[_i])));
}
END_TEST

START_TEST(an_empty_text_is_the_empty_state)
{
	ck_assert(taken_read(taken, SPAN("")));
	ck_assert_str_eq(text(), HEAD);
	reopen();
}
END_TEST

START_TEST(memory_may_run_out)
{
	for (size_t n = 1; MEMORY_CAN_FAIL; n++) {
		struct taken *t;
		bool good;

		allocations = 0;
		failing = n;
		t = taken_new(PENDING, INTERVALS);
		good = t != NULL &&
		       taken_read(t, SPAN(HEAD "site 1 0 2\nA\n5 9 \n"));
		for (uint64_t i = 0; good && i < 500; i++)
			good = taken_add(t, (struct taken_key){1, i * 3});
		good = good && taken_settle(t);
		failing = 0;
		taken_free(t);
		if (good)
			break;
		ck_assert_uint_lt(n, 100);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("taken");
	TCase *rows = tcase_create("rows"), *texts = tcase_create("texts");

	tcase_add_checked_fixture(rows, setup, teardown);
	tcase_add_test(rows, rows_in_order_are_one_interval);
	tcase_add_test(rows, late_rows_fill_their_gaps);
	tcase_add_test(rows, each_site_has_numbers_of_its_own);
	tcase_add_test(rows, rows_without_a_number_are_known_by_content);
	tcase_add_test(rows, sites_are_bounded);
	tcase_add_test(rows, beyond_the_bound_the_lowest_are_forgotten);
	tcase_add_test(rows, pending_rows_are_bounded);
	tcase_add_loop_test(rows, any_order_gives_the_same, 0, 5);
	suite_add_tcase(s, rows);
	tcase_add_checked_fixture(texts, setup, teardown);
	tcase_add_test(texts, marker_and_source_are_kept);
	tcase_add_loop_test(
	    texts, damaged_texts_are_refused, 0, COUNT(damaged));
	tcase_add_test(texts, an_empty_text_is_the_empty_state);
	tcase_add_test(texts, memory_may_run_out);
	suite_add_tcase(s, texts);
	return run_suite(s);
}
