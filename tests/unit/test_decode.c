#include <check.h>

#include "decode.h"
#include "encode.h"
#include "parser.h"
#include "run.h"
#include "testing.h"

enum { LONGEST = 1 << 20 };

static struct decoder *decoder;
static struct record record;

static void
setup(void)
{
	decoder = decoder_new(LONGEST);
	ck_assert_ptr_nonnull(decoder);
}

static void
teardown(void)
{
	decoder_free(decoder);
}

static bool
same_value(enum record_kind kind, const union record_value *a,
    const union record_value *b)
{
	switch (kind) {
	case RECORD_TEXT:
	case RECORD_WORD:
		return span_eq(a->text, b->text);
	case RECORD_UINT:
		return a->number == b->number;
	case RECORD_TIME:
		return a->time == b->time;
	default:
		return true;
	}
}

static void
check_same(const struct record *a, const struct record *b)
{
	ck_assert_int_eq(a->type, b->type);
	for (unsigned f = 0; f < RECORD_FIELD_COUNT; f++) {
		const struct record_field_info *info = &record_field_info[f];

		if (f == RECORD_F_TYPE || info->kind == RECORD_PAIR ||
		    info->kind >= RECORD_ADDRESSES ||
		    info->kind == RECORD_TIME_US)
			continue;
		ck_assert_msg(record_has(a, f) == record_has(b, f), "%.*s",
		    (int)info->key.n, info->key.p);
		ck_assert_msg(
		    !record_has(a, f) ||
			same_value(info->kind, &a->value[f], &b->value[f]),
		    "%.*s", (int)info->key.n, info->key.p);
	}
}

static void
go_and_come_back(struct parser *parser, struct span line)
{
	static char out[1 << 20];
	static struct record before;
	struct message_source source = {
	    .zone = zone_utc(), .codepage = &text_windows_1252};
	struct timestamp_days days = {0};
	struct message m = {
	    .bytes = line, .length = line.n, .reference = 1700000000};
	char *end;

	ck_assert_uint_le(encode_bound(line.n, &source), sizeof out);
	parser_parse(parser, &m, &source, &before);
	end = encode_body(ENCODE_JSONL, &before, &source, &days, out);
	end = encode_end(ENCODE_JSONL, SPAN("00000000-t-1-2"), end);
	ck_assert(decoder_read(decoder, span_between(out, end - 1), &record));
	check_same(&before, &record);
}

/* Every sample of every log, as it would be stored. */
START_TEST(samples_come_back)
{
	struct parser *parser = parser_new(65536);
	DIR *dir = opendir(TEST_DATA "/samples");
	struct dirent *entry;
	size_t lines = 0;

	ck_assert(dir != NULL);
	while ((entry = readdir(dir)) != NULL) {
		char name[600];
		struct span file, in, line;

		if (strstr(entry->d_name, ".log") == NULL)
			continue;
		snprintf(name, sizeof name, "samples/%s", entry->d_name);
		file = in = testing_file(name);
		for (; in.n > 0; in = span_skip(in, line.n + 1), lines++) {
			line = span_take(in, span_find(in, '\n'));
			go_and_come_back(parser, line);
		}
		free((char *)file.p);
	}
	closedir(dir);
	parser_free(parser);
	ck_assert_uint_gt(lines, 20);
}
END_TEST

START_TEST(escapes_are_undone)
{
	ck_assert(decoder_read(decoder,
	    SPAN("{\"type\":\"risk\",\"user\":\"a\\\"\\\\\\/\\b\\f\\n\\r\\t"
		 "\\u00e9\\uD83D\\uDE00\\ud800z\"}"),
	    &record));
	ck_assert(span_eq(record_text(&record, RECORD_F_USER),
	    SPAN("a\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbdz")));
}
END_TEST

START_TEST(what_is_not_wanted_is_passed_over)
{
	ck_assert(decoder_read(decoder,
	    SPAN("{\"type\":\"traffic\",\"icmp\":[1,2],\"new\":{\"a\":[\"]}\","
		 "null,-1.5e3,true]},\"x\":null,\"occurrences\":7}"),
	    &record));
	ck_assert_uint_eq(record.value[RECORD_F_OCCURRENCES].number, 7);
	ck_assert_int_eq(record.type, RECORD_TRAFFIC);
}
END_TEST

/* clang-format off */
static const char *const none[] = {
	"", "{", "{}", "[]", "{\"type\":\"traffic\"", "{\"type\":\"traffic\"}x",
	"{\"type\":\"traffic\",}", "{\"type\":\"traffic\" }",
	"{\"type\":\"risk\",\"x\":\"\",\"type\":\"traffic\"}",
	"{\"type\":\"nothing\"}", "{\"user\":\"x\"}", "{\"type\":1}",
	"{\"type\":\"traffic\",\"user\":7}",
	"{\"type\":\"traffic\",\"user\":\"\\x\"}",
	"{\"type\":\"traffic\",\"user\":\"\\u12g4\"}",
	"{\"type\":\"traffic\",\"user\":\"\\\"}",
	"{\"type\":\"traffic\",\"user\":\"\xff\"}",
	"{\"type\":\"traffic\",\"occurrences\":\"1\"}",
	"{\"type\":\"traffic\",\"occurrences\":-1}",
	"{\"type\":\"traffic\",\"occurrences\":99999999999999999999}",
	"{\"type\":\"traffic\",\"time\":\"2016-13-01T00:00:00Z\"}",
	"{\"type\":\"traffic\",\"time\":\"2016-12-01T00:00:00\"}",
	"{\"type\":\"traffic\",\"time\":5}",
	"{\"type\":\"traffic\",\"extra\":[[[[[[[[[1]]]]]]]]]}",
	"{\"type\":\"traffic\",\"extra\":]}",
	"{\"@timestamp\":\"2016-12-01T00:00:00Z\"}",
};
/* clang-format on */

START_TEST(others_are_none_of_ours)
{
	ck_assert(!decoder_read(decoder, span_str(none[_i]), &record));
}
END_TEST

START_TEST(every_prefix_is_none)
{
	static const char line[] =
	    "{\"type\":\"traffic\",\"user\":\"\\u0001b\",\"extra\":{\"a\":"
	    "\"b\"},\"occurrences\":3,\"time\":\"2016-12-01T00:00:00Z\"}";

	for (size_t n = 0; n < sizeof line - 1; n++) {
		char *copy = malloc(n + 1); /* so that no byte behind is read */

		memcpy(copy, line, n);
		ck_assert(!decoder_read(decoder, span_of(copy, n), &record));
		free(copy);
	}
	ck_assert(decoder_read(decoder, SPAN(line), &record));
}
END_TEST

START_TEST(too_long_is_none)
{
	struct decoder *small = decoder_new(20);

	ck_assert(decoder_read(small, SPAN("{\"type\":\"traffic\"}"), &record));
	ck_assert(!decoder_read(
	    small, SPAN("{\"type\":\"traffic\",\"a\":1}"), &record));
	decoder_free(small);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("decode");
	TCase *lines = tcase_create("lines");

	tcase_add_checked_fixture(lines, setup, teardown);
	tcase_add_test(lines, samples_come_back);
	tcase_add_test(lines, escapes_are_undone);
	tcase_add_test(lines, what_is_not_wanted_is_passed_over);
	tcase_add_loop_test(lines, others_are_none_of_ours, 0, COUNT(none));
	tcase_add_test(lines, every_prefix_is_none);
	tcase_add_test(lines, too_long_is_none);
	suite_add_tcase(s, lines);
	return run_suite(s);
}
