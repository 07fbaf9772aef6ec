/* Records of published files, and what they say; bodies of requests; answers
 * to _bulk. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "body.h"
#include "bulk.h"
#include "records.h"
#include "run.h"

enum { PIECE = 64 * 1024 };

static struct records_name name;
static struct records *records;
static struct record_line line;

/* A file that has these bytes. */
static int
file_of(struct span bytes)
{
	char path[] = "/tmp/sepmlog-records-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	unlink(path);
	ck_assert_int_eq(write(fd, bytes.p, bytes.n), (ssize_t)bytes.n);
	return fd;
}

static int
open_file(const char *called, struct span bytes, size_t max)
{
	int fd = file_of(bytes);

	ck_assert(records_name(called, &name));
	records = records_new(fd, &name, max);
	ck_assert_ptr_nonnull(records);
	return fd;
}

static void
close_file(int fd)
{
	records_free(records);
	close(fd);
}

static void
expect(const char *text)
{
	ck_assert_int_eq(records_next(records, &line), RECORDS_LINE);
	ck_assert_msg(span_eq(line.text, span_str(text)), "%.*s",
	    (int)line.text.n, line.text.p);
	ck_assert_uint_eq(line.length, strlen(text));
}

START_TEST(test_names)
{
	static const struct {
		const char *name, *stream;
		enum encode_format format;
		int packed;
	} cases[] = {
	    {"traffic-3fa94c1e-0000000000000012.jsonl.gz", "traffic",
		ENCODE_JSONL, RECORDS_GZIP},
	    {"a-3fa94c1e-0000000000000012.csv.zst", "a", ENCODE_CSV,
		RECORDS_ZSTD},
	    {"a-3fa94c1e-0000000000000012.ecs", "a", ENCODE_ECS, RECORDS_PLAIN},
	    {"a-3fa94c1e-0000000000000012.log", "a", ENCODE_FORMAT_COUNT,
		RECORDS_PLAIN},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ck_assert(records_name(cases[i].name, &name));
		ck_assert_str_eq(name.stream, cases[i].stream);
		ck_assert_str_eq(name.instance, "3fa94c1e");
		ck_assert_uint_eq(name.segment, 12);
		ck_assert_int_eq(name.format, cases[i].format);
		ck_assert_int_eq(name.packed, cases[i].packed);
	}
	ck_assert(!records_name("x", &name));
	ck_assert(!records_name("traffic-3fa94c1e-12.jsonl", &name));
}
END_TEST

START_TEST(test_lines)
{
	int fd = open_file(
	    "a-3fa94c1e-0000000000000001.jsonl", SPAN("one\n\ntwo\nlast"), 100);

	expect("one");
	ck_assert_uint_eq(line.number, 1);
	ck_assert_uint_eq(line.end, 4);
	expect("two");
	ck_assert_uint_eq(line.number, 3); /* an empty one has its number */
	ck_assert_uint_eq(line.end, 9);
	expect("last");
	ck_assert_uint_eq(line.end, 13);
	ck_assert_int_eq(records_next(records, &line), RECORDS_END);
	ck_assert_int_eq(records_next(records, &line), RECORDS_END);
	close_file(fd);
}
END_TEST

START_TEST(test_header_of_csv)
{
	int fd = open_file("a-3fa94c1e-0000000000000001.csv",
	    SPAN("Time,Host\r\n1,a\r\n2,b\r\n"), 100);
	char id[RECORDS_ID + 1];

	expect("1,a");
	ck_assert_uint_eq(line.number, 1);
	ck_assert_uint_eq(line.end, 16);
	record_id(&name, &line, id);
	ck_assert_str_eq(id, "3fa94c1e-a-1-1");
	expect("2,b");
	ck_assert_int_eq(records_next(records, &line), RECORDS_END);
	close_file(fd);
}
END_TEST

/* Wherever a piece ends, and for any longest line. */
START_TEST(test_long_lines)
{
	static char bytes[3 * PIECE];
	static const size_t most[] = {1, 10, PIECE - 1, PIECE, 2 * PIECE};

	for (size_t n = PIECE - 3; n < PIECE + 3; n++) {
		memset(bytes, 'x', sizeof bytes);
		bytes[n] = '\n';
		bytes[n + 2] = '\n';
		for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
			int fd = open_file("a-3fa94c1e-0000000000000001.raw",
			    span_of(bytes, n + 3), most[i]);
			size_t fits = n < most[i] ? n : most[i];

			ck_assert_int_eq(
			    records_next(records, &line), RECORDS_LINE);
			ck_assert_uint_eq(line.length, n);
			ck_assert_uint_eq(line.text.n, fits);
			ck_assert_uint_eq(line.end, n + 1);
			expect("x");
			ck_assert_uint_eq(line.end, n + 3);
			ck_assert_int_eq(
			    records_next(records, &line), RECORDS_END);
			close_file(fd);
		}
	}
}
END_TEST

static size_t
pack(struct span text, char *out, size_t size)
{
	z_stream z = {0};

	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, 0), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)text.p;
	z.avail_in = (unsigned)text.n;
	z.next_out = (unsigned char *)out;
	z.avail_out = (unsigned)size;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return size - z.avail_out;
}

/* Whole, and cut off at every byte: never taken for whole. */
START_TEST(test_packed)
{
	char packed[256];
	size_t n = pack(SPAN("one\ntwo\n"), packed, sizeof packed);
	int fd = open_file(
	    "a-3fa94c1e-0000000000000001.jsonl.gz", span_of(packed, n), 100);
	enum records_status status;

	expect("one");
	expect("two");
	ck_assert_int_eq(records_next(records, &line), RECORDS_END);
	ck_assert_uint_eq(records_done(records), n);
	close_file(fd);
	for (size_t cut = 1; cut < n; cut++) {
		fd = open_file("a-3fa94c1e-0000000000000001.jsonl.gz",
		    span_of(packed, cut), 100);
		do
			status = records_next(records, &line);
		while (status == RECORDS_LINE);
		ck_assert_int_eq(status, RECORDS_BROKEN);
		ck_assert_ptr_nonnull(records_why(records));
		close_file(fd);
	}
	fd = open_file(
	    "a-3fa94c1e-0000000000000001.jsonl.zst", SPAN("no zstd"), 100);
	ck_assert_int_eq(records_next(records, &line), RECORDS_BROKEN);
	close_file(fd);
}
END_TEST

START_TEST(test_ids)
{
	static const char own[] = "3fa94c1e-a-1-77", place[] = "3fa94c1e-a-1-5";
	static const struct {
		enum encode_format format;
		const char *text, *id;
	} cases[] = {
	    {ENCODE_JSONL, "{\"a\":1,\"id\":\"3fa94c1e-a-1-77\"}", own},
	    {ENCODE_ECS, "{\"event\":{\"a\":1,\"id\":\"3fa94c1e-a-1-77\"}}",
		own},
	    {ENCODE_OCSF, "{\"m\":{\"a\":1,\"uid\":\"3fa94c1e-a-1-77\"}}", own},
	    {ENCODE_CEF, "CEF:0|a|cut=x externalId=3fa94c1e-a-1-77", own},
	    {ENCODE_LEEF, "LEEF:2.0|a\tcut=x\tid=3fa94c1e-a-1-77", own},
	    /* What a sender can write is no id. */
	    {ENCODE_JSONL, "{\"extra\":{\"a\":\"b\",\"id\":\"forged\"}}",
		place},
	    {ENCODE_JSONL, "{\"a\":\"x,\\\"id\\\":\\\"forged\"}", place},
	    {ENCODE_JSONL, "{\"a\":\"forged\"}", place},
	    {ENCODE_CEF, "CEF:0|a|cut=x externalId\\=forged", place},
	    {ENCODE_LEEF, "LEEF:2.0|a\tcut=id=forged", place},
	    {ENCODE_RAW, "{\"a\":1,\"id\":\"forged\"}", place},
	    {ENCODE_RAW, " externalId=forged", place},
	    {ENCODE_CSV, "forged", place},
	    {ENCODE_FORMAT_COUNT, "\tid=forged", place},
	    {ENCODE_JSONL, "}", place},
	    {ENCODE_JSONL, "\"}", place},
	    {ENCODE_JSONL, ",\"id\":\"\"}", place},
	};
	char id[RECORDS_ID + 1];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ck_assert(records_name("a-3fa94c1e-0000000000000001.x", &name));
		name.format = cases[i].format;
		line.text = span_str(cases[i].text);
		line.length = line.text.n;
		line.number = 5;
		ck_assert_uint_eq(
		    record_id(&name, &line, id), strlen(cases[i].id));
		ck_assert_msg(
		    strcmp(id, cases[i].id) == 0, "case %zu: %s", i, id);
	}
}
END_TEST

START_TEST(test_sources_and_times)
{
	static const struct {
		enum encode_format format;
		const char *text, *source;
		int64_t us; /* 0: none */
	} cases[] = {
	    {ENCODE_JSONL,
		"{\"time\":\"1970-01-01T00:00:02Z\",\"sepm\":\"s\\\"1\","
		"\"peer\":\"192.0.2.1\"}",
		"s\\\"1", 2000000},
	    {ENCODE_JSONL,
		"{\"received\":\"1970-01-01T00:00:02.000003Z\","
		"\"peer\":\"192.0.2.1\"}",
		"192.0.2.1", 2000003},
	    {ENCODE_ECS,
		"{\"@timestamp\":\"1970-01-01T00:00:02Z\",\"observer\":"
		"{\"vendor\":\"x\",\"hostname\":\"s1\"},\"host\":{}}",
		"s1", 2000000},
	    {ENCODE_ECS,
		"{\"observer\":{\"vendor\":\"x\"},\"host\":"
		"{\"hostname\":\"pc\"}}",
		"", 0},
	    {ENCODE_OCSF,
		"{\"a\":1,\"time\":2000,\"metadata\":"
		"{\"log_provider\":\"s1\"}}",
		"s1", 2000000},
	    {ENCODE_CEF, "CEF:0|a|2|rt=2000 dvchost=s1 a=b", "s1", 2000000},
	    {ENCODE_LEEF, "LEEF:2.0|a\tsepm=s 1\ta=b", "s 1", 0},
	    {ENCODE_RAW, "\"sepm\":\"s1\"", "", 0},
	    {ENCODE_JSONL, "{\"time\":\"never\"}", "", 0},
	    {ENCODE_JSONL, "{\"time\":\"", "", 0},
	    {ENCODE_OCSF, ",\"time\":99999999999999999999", "", 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct span text = span_str(cases[i].text);
		struct span source = record_source(cases[i].format, text);
		int64_t us = 0;
		bool has = record_time(cases[i].format, text, &us);

		ck_assert_msg(span_eq(source, span_str(cases[i].source)),
		    "case %zu: %.*s", i, (int)source.n, source.p);
		ck_assert_msg(has == (cases[i].us != 0), "case %zu", i);
		if (has)
			ck_assert_int_eq(us, cases[i].us);
	}
}
END_TEST

START_TEST(test_body)
{
	static const char wanted[] =
	    "{\"a\":\"q\\\"\\\\\\u0001\xc3\xa9\\ufffd\\ufffdz\"}-12";
	struct span bytes;

	for (int gzip = 0; gzip <= 1; gzip++) {
		struct body *body = body_new(200, gzip);
		char text[200];
		z_stream z = {0};

		/* Again and again. */
		for (int i = 0; i < 2; i++) {
			body_begin(body);
			body_put_str(body, "{\"a\":");
			body_put_json(body, SPAN("q\"\\\x01\xc3\xa9\xff\xc3z"));
			body_put(body, SPAN("}"));
			body_put_number(body, -12);
			ck_assert(body_end(body, &bytes));
		}
		if (gzip) {
			ck_assert_int_eq(inflateInit2(&z, 31), Z_OK);
			z.next_in = (unsigned char *)(uintptr_t)bytes.p;
			z.avail_in = (unsigned)bytes.n;
			z.next_out = (unsigned char *)text;
			z.avail_out = sizeof text;
			ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
			bytes = span_of(text, sizeof text - z.avail_out);
			inflateEnd(&z);
		}
		ck_assert_msg(span_eq(bytes, span_str(wanted)), "%.*s",
		    (int)bytes.n, bytes.p);
		body_free(body);
	}
}
END_TEST

START_TEST(test_body_without_room)
{
	struct span bytes;

	for (int gzip = 0; gzip <= 1; gzip++)
		for (size_t size = 1; size < 40; size++) {
			struct body *body = body_new(size, gzip);
			bool fits;

			body_begin(body);
			for (int i = 0; i < 8; i++)
				body_put(body, SPAN("12345"));
			fits = body_end(body, &bytes);
			ck_assert_uint_le(bytes.n, size);
			ck_assert(!fits || (gzip && size >= 20));
			body_free(body);
		}
}
END_TEST

struct items {
	size_t n;
	long status[4];
	char text[4][64];
};

static void
item_cb(void *arg, size_t i, const struct bulk_item *item)
{
	struct items *items = arg;

	ck_assert_uint_eq(i, items->n++);
	ck_assert_uint_lt(i, 4);
	items->status[i] = item->status;
	snprintf(items->text[i], 64, "%.*s|%.*s", (int)item->type.n,
	    item->type.p, (int)item->reason.n, item->reason.p);
}

START_TEST(test_bulk)
{
	static const char answer[] =
	    "{\"errors\": true, \"items\":[{\"create\":{\"status\":201}},"
	    "{\"create\":{\"error\":{\"type\":\"t\",\"reason\":\"a }]\\\" "
	    "b\"},\"status\" : 400}},"
	    "{\"create\":{\"status\":429,\"_shards\":{\"status\":7},"
	    "\"error\":{\"reason\":\"c\"}}}]}";
	struct items items = {0};
	bool whole;

	ck_assert_uint_eq(
	    bulk_read(span_str(answer), item_cb, &items, &whole), 3);
	ck_assert(whole);
	ck_assert_int_eq(items.status[0], 201);
	ck_assert_str_eq(items.text[0], "|");
	ck_assert_int_eq(items.status[1], 400);
	ck_assert_str_eq(items.text[1], "t|a }]\\\" b");
	ck_assert_int_eq(items.status[2], 429);
	ck_assert_str_eq(items.text[2], "|c");
	for (size_t cut = 0; cut < sizeof answer - 1; cut++) {
		items = (struct items){0};
		bulk_read(span_of(answer, cut), item_cb, &items, &whole);
		ck_assert_msg(!whole, "cut at %zu", cut);
	}
}
END_TEST

START_TEST(test_bulk_of_anything)
{
	static const char *const answers[] = {
	    "", "no JSON", "]", "}}}}", "{\"items\":[]}", "\"", "\"\\"};
	struct items items = {0};
	char deep[300];
	bool whole;

	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
		ck_assert_uint_eq(
		    bulk_read(span_str(answers[i]), item_cb, &items, &whole),
		    0);
	memset(deep, '[', sizeof deep);
	ck_assert_uint_eq(
	    bulk_read(span_of(deep, sizeof deep), item_cb, &items, &whole), 0);
	ck_assert(!whole);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("records");
	TCase *t = tcase_create("records");

	tcase_add_test(t, test_names);
	tcase_add_test(t, test_lines);
	tcase_add_test(t, test_header_of_csv);
	tcase_add_test(t, test_long_lines);
	tcase_add_test(t, test_packed);
	tcase_add_test(t, test_ids);
	tcase_add_test(t, test_sources_and_times);
	tcase_add_test(t, test_body);
	tcase_add_test(t, test_body_without_room);
	tcase_add_test(t, test_bulk);
	tcase_add_test(t, test_bulk_of_anything);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
