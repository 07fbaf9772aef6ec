/*
 * The ledger's files: begun, sealed, removed, damaged; and what a line says
 * about a published file.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "spool_box.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

#define DAY_US (INT64_C(86400) * 1000000)
#define NOON_US (INT64_C(1767268800) * 1000000) /* 2026-01-01T12:00:00Z */

static struct box box;

static void
setup(void)
{
	box_init(&box);
	box.options.ledger.time = NOON_US;
}

static void
teardown(void)
{
	box_clear(&box);
}

/* The name of a file of the ledger, below the box. */
static const char *
file_name(unsigned number)
{
	static char name[160];

	snprintf(name, sizeof(name), "ledger/ledger-%.8s-%016u.jsonl",
	    spool_instance(box.spool).p, number);
	return name;
}

static bool
file_exists(unsigned number)
{
	char path[256];

	box_path(&box, path, "%s", file_name(number));
	return access(path, F_OK) == 0;
}

static mode_t
file_mode(unsigned number)
{
	char path[256];
	struct stat st;

	box_path(&box, path, "%s", file_name(number));
	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static bool
file_has(unsigned number, const char *text)
{
	size_t n;
	char *bytes = box_get(&box, file_name(number), &n);
	bool has = strstr(bytes, text) != NULL;

	free(bytes);
	return has;
}

/* A day's records, published, with the ledger in a file of that day. */
static void
one_day(unsigned day)
{
	spool_set_time(box.spool, NOON_US + day * DAY_US);
	box_fill(&box, 3);
	box_drain(&box);
	box_read(&box, true);
}

START_TEST(each_day_has_a_file_and_the_last_is_sealed)
{
	box_must_open(&box);
	one_day(0);
	one_day(0);
	ck_assert(!file_exists(2));
	ck_assert_uint_eq(file_mode(1), 0640);
	one_day(1);
	ck_assert_uint_eq(file_mode(1), 0440);
	ck_assert_uint_eq(file_mode(2), 0640);
	ck_assert(file_has(2, "\"type\":\"ledger\",\"time\":\"2026-01-02T"));
	box_kill(&box);
	box_must_open(&box);
	one_day(2);
	ck_assert_uint_eq(file_mode(2), 0440);
	box_expect_all(&box);
}
END_TEST

START_TEST(a_file_that_is_large_is_followed_by_another)
{
	struct ledger_text line;
	static char text[6000];
	int i;

	memset(text, 'x', sizeof(text));
	box_must_open(&box);
	one_day(0);
	for (i = 0; i < 400; i++) {
		ledger_begin(&line, "test", NOON_US);
		ledger_put_text(&line, "text", span_of(text, sizeof(text)));
		ck_assert(spool_ledger_add(box.spool, &line));
	}
	ck_assert(spool_ledger_flush(box.spool));
	ck_assert(file_exists(3));
	ck_assert_uint_eq(file_mode(1), 0440);
	ck_assert_uint_eq(file_mode(2), 0440);
	one_day(0);
	box_expect_all(&box);
}
END_TEST

START_TEST(many_short_lines_are_more_with_their_ends)
{
	struct ledger_text line;
	size_t lines, n;
	char *bytes, *at;
	int i;

	box_must_open(&box);
	/* 64 KiB of them, written in pieces of 128 KiB */
	for (i = 0; i < 1100; i++) {
		ledger_begin(&line, "t", NOON_US);
		ck_assert(spool_ledger_add(box.spool, &line));
	}
	ck_assert(spool_ledger_flush(box.spool));
	bytes = box_get(&box, file_name(1), &n);
	for (lines = 0, at = bytes; (at = strchr(at, '\n')); at++)
		lines++;
	ck_assert_uint_eq(lines, 1 + 1100);
	free(bytes);
	box_ledger(&box, 0);
	box_drain(&box);
}
END_TEST

START_TEST(the_oldest_go_when_they_are_too_large)
{
	box_must_open(&box);
	one_day(0);
	one_day(1);
	ck_assert(file_exists(1));
	box.options.ledger.size = 1;
	ck_assert(spool_reload(box.spool, &box.options, box.streams,
	    BOX_STREAMS, box.now, box.why, sizeof(box.why)));
	one_day(2);
	ck_assert(!file_exists(1));
	ck_assert(!file_exists(2));
	ck_assert(file_has(3, "\"type\":\"removed\""));
	ck_assert(file_has(3, "0000000000000001.jsonl\",\"last\":"));
	ck_assert(file_has(3, "0000000000000002.jsonl\",\"last\":"));
	one_day(2);
	ck_assert(file_exists(3));
	box_expect_all(&box);
}
END_TEST

START_TEST(the_oldest_go_when_they_are_too_old)
{
	/* by the time of the file system, which is that of this machine */
	int64_t now = (int64_t)time(NULL) * 1000000;

	box.options.ledger.age = 36 * 3600 * 1000;
	box.options.ledger.time = now;
	box_must_open(&box);
	box_fill(&box, 3);
	box_drain(&box);
	spool_set_time(box.spool, now + DAY_US);
	box_fill(&box, 3);
	box_drain(&box);
	box_read(&box, true);
	ck_assert(file_exists(1));
	ck_assert(file_exists(2));
	spool_set_time(box.spool, now + 2 * DAY_US);
	box_fill(&box, 3);
	box_drain(&box);
	box_read(&box, true);
	ck_assert(!file_exists(1));
	ck_assert(!file_exists(2));
	ck_assert(file_exists(3));
	box_expect_all(&box);
}
END_TEST

/* What stands in the place of the oldest cannot be read, so it stays. */
START_TEST(what_is_no_file_of_ours_stays)
{
	char path[256], name[200];
	int made;

	box_must_open(&box);
	one_day(0);
	box.options.ledger.size = 1;
	ck_assert(spool_reload(box.spool, &box.options, box.streams,
	    BOX_STREAMS, box.now, box.why, sizeof(box.why)));
	box_path(&box, path, "%s", file_name(0));
	made = mkdir(path, 0700);
	ck_assert_int_eq(made, 0);
	box_put(&box, "ledger/notes", "mine\n", 5);
	box_put(&box, "ledger/other-00000000-0000000000000000.jsonl", "a", 1);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memcpy(name, "ledger/ledger-00000000-0000000000000000.",
	    sizeof("ledger/ledger-00000000-0000000000000000.") - 1);
	box_put(&box, name, "b", 1);
	spool_set_time(box.spool, NOON_US + DAY_US);
	box_fill(&box, 3);
	box_drain(&box);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert(file_exists(1));
	ck_assert(!file_has(2, "\"type\":\"removed\""));
	box_path(&box, path, "%s", name);
	ck_assert_int_eq(unlink(path), 0);
	box_path(&box, path, "ledger/notes");
	ck_assert_int_eq(unlink(path), 0);
	box_path(&box, path, "ledger/other-00000000-0000000000000000.jsonl");
	ck_assert_int_eq(unlink(path), 0);
	box_read(&box, true);
	one_day(2);
	ck_assert(!file_exists(1));
	box_expect_all(&box);
}
END_TEST

START_TEST(a_file_that_someone_removed_is_followed_by_another)
{
	char path[256];

	box_must_open(&box);
	one_day(0);
	box_path(&box, path, "%s", file_name(1));
	ck_assert_int_eq(unlink(path), 0);
	box_pass(&box, 2);
	box_fill(&box, 3);
	box_drain(&box);
	ck_assert(file_exists(2));
	/* the lines that were kept go there as well: nothing is missing */
	ck_assert(file_has(2, "\"segment\":1,"));
	ck_assert(file_has(2, "\"segment\":2,"));
	box_read(&box, true);
	box_expect_all(&box);
}
END_TEST

/* How a life may have left its last file. */
static const struct {
	const char *text;
	size_t n; /* of the good bytes before it; 0: none at all */
} endings[] = {
    {"", SIZE_MAX},
    {"{\"type\":\"test\"", SIZE_MAX},
    {"no line\n", SIZE_MAX},
    {"", 100},
    {"", 0},
    {"no line\n", 0},
};

START_TEST(a_file_cut_short_is_followed_by_another)
{
	char path[256], name[160];
	char *bytes;
	size_t n;
	FILE *out;

	box_must_open(&box);
	one_day(0);
	snprintf(name, sizeof(name), "%s", file_name(1));
	bytes = box_get(&box, name, &n);
	box_kill(&box);
	box_path(&box, path, "%s", name);
	ck_assert_int_eq(chmod(path, 0640), 0);
	if (endings[_i].n < n)
		n = endings[_i].n;
	box_put(&box, name, bytes, n);
	out = fopen(path, "ab");
	ck_assert_ptr_nonnull(out);
	fputs(endings[_i].text, out);
	ck_assert_int_eq(fclose(out), 0);
	free(bytes);
	box_must_open(&box);
	box_fill(&box, 3);
	box_drain(&box);
	ck_assert(file_exists(2));
	if (endings[_i].n < SIZE_MAX) /* not one line was whole */
		ck_assert(!file_exists(1));
	else
		ck_assert_uint_eq(file_mode(1), 0440);
	/* both files are good now */
	box_read(&box, true);
	box_expect_all(&box);
}
END_TEST

/* A closed file without a line, or none of ours: what is before it counts. */
START_TEST(what_is_before_the_last_file_counts)
{
	char path[256], last[160];

	box_must_open(&box);
	one_day(0);
	snprintf(last, sizeof(last), "%s", file_name(7));
	box_path(&box, path, "%s", last);
	box_kill(&box);
	if (_i == 0) {
		box_put(&box, last, "no line\n", 8);
		ck_assert_int_eq(chmod(path, 0440), 0);
	} else {
		ck_assert_int_eq(symlink("nowhere", path), 0);
	}
	box_must_open(&box);
	box_fill(&box, 3);
	box_drain(&box);
	ck_assert(file_exists(8));
	/* it goes on from the file 1 */
	ck_assert(!file_has(8, "\"before\":\"00000000000000000000000000000000"
			       "00000000000000000000000000000000\""));
	ck_assert_int_eq(unlink(path), 0);
	box_read(&box, true);
	box_expect_all(&box);
}
END_TEST

/* --- what a line says --- */

static void
append_text(size_t stream, const char *fmt, const char *more)
{
	struct spool_stream *to = spool_stream(box.spool, stream);
	char *room = spool_reserve(to, 2048);
	uint64_t segment, line;
	char text[2048];
	int n;

	ck_assert_ptr_nonnull(room);
	spool_position(to, &segment, &line);
	n = snprintf(text, sizeof(text), fmt, spool_instance(box.spool).p,
	    segment, line, more);
	memcpy(room, text, (size_t)n);
	spool_append(to, (size_t)n, box.now);
}

#define RECORD                                                                 \
	"{\"id\":\"%.8s-traffic-%" PRIu64 "-%" PRIu64                          \
	"\",\"received\":\"%s\"}\n"

START_TEST(ids_and_times_of_the_records_are_told)
{
	char first[64], last[64];

	box_must_open(&box);
	append_text(BOX_TRAFFIC, RECORD, "2026-01-01T10:00:00.000000Z");
	append_text(BOX_TRAFFIC, RECORD, "2026-01-01T11:00:00.000000Z");
	append_text(BOX_TRAFFIC, RECORD, "2026-01-01T12:00:00.250000Z");
	box_drain(&box);
	snprintf(first, sizeof(first), "\"first_id\":\"%.8s-traffic-1-1\"",
	    spool_instance(box.spool).p);
	snprintf(last, sizeof(last), "\"last_id\":\"%.8s-traffic-1-3\"",
	    spool_instance(box.spool).p);
	ck_assert(file_has(1, first));
	ck_assert(file_has(1, last));
	ck_assert(file_has(1, "\"records\":3,"));
	ck_assert(file_has(1,
	    "\"first_time\":\"2026-01-01T10:00:00.000000Z\",\"last_time\":"
	    "\"2026-01-01T12:00:00.250000Z\""));
}
END_TEST

/* The key is there, but no time fits behind it. */
START_TEST(a_time_that_is_cut_short_is_not_told)
{
	box_must_open(&box);
	append_text(BOX_TRAFFIC, RECORD, "2026");
	box_drain(&box);
	ck_assert(file_has(1, "\"first_id\":"));
	ck_assert(!file_has(1, "first_time"));
	ck_assert(!file_has(1, "last_time"));
}
END_TEST

START_TEST(a_long_record_shows_its_end)
{
	static char long_text[1500];

	memset(long_text, 'x', sizeof(long_text) - 1);
	box_must_open(&box);
	append_text(BOX_TRAFFIC,
	    "{\"id\":\"%.8s-traffic-%" PRIu64 "-%" PRIu64
	    "\",\"text\":\"%s\"}\n",
	    long_text);
	box_drain(&box);
	/* the id is further from the end than is looked */
	ck_assert(file_has(1, "\"records\":1,"));
	ck_assert(!file_has(1, "first_id"));
}
END_TEST

START_TEST(times_of_receipt_are_told_for_any_format)
{
	box_must_open(&box);
	spool_set_received(box.spool, NOON_US);
	ck_assert(box_append(&box, BOX_ACCESS));
	spool_set_received(box.spool, NOON_US + 1500000);
	ck_assert(box_append(&box, BOX_ACCESS));
	box_drain(&box);
	ck_assert(file_has(1,
	    "\"first_time\":\"2026-01-01T12:00:00.000000Z\",\"last_time\":"
	    "\"2026-01-01T12:00:01.500000Z\""));
	box_read(&box, true);
	box_expect_all(&box);
}
END_TEST

START_TEST(without_checksums_there_are_none)
{
	box.options.ledger.checksum = false;
	box.options.compress = SPOOL_GZIP;
	box_must_open(&box);
	box_fill(&box, 3);
	/* and none that was begun is gone on with */
	if (_i == 1)
		box_kill(&box);
	if (_i == 1)
		box_must_open(&box);
	box_drain(&box);
	ck_assert(file_has(1, "\"type\":\"file\""));
	ck_assert(!file_has(1, "sha256"));
}
END_TEST

/* Does the ledger have the digest of the file in ready/ under that key? */
static bool
file_is_told(const char *name, const char *key)
{
	char below[160], text[SHA256_HEX + 64];
	uint8_t sum[SHA256_SIZE];
	struct sha256 *sha = sha256_new();
	size_t n;
	char *bytes;

	snprintf(below, sizeof(below), "ready/%s", name);
	bytes = box_get(&box, below, &n);
	ck_assert(sha && n > 0);
	sha256_add(sha, span_of(bytes, n));
	sha256_end(sha, sum);
	n = (size_t)snprintf(text, sizeof(text), "\"%s\":\"", key);
	sha256_hex(sum, text + n);
	text[n + SHA256_HEX] = '\0';
	sha256_free(sha);
	free(bytes);
	return file_has(1, text);
}

START_TEST(a_file_is_told_as_it_is_in_ready)
{
	static const char *const extension[] = {"", ".gz", ".zst"};
	bool is_packed = _i / 2 > 0;
	char name[96], packed[64], path[256];
	struct stat st;

	box.options.compress = (enum spool_compress)(_i / 2);
	box_must_open(&box);
	box_fill(&box, 3);
	/* also in another life */
	if (_i % 2 == 1) {
		box_kill(&box);
		box_must_open(&box);
	}
	box_drain(&box);
	snprintf(name, sizeof(name), "traffic-%.8s-%016u.jsonl%s",
	    spool_instance(box.spool).p, 1U, extension[_i / 2]);
	box_path(&box, path, "ready/%s", name);
	ck_assert_int_eq(stat(path, &st), 0);
	snprintf(packed, sizeof(packed), "\"packed_bytes\":%lld,",
	    (long long)st.st_size);
	ck_assert_int_eq(file_has(1, packed), is_packed);
	ck_assert_int_eq(file_is_told(name, "packed_sha256"), is_packed);
	ck_assert_int_eq(file_is_told(name, "sha256"), !is_packed);
	ck_assert_int_eq(file_has(1, "packed_"), is_packed);
}
END_TEST

START_TEST(without_a_ledger_all_is_published_the_same)
{
	struct ledger_text line;

	box.options.ledger.size = 0;
	box.options.compress = (enum spool_compress)_i;
	box_must_open(&box);
	ledger_begin(&line, "test", NOON_US);
	ck_assert(spool_ledger_add(box.spool, &line));
	ck_assert(spool_ledger_flush(box.spool));
	box_fill(&box, 3);
	box_drain(&box);
	box_read(&box, true);
	box_expect_all(&box);
	ck_assert_uint_eq(box_count(&box, "ledger"), 0);
}
END_TEST

START_TEST(the_segments_are_told)
{
	struct ledger_text line;
	const char *want = "\"segments\":{\"traffic\":1,\"access\":1}";

	box_must_open(&box);
	ledger_begin(&line, "test", NOON_US);
	spool_ledger_segments(box.spool, &line);
	line.bytes[line.n] = '\0';
	ck_assert_msg(strstr(line.bytes, want), "%s", line.bytes);
}
END_TEST

/* --- how far the records are --- */

START_TEST(a_mark_is_reached_when_its_records_are_committed)
{
	box_must_open(&box);
	spool_ledger_mark(box.spool);
	ck_assert(spool_ledger_reached(box.spool));
	ck_assert_uint_eq(spool_backlog(box.spool), 0);
	ck_assert(box_append(&box, BOX_TRAFFIC));
	/* it is not flushed, so it does not count */
	spool_ledger_mark(box.spool);
	ck_assert(spool_ledger_reached(box.spool));
	ck_assert_uint_eq(spool_backlog(box.spool), 0);
	spool_flush(box.spool);
	ck_assert_uint_gt(spool_backlog(box.spool), 0);
	spool_ledger_mark(box.spool);
	ck_assert(!spool_ledger_reached(box.spool));
	spool_work(box.spool, box.now);
	/* written, and not synced */
	ck_assert_uint_eq(spool_backlog(box.spool), 0);
	ck_assert(!spool_ledger_reached(box.spool));
	box_work(&box, 200);
	ck_assert(spool_ledger_reached(box.spool));
	/* what comes later does not matter */
	ck_assert(box_append(&box, BOX_TRAFFIC));
	spool_flush(box.spool);
	ck_assert(spool_ledger_reached(box.spool));
	/* nor does a stream that has gone */
	ck_assert(spool_reload(box.spool, &box.options, box.streams, 1, box.now,
	    box.why, sizeof(box.why)));
	box_work(&box, 200);
	spool_ledger_mark(box.spool);
	ck_assert(spool_ledger_reached(box.spool));
	ck_assert_uint_eq(spool_backlog(box.spool), 0);
	box_drain(&box);
	box_read(&box, true);
	box_expect_all(&box);
}
END_TEST

int
main(void)
{
	const struct box_test tests[] = {
	    {"files", each_day_has_a_file_and_the_last_is_sealed, 0, 1},
	    {"files", a_file_that_is_large_is_followed_by_another, 0, 1},
	    {"files", many_short_lines_are_more_with_their_ends, 0, 1},
	    {"files", the_oldest_go_when_they_are_too_large, 0, 1},
	    {"files", the_oldest_go_when_they_are_too_old, 0, 1},
	    {"files", what_is_no_file_of_ours_stays, 0, 1},
	    {"files", a_file_that_someone_removed_is_followed_by_another, 0, 1},
	    {"files", a_file_cut_short_is_followed_by_another, 0,
		COUNT_OF(endings)},
	    {"files", what_is_before_the_last_file_counts, 0, 2},
	    {"lines", ids_and_times_of_the_records_are_told, 0, 1},
	    {"lines", a_time_that_is_cut_short_is_not_told, 0, 1},
	    {"lines", a_long_record_shows_its_end, 0, 1},
	    {"lines", times_of_receipt_are_told_for_any_format, 0, 1},
	    {"lines", without_checksums_there_are_none, 0, 2},
	    {"lines", a_file_is_told_as_it_is_in_ready, 0, 6},
	    {"lines", without_a_ledger_all_is_published_the_same, 0, 3},
	    {"lines", the_segments_are_told, 0, 1},
	    {"mark", a_mark_is_reached_when_its_records_are_committed, 0, 1},
	};

	return box_run("spool ledger", tests, COUNT_OF(tests), setup, teardown);
}
