#include <check.h>
#include <stdlib.h>

#include "record.h"
#include "run.h"
#include "testing.h"

/* Keys and words are found by their spelling, and by nothing else. */
START_TEST(each_key_finds_its_field)
{
	struct span key = record_field_info[_i].key;

	ck_assert_uint_gt(key.n, 0);
	ck_assert_uint_eq(record_field_find(key), (unsigned)_i);
	ck_assert_uint_ne(
	    record_field_find(span_take(key, key.n - 1)), (unsigned)_i);
	for (size_t i = 0; i < key.n; i++)
		ck_assert(span_at(key, i) == '_' ||
			  span_isdigit(span_at(key, i)) ||
			  (span_at(key, i) >= 'a' && span_at(key, i) <= 'z'));
}
END_TEST

START_TEST(each_word_finds_its_type)
{
	ck_assert_uint_eq(record_type_find(record_type_name[_i]), (unsigned)_i);
	ck_assert_uint_eq(record_type_find(span_skip(record_type_name[_i], 1)),
	    RECORD_TYPE_COUNT);
}
END_TEST

START_TEST(values_are_there_once_they_are_set)
{
	static struct record r;

	record_reset(&r);
	for (size_t f = 0; f < RECORD_FIELD_COUNT; f++)
		ck_assert(!record_has(&r, (enum record_field)f));
	ck_assert_uint_eq(record_text(&r, RECORD_F_HOST).n, 0);
	record_set_text(&r, RECORD_F_HOST, SPAN(""));
	ck_assert(!record_has(&r, RECORD_F_HOST));
	record_set_text(&r, RECORD_F_HOST, SPAN("pc"));
	record_set_text(&r, RECORD_F_HOST, SPAN(""));
	ck_assert(span_eq(record_text(&r, RECORD_F_HOST), SPAN("pc")));
	record_set_number(&r, RECORD_F_OCCURRENCES, 0);
	ck_assert(record_has(&r, RECORD_F_OCCURRENCES));
	record_set_time(&r, RECORD_F_TIME, 0);
	record_set_text(&r, RECORD_F_TRANSPORT, SPAN("udp")); /* the last bit */
	testing_expect(&r, "host=pc\noccurrences=0\ntime=1970-01-01T00:00:00Z\n"
			   "transport=udp\n!peer");
	record_unset(&r, RECORD_F_HOST);
	ck_assert_uint_eq(record_text(&r, RECORD_F_HOST).n, 0);
	record_reset(&r);
	ck_assert(!record_has(&r, RECORD_F_TRANSPORT));
	ck_assert_int_eq(r.type, RECORD_UNPARSED);
}
END_TEST

/* RFC 5424, tables 1 and 2. */
START_TEST(codes_become_words)
{
	ck_assert(span_eq(record_facility_word(0), SPAN("kern")));
	ck_assert(span_eq(record_facility_word(6), SPAN("lpr")));
	ck_assert(span_eq(record_facility_word(11), SPAN("ftp")));
	ck_assert(span_eq(record_facility_word(12), SPAN("ntp")));
	ck_assert(span_eq(record_facility_word(15), SPAN("clock")));
	ck_assert(span_eq(record_facility_word(16), SPAN("local0")));
	ck_assert(span_eq(record_facility_word(23), SPAN("local7")));
	ck_assert_uint_eq(record_facility_word(24).n, 0);
	ck_assert(span_eq(record_severity_word(0), SPAN("emerg")));
	ck_assert(span_eq(record_severity_word(7), SPAN("debug")));
	ck_assert_uint_eq(record_severity_word(8).n, 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("record");
	TCase *tc = tcase_create("record");

	tcase_add_loop_test(
	    tc, each_key_finds_its_field, 0, RECORD_FIELD_COUNT);
	tcase_add_loop_test(tc, each_word_finds_its_type, 0, RECORD_TYPE_COUNT);
	tcase_add_test(tc, values_are_there_once_they_are_set);
	tcase_add_test(tc, codes_become_words);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
