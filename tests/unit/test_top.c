#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "testing.h"
#include "top.h"

enum { ENTRIES = 32, KEYS = 1000, LENGTH = 10000 };

static const struct hash_key secret = {
    UINT64_C(0x9f1c2b7d1e55aa31), UINT64_C(0x77aa09d3c1e2f4b5)};

static uint64_t dice = 88172645463325252;

static uint64_t
roll(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice;
}

static struct span
name(unsigned key)
{
	static char text[24];

	snprintf(text, sizeof text, "key-%u", key);
	return span_str(text);
}

static unsigned
number(const struct top_entry *e)
{
	unsigned key = (unsigned)atoi(e->key + strlen("key-"));

	ck_assert(span_eq(top_key(e), name(key)));
	return key;
}

/* --- streams: which key, and what weight, at place i --- */

typedef unsigned stream_fn(unsigned i, uint64_t *weight);

/* Key k with a chance of about 1 / k. */
static unsigned
zipf(unsigned i, uint64_t *weight)
{
	(void)i;
	*weight = 1 + roll() % 7;
	return (unsigned)(KEYS / (1 + roll() % KEYS));
}

static unsigned
all_alike(unsigned i, uint64_t *weight)
{
	*weight = 1;
	return i % KEYS;
}

/* Each new key is a little heavier than all before: the last ones stay. */
static unsigned
rising(unsigned i, uint64_t *weight)
{
	*weight = 1 + i / 10;
	return i % KEYS;
}

/* A key comes back as soon as it must have been dropped. */
static unsigned
cycle_of_one_too_many(unsigned i, uint64_t *weight)
{
	*weight = 1 + (i % 3 == 0);
	return i % (ENTRIES + 1);
}

/* First the heavy ones, then a flood that comes once each. */
static unsigned
flood(unsigned i, uint64_t *weight)
{
	*weight = i < 500 ? 50 : 1;
	return i < 500 ? i % 20 : 20 + i % (KEYS - 20);
}

static unsigned
few(unsigned i, uint64_t *weight)
{
	*weight = 3;
	return i % ENTRIES;
}

/* clang-format off */
static const struct {
	stream_fn *next;
	bool whole; /* nothing need be dropped */
} streams[] = {
	{ zipf, false }, { all_alike, false }, { rising, false },
	{ cycle_of_one_too_many, false }, { flood, false }, { few, true },
};
/* clang-format on */

/* --- what holds --- */

static void
check_bounds(struct top *top, const uint64_t exact[KEYS + 1], size_t entries)
{
	const struct top_entry *list[2 * ENTRIES];
	size_t n = top_list(top, list, COUNT(list)), there = 0;
	const struct top_entry *of[KEYS + 1] = {0};
	uint64_t weight = 0, last = UINT64_MAX;

	for (size_t i = 0; i < n; i++)
		of[number(list[i])] = list[i];
	ck_assert_uint_eq(n, top_count(top));
	ck_assert_uint_le(n, entries);
	for (unsigned k = 0; k <= KEYS; k++) {
		const struct top_entry *e = of[k];

		weight += exact[k];
		there += e != NULL;
		if (e == NULL) {
			ck_assert_uint_le(exact[k], top_floor(top));
			continue;
		}
		ck_assert_uint_le(e->count, exact[k]);
		ck_assert_uint_le(exact[k], e->count + e->error);
		ck_assert_uint_le(e->error, top_floor(top));
	}
	ck_assert_uint_eq(there, n);
	for (size_t i = 0; i < n; last = list[i++]->count)
		ck_assert_uint_ge(last, list[i]->count);
	ck_assert_uint_eq(weight, top_weight(top));
	ck_assert_uint_le(top_floor(top), 2 * weight / entries);
}

static void
feed(struct top *top, stream_fn *next, uint64_t exact[KEYS + 1])
{
	uint64_t weight;

	for (unsigned i = 0; i < LENGTH; i++) {
		unsigned key = next(i, &weight);

		if (top_add(top, name(key), weight) == NULL)
			ck_abort_msg("no memory");
		exact[key] += weight;
	}
}

START_TEST(counts_are_within_their_bounds)
{
	static uint64_t exact[KEYS + 1];
	struct top *top = top_new(ENTRIES, secret);

	memset(exact, 0, sizeof exact);
	feed(top, streams[_i].next, exact);
	check_bounds(top, exact, ENTRIES);
	if (streams[_i].whole)
		ck_assert_uint_eq(top_floor(top), 0);
	else
		ck_assert_uint_gt(top_floor(top), 0);
	top_free(top);
}
END_TEST

START_TEST(two_together_keep_their_bounds)
{
	static uint64_t exact[KEYS + 1];
	struct top *a = top_new(ENTRIES, secret), *b = top_new(ENTRIES, secret);

	memset(exact, 0, sizeof exact);
	feed(a, streams[_i % COUNT(streams)].next, exact);
	feed(b, streams[_i / COUNT(streams)].next, exact);
	ck_assert(top_merge(a, b));
	check_bounds(a, exact, ENTRIES);
	top_free(a);
	top_free(b);
}
END_TEST

START_TEST(without_a_limit_all_is_exact)
{
	static uint64_t exact[KEYS + 1];
	static const struct top_entry *list[KEYS + 1];
	struct top *top = top_new(0, secret);
	size_t n;

	memset(exact, 0, sizeof exact);
	feed(top, streams[_i].next, exact);
	n = top_list(top, list, COUNT(list));
	ck_assert_uint_eq(top_floor(top), 0);
	for (size_t i = 0; i < n; i++) {
		unsigned key = number(list[i]);

		ck_assert_uint_eq(list[i]->count, exact[key]);
		ck_assert_uint_eq(list[i]->error, 0);
		exact[key] = 0;
	}
	for (unsigned k = 0; k <= KEYS; k++)
		ck_assert_uint_eq(exact[k], 0);
	top_free(top);
}
END_TEST

/* Cut where they are kept, but not one key. */
START_TEST(long_keys_are_told_apart)
{
	struct top *top = top_new(ENTRIES, secret);
	const struct top_entry *list[4];
	char text[3 * TOP_KEY];

	memset(text, 'x', sizeof text);
	top_add(top, span_of(text, sizeof text), 5);
	text[sizeof text - 1] = 'y';
	top_add(top, span_of(text, sizeof text), 7);
	top_add(top, span_of(text, TOP_KEY), 9);
	ck_assert_uint_eq(top_list(top, list, 4), 3);
	ck_assert_uint_eq(list[0]->count, 9);
	ck_assert_uint_eq(list[1]->count, 7);
	ck_assert_uint_eq(list[1]->length, sizeof text);
	ck_assert_uint_eq(top_key(list[1]).n, TOP_KEY);
	top_free(top);
}
END_TEST

START_TEST(sums_stop_at_their_largest)
{
	struct top *top = top_new(2, secret);
	const struct top_entry *list[2];

	top_add(top, SPAN("a"), UINT64_MAX - 1);
	top_add(top, SPAN("a"), 7);
	top_add(top, SPAN("b"), UINT64_MAX);
	top_add(top, SPAN("c"), 1);
	ck_assert_uint_eq(top_floor(top), UINT64_MAX);
	ck_assert_uint_eq(top_list(top, list, 2), 1);
	ck_assert_uint_eq(list[0]->error, UINT64_MAX);
	ck_assert_uint_eq(top_weight(top), UINT64_MAX);
	top_clear(top);
	ck_assert_uint_eq(top_weight(top), 0);
	ck_assert_uint_eq(top_list(top, list, 2), 0);
	top_free(top);
}
END_TEST

START_TEST(sums_of_the_caller_stay_with_their_key)
{
	struct top *top = top_new(ENTRIES, secret);
	const struct top_entry *list[3];

	top_add(top, SPAN("a"), 1)->sum[1] += 40;
	top_add(top, SPAN("b"), 5)->sum[0] += 2;
	top_add(top, SPAN("a"), 1)->sum[1] += 2;
	ck_assert_uint_eq(top_list(top, list, 3), 2);
	ck_assert_uint_eq(list[0]->sum[0], 2);
	ck_assert_uint_eq(list[1]->sum[1], 42);
	ck_assert_uint_eq(list[1]->count, 2);
	top_free(top);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("top");
	TCase *bounds = tcase_create("bounds"), *keys = tcase_create("keys");

	tcase_add_loop_test(
	    bounds, counts_are_within_their_bounds, 0, COUNT(streams));
	tcase_add_loop_test(bounds, two_together_keep_their_bounds, 0,
	    COUNT(streams) * COUNT(streams));
	tcase_add_loop_test(
	    bounds, without_a_limit_all_is_exact, 0, COUNT(streams));
	suite_add_tcase(s, bounds);
	tcase_add_test(keys, long_keys_are_told_apart);
	tcase_add_test(keys, sums_stop_at_their_largest);
	tcase_add_test(keys, sums_of_the_caller_stay_with_their_key);
	suite_add_tcase(s, keys);
	return run_suite(s);
}
