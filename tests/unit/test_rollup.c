#include <check.h>

#include "rollup.h"
#include "run.h"
#include "testing.h"

enum { GROUPS = 64, BYTES = 3 * ROLLUP_GROUP };

static const struct hash_key secret = {
    UINT64_C(0x9f1c2b7d1e55aa31), UINT64_C(0x77aa09d3c1e2f4b5)};
static const struct message_source here;

static struct rollup *rollup;

static void
setup(void)
{
	rollup = rollup_new(GROUPS, BYTES, secret, ROLLUP_EARLY);
	ck_assert_ptr_nonnull(rollup);
}

static void
teardown(void)
{
	rollup_free(rollup);
}

/* Differs by `host` and `port` from another. */
static struct record *
traffic(const char *host, uint64_t port, uint64_t occurrences, int64_t time)
{
	static struct record r;

	record_reset(&r);
	r.type = RECORD_TRAFFIC;
	record_set_text(&r, RECORD_F_HOST, span_str(host));
	record_set_text(&r, RECORD_F_USER, SPAN("ann"));
	record_set_text(&r, RECORD_F_REMOTE_IP, SPAN("192.0.2.1"));
	record_set_number(&r, RECORD_F_REMOTE_PORT, port);
	record_set_number(&r, RECORD_F_OCCURRENCES, occurrences);
	record_set_time(&r, RECORD_F_BEGIN, time);
	record_set_time(&r, RECORD_F_END, time + 5);
	record_set_time(&r, RECORD_F_TIME, time + 60);
	return &r;
}

static void
add(const struct record *r)
{
	ck_assert(rollup_has_room(rollup));
	rollup_add(rollup, r, &here);
}

START_TEST(equal_ones_become_one)
{
	static struct record r;
	struct rollup_group g;

	add(traffic("a", 80, 3, 1000));
	add(traffic("b", 80, 1, 1000));
	add(traffic("a", 80, 4, 900));
	add(traffic("a", 80, 5, 2000));
	ck_assert_uint_eq(rollup_count(rollup), 2);
	ck_assert(rollup_peek(rollup, &r, &g));
	ck_assert(span_eq(record_text(&r, RECORD_F_HOST), SPAN("a")));
	ck_assert(span_eq(record_text(&r, RECORD_F_TYPE), SPAN("traffic")));
	ck_assert(span_eq(record_text(&r, RECORD_F_USER), SPAN("ann")));
	ck_assert(!record_has(&r, RECORD_F_RULE));
	ck_assert_uint_eq(r.value[RECORD_F_OCCURRENCES].number, 12);
	ck_assert_uint_eq(r.value[RECORD_F_RECORDS].number, 3);
	ck_assert_uint_eq(r.value[RECORD_F_REMOTE_PORT].number, 80);
	ck_assert_int_eq(r.value[RECORD_F_BEGIN].time, 900);
	ck_assert_int_eq(r.value[RECORD_F_END].time, 2005);
	ck_assert_int_eq(r.value[RECORD_F_TIME].time, 2060);
	ck_assert_uint_eq(g.records, 3);
	ck_assert_uint_eq(g.occurrences, 12);
	ck_assert_ptr_eq(g.source, &here);
	rollup_drop(rollup);
	ck_assert(rollup_peek(rollup, &r, &g));
	ck_assert(span_eq(record_text(&r, RECORD_F_HOST), SPAN("b")));
	rollup_drop(rollup);
	ck_assert(!rollup_peek(rollup, &r, &g));
	ck_assert_uint_eq(rollup_count(rollup), 0);
}
END_TEST

static const enum record_field fields[] = {
    RECORD_F_HOST,
    RECORD_F_LOCAL_IP,
    RECORD_F_USER,
    RECORD_F_DOMAIN,
    RECORD_F_APPLICATION,
    RECORD_F_REMOTE_NAME,
    RECORD_F_REMOTE_IP,
    RECORD_F_PROTOCOL,
    RECORD_F_DIRECTION,
    RECORD_F_ACTION,
    RECORD_F_RULE,
};

START_TEST(what_differs_is_told_apart)
{
	static struct record r;
	struct record *changed = traffic("a", 80, 1, 0);
	struct rollup_group g;

	add(changed);
	record_set_text(changed, fields[_i], SPAN("other"));
	add(changed);
	ck_assert_uint_eq(rollup_count(rollup), 2);
	ck_assert(rollup_peek(rollup, &r, &g));
	rollup_drop(rollup);
	ck_assert(rollup_peek(rollup, &r, &g));
	ck_assert(span_eq(record_text(&r, fields[_i]), SPAN("other")));
}
END_TEST

START_TEST(values_do_not_move_between_fields)
{
	struct record *r = traffic("a", 80, 1, 0);

	record_set_text(r, RECORD_F_PROTOCOL, SPAN("x"));
	add(r);
	record_unset(r, RECORD_F_PROTOCOL);
	record_set_text(r, RECORD_F_DIRECTION, SPAN("x"));
	add(r);
	ck_assert_uint_eq(rollup_count(rollup), 2);
	record_unset(r, RECORD_F_REMOTE_PORT);
	add(r);
	record_set_number(r, RECORD_F_REMOTE_PORT, 0);
	add(r);
	ck_assert_uint_eq(rollup_count(rollup), 4);
}
END_TEST

/* One name has many addresses. */
START_TEST(an_address_counts_only_without_a_name)
{
	static struct record r;
	struct record *named = traffic("a", 443, 1, 0);
	struct rollup_group g;

	record_set_text(named, RECORD_F_REMOTE_NAME, SPAN("www.example.com"));
	add(named);
	record_set_text(named, RECORD_F_REMOTE_IP, SPAN("192.0.2.2"));
	add(named);
	ck_assert_uint_eq(rollup_count(rollup), 1);
	ck_assert(rollup_peek(rollup, &r, &g));
	ck_assert(!record_has(&r, RECORD_F_REMOTE_IP));
}
END_TEST

/* Neither more groups nor more bytes than there is room for, and all sums are
 * exact whatever the moment at which they are taken out. */
START_TEST(room_is_bounded_and_sums_are_exact)
{
	static struct record r;
	struct rollup_group g;
	uint64_t in = 0, out = 0, records = 0, dice = 7;
	char host[3 * ROLLUP_TEXT];
	size_t full = 0, n = 0;

	for (; n < 20000; n++) {
		size_t length = _i == 0 ? 12 : sizeof host - 1;

		dice = dice * UINT64_C(6364136223846793005) + 1442695041;
		memset(host, 'x', length);
		host[length] = '\0';
		host[0] = (char)('a' + (dice >> 60));
		host[1] = (char)('a' + (dice >> 40) % 16);
		if (!rollup_has_room(rollup)) {
			full++;
			ck_assert_uint_le(rollup_count(rollup), GROUPS);
			while (rollup_peek(rollup, &r, &g)) {
				out += g.occurrences;
				records += g.records;
				rollup_drop(rollup);
			}
		}
		in += dice >> 50;
		in += dice >> 50 == 0;
		add(traffic(host, 80, dice >> 50, (int64_t)n));
	}
	for (; rollup_peek(rollup, &r, &g); rollup_drop(rollup)) {
		out += g.occurrences;
		records += g.records;
	}
	ck_assert_uint_gt(full, 0);
	ck_assert_uint_eq(in, out);
	ck_assert_uint_eq(records, n);
}
END_TEST

/* Groups that have a place keep it; all others are one, whose sums are exact,
 * too. */
START_TEST(an_overflow_is_one_group)
{
	static struct record r;
	struct rollup_group g;
	uint64_t in = 0, out = 0, records = 0, groups = 0;
	char host[3 * ROLLUP_TEXT];

	rollup_free(rollup);
	rollup = rollup_new(GROUPS, BYTES, secret, ROLLUP_BUCKET);
	ck_assert_ptr_nonnull(rollup);
	for (unsigned turn = 0; turn < 2; turn++) {
		in = out = records = groups = 0;
		for (unsigned n = 0; n < 1000; n++) {
			memset(host, 'x', sizeof host);
			host[_i == 0 ? 12 : sizeof host - 1] = '\0';
			host[0] = (char)('a' + n % 16);
			host[1] = (char)('a' + n / 16 % 16);
			in += 1 + n % 7;
			add(traffic(host, 80, 1 + n % 7, 1000 + (int64_t)n));
		}
		for (; rollup_peek(rollup, &r, &g); rollup_drop(rollup)) {
			out += g.occurrences;
			records += g.records;
			groups++;
			if (rollup_count(rollup) > 1) {
				ck_assert_uint_eq(r.flags, 0);
				ck_assert(record_has(&r, RECORD_F_HOST));
				continue;
			}
			ck_assert_uint_eq(r.flags, RECORD_OVERFLOW);
			ck_assert_ptr_eq(g.source, &here);
			ck_assert(!record_has(&r, RECORD_F_HOST));
			ck_assert(!record_has(&r, RECORD_F_REMOTE_PORT));
			ck_assert_uint_eq(
			    r.value[RECORD_F_RECORDS].number, g.records);
			ck_assert_uint_eq(r.value[RECORD_F_OCCURRENCES].number,
			    g.occurrences);
			ck_assert_int_eq(
			    r.value[RECORD_F_END].time, 1000 + 999 + 5);
		}
		ck_assert_uint_eq(rollup_count(rollup), 0);
		ck_assert_uint_eq(in, out);
		ck_assert_uint_eq(records, 1000);
		ck_assert_uint_gt(groups, 3);
		ck_assert_uint_le(groups, GROUPS + 1);
	}
}
END_TEST

START_TEST(long_texts_are_cut_between_characters)
{
	static struct record r;
	struct rollup_group g;
	char host[3 * ROLLUP_TEXT + 1];
	size_t n;

	for (size_t i = 0; i + 3 < sizeof host; i += 3)
		memcpy(host + i, "\xe2\x82\xac", 4);
	add(traffic(host, 80, 1, 0));
	ck_assert(rollup_peek(rollup, &r, &g));
	n = record_text(&r, RECORD_F_HOST).n;
	ck_assert_uint_eq(n, ROLLUP_TEXT / 3 * 3);
}
END_TEST

START_TEST(nothing_is_added_while_groups_are_taken_out)
{
	static struct record r;
	struct rollup_group g;

	add(traffic("a", 1, 1, 0));
	add(traffic("b", 1, 1, 0));
	ck_assert(rollup_peek(rollup, &r, &g));
	rollup_drop(rollup);
	ck_assert(!rollup_has_room(rollup));
	rollup_drop(rollup);
	ck_assert(rollup_has_room(rollup));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("rollup");
	TCase *groups = tcase_create("groups");

	tcase_add_checked_fixture(groups, setup, teardown);
	tcase_add_test(groups, equal_ones_become_one);
	tcase_add_loop_test(
	    groups, what_differs_is_told_apart, 0, COUNT(fields));
	tcase_add_test(groups, values_do_not_move_between_fields);
	tcase_add_test(groups, an_address_counts_only_without_a_name);
	tcase_add_loop_test(groups, room_is_bounded_and_sums_are_exact, 0, 2);
	tcase_add_loop_test(groups, an_overflow_is_one_group, 0, 2);
	tcase_add_test(groups, long_texts_are_cut_between_characters);
	tcase_add_test(groups, nothing_is_added_while_groups_are_taken_out);
	suite_add_tcase(s, groups);
	return run_suite(s);
}
