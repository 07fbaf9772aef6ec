/*
 * What an earlier life, or someone else, may have left in live/. The start
 * always succeeds, whole records are published, anything else is kept in
 * quarantine/ or left alone, and a second start finds nothing to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "spool_box.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static struct box box;
static char instance[9];

static void
setup(void)
{
	box_init(&box);
	box_must_open(&box);
	memcpy(instance, spool_instance(box.spool).p, 8);
	box_kill(&box);
}

static void
teardown(void)
{
	box_clear(&box);
}

/* Starts, publishes, ends; again and again, which must change nothing. */
static void
restart(void)
{
	size_t ready, quarantine;

	box_must_open(&box);
	box_drain(&box);
	box_kill(&box);
	ready = box_count(&box, "ready");
	quarantine = box_count(&box, "quarantine");
	box_must_open(&box);
	box_drain(&box);
	box_kill(&box);
	ck_assert_uint_eq(box_count(&box, "ready"), ready);
	ck_assert_uint_eq(box_count(&box, "quarantine"), quarantine);
}

static void
expect_file(const char *below, struct span want)
{
	size_t n;
	char *bytes = box_get(&box, below, &n);

	ck_assert_msg(n == want.n && memcmp(bytes, want.p, n) == 0, "%s: %s",
	    below, bytes);
	free(bytes);
}

static const char *
below(const char *directory, const char *stream, unsigned number,
    const char *extension)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s-%s-%016u.%s", directory, stream,
	    instance, number, extension);
	return path;
}

/* --- contents --- */

#define BYTES(literal)                                                         \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}

static const struct {
	const char *extension;
	struct span left;
	struct span kept;
	bool damaged;
} contents[] = {
    {"jsonl", BYTES("{1}\n{2}\n"), BYTES("{1}\n{2}\n"), false},
    {"jsonl", BYTES("{1}\n{2}\n{3"), BYTES("{1}\n{2}\n"), true},
    {"jsonl", BYTES("{1}\n{2}\n{3}"), BYTES("{1}\n{2}\n"), true},
    {"jsonl", BYTES("{1}\n\0\0\0\0\n{2}\n"), BYTES("{1}\n{2}\n"), true},
    {"jsonl", BYTES("{1}\n{2\0}\n{3}\n"), BYTES("{1}\n{3}\n"), true},
    {"jsonl", BYTES("\0\0\0\0{1}\n{2}\n"), BYTES("{2}\n"), true},
    {"jsonl", BYTES("{1}\nabc\n{2}\n}{\n"), BYTES("{1}\n{2}\n"), true},
    {"jsonl", BYTES("{1}\n\n{2}\r\n{3}\n"), BYTES("{1}\n{3}\n"), true},
    {"jsonl", BYTES("\0\0\0\0\0\0\0\0"), BYTES(""), true},
    {"jsonl",
	BYTES("\x7f"
	      "ELF\1\1\1\n\xff\xfe"),
	BYTES(""), true},
    {"jsonl", BYTES(""), BYTES(""), false},
    {"ecs", BYTES("{1}\nabc\n"), BYTES("{1}\n"), true},
    {"csv", BYTES("a,b\r\n1,2\r\n"), BYTES("a,b\r\n1,2\r\n"), false},
    {"csv", BYTES("a,b\r\n1,2\r\n3,4\n5,6\r\n7"),
	BYTES("a,b\r\n1,2\r\n5,6\r\n"), true},
    {"csv", BYTES("a,b\r\n1,\0\r\n3,4\r\n"), BYTES("a,b\r\n3,4\r\n"), true},
    {"csv", BYTES("a,b\r\n"), BYTES(""), false},
    {"csv", BYTES("a,b\r\n1,2"), BYTES(""), true},
    {"csv", BYTES("a,\0\r\n1,2\r\n"), BYTES(""), true},
    {"csv", BYTES("a,b\n1,2\r\n"), BYTES(""), true},
    {"raw", BYTES("<1>a\n<2>b\n"), BYTES("<1>a\n<2>b\n"), false},
    {"raw", BYTES("<1>a\n<2\0>b\nc"), BYTES("<1>a\n"), true},
    {"cef", BYTES("CEF:0\n\0\n"), BYTES("CEF:0\n"), true},
};

/* As the last one of a crash, and as one that was closed. */
static void
expect_contents(size_t i, mode_t mode)
{
	const char *extension = contents[i].extension;
	struct span kept = contents[i].kept, left = contents[i].left;
	char path[256];
	struct stat st;

	snprintf(
	    path, sizeof(path), "live/traffic/%016d.%s.open", 7, extension);
	box_put(&box, path, left.p, left.n);
	box_path(&box, path, "live/traffic/%016d.%s.open", 7, extension);
	ck_assert_int_eq(chmod(path, mode), 0);
	restart();
	ck_assert_uint_eq(box_count(&box, "ready"), kept.n > 0);
	if (kept.n > 0) {
		expect_file(below("ready", "traffic", 7, extension), kept);
		box_path(
		    &box, path, "%s", below("ready", "traffic", 7, extension));
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_uint_eq(st.st_mode & 07777, 0440);
	}
	ck_assert_uint_eq(box_count(&box, "quarantine"), contents[i].damaged);
	if (contents[i].damaged)
		expect_file(below("quarantine", "traffic", 7, extension), left);
	ck_assert_uint_eq(box_count(&box, "live/traffic"), 1);
	ck_assert(box_told(&box, "no whole records") == contents[i].damaged);
}

START_TEST(whole_records_are_published)
{
	expect_contents((size_t)_i, 0640);
}
END_TEST

START_TEST(a_closed_file_is_checked_as_well)
{
	expect_contents((size_t)_i, 0440);
}
END_TEST

START_TEST(every_cut_of_a_file_gives_whole_records)
{
	static const char all[] = "{\"n\":1}\n{\"n\":22}\n{\"n\":333}\n";
	size_t cut, want;
	char path[256];

	for (cut = 1; cut < sizeof(all); cut++) {
		snprintf(path, sizeof(path), "live/traffic/%016d.jsonl.open",
		    100 + (int)cut);
		box_put(&box, path, all, cut);
		box_must_open(&box);
		box_drain(&box);
		box_kill(&box);
		want = cut;
		while (want > 0 && all[want - 1] != '\n')
			want--;
		if (want > 0)
			expect_file(below("ready", "traffic",
					100 + (unsigned)cut, "jsonl"),
			    span_of(all, want));
	}
	ck_assert_uint_eq(box_count(&box, "live/traffic"), 1);
}
END_TEST

START_TEST(the_original_of_the_same_name_is_kept_too)
{
	static const char *const names[] = {"", ".1", ".2"};
	char path[256];
	size_t i;

	for (i = 0; i < COUNT_OF(names); i++) {
		box_put(&box, "live/traffic/0000000000000007.jsonl.open",
		    "abc\n", 4);
		box_must_open(&box);
		box_drain(&box);
		box_kill(&box);
		snprintf(path, sizeof(path), "%s%s",
		    below("quarantine", "traffic", 7, "jsonl"), names[i]);
		expect_file(path, SPAN("abc\n"));
	}
	ck_assert_uint_eq(box_count(&box, "quarantine"), COUNT_OF(names));
}
END_TEST

/* --- names --- */

START_TEST(numbers_begin_above_all_that_is_there)
{
	static const char *const there[] = {
	    "live/traffic/0000000000000041.jsonl.open",
	    "live/traffic/0000000000000041.csv.open",
	    "ready/traffic-12345678-0000000000000041.jsonl",
	    "ready/traffic-12345678-0000000000000041.jsonl.gz",
	};
	uint64_t segment, line;

	box_put(&box, there[_i], "{1}\n", 4);
	box_must_open(&box);
	spool_position(spool_stream(box.spool, BOX_TRAFFIC), &segment, &line);
	ck_assert_uint_eq(segment, 42);
	spool_position(spool_stream(box.spool, BOX_ACCESS), &segment, &line);
	ck_assert_uint_eq(segment, 1);
}
END_TEST

START_TEST(names_that_are_not_ours_are_left_alone)
{
	static const char *const names[] = {
	    "live/traffic/core",
	    "live/traffic/0000000000000007.open",
	    "live/traffic/0000000000000007.jsonl",
	    "live/traffic/000000000000007.jsonl.open",
	    "live/traffic/0000000000000007.JSONL.open",
	    "live/traffic/0000000000000007.jsonl.open~",
	    "live/traffic/9999999999999999.jsonl.open",
	    "live/traffic/0000000000000007..open",
	};
	uint64_t segment, line;

	box_put(&box, names[_i], "{1}\n", 4);
	restart();
	expect_file(names[_i], SPAN("{1}\n"));
	ck_assert_uint_eq(box_count(&box, "ready"), 0);
	ck_assert(box_told(&box, "no segments, left alone"));
	box_must_open(&box);
	spool_position(spool_stream(box.spool, BOX_TRAFFIC), &segment, &line);
	ck_assert_uint_eq(segment, 1);
}
END_TEST

START_TEST(our_own_temporaries_are_removed)
{
	static const char *const names[] = {"live/traffic/rw.tmp",
	    "live/traffic/salvage.tmp", "live/traffic/publish.tmp", ".cur"};
	char path[256];

	box_put(&box, names[_i], "{1}\n", 4);
	restart();
	box_path(&box, path, "%s", names[_i]);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_damaged_instance_is_made_anew)
{
	static const struct span texts[] = {BYTES(""), BYTES("1234567\n"),
	    BYTES("1234567G\n"), BYTES("12345678"), BYTES("123456789\n"),
	    BYTES("12345678\r"), BYTES("../../aa\n")};
	char before[8];

	box_put(&box, "instance", texts[_i].p, texts[_i].n);
	box_must_open(&box);
	memcpy(before, spool_instance(box.spool).p, 8);
	ck_assert(box_told(&box, "instance"));
	box_kill(&box);
	box_must_open(&box);
	ck_assert_mem_eq(spool_instance(box.spool).p, before, 8);
}
END_TEST

START_TEST(an_instance_that_is_a_link_is_not_followed)
{
	char path[256], *bytes;
	size_t n;

	box_put(&box, "elsewhere", "0123abcd\n", 9);
	box_path(&box, path, "instance");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("elsewhere", path), 0);
	box_must_open(&box);
	ck_assert_mem_ne(spool_instance(box.spool).p, "0123abcd", 8);
	box_fill(&box, 3);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	bytes = box_get(&box, "elsewhere", &n);
	ck_assert_uint_eq(n, 9);
	ck_assert_mem_eq(bytes, "0123abcd\n", 9);
	free(bytes);
}
END_TEST

/* --- other streams --- */

static void
make_directory(const char *name)
{
	char path[256];

	box_path(&box, path, "%s", name);
	ck_assert_int_eq(mkdir(path, 0750), 0);
}

START_TEST(a_stream_that_is_not_configured_is_published_too)
{
	uint64_t segment, line;

	make_directory("live/gone");
	box_put(&box, "live/gone/0000000000000004.jsonl.open", "{1}\n", 4);
	box_put(&box, "live/gone/0000000000000005.csv.open", "a\r\nb\r\n", 6);
	restart();
	expect_file(below("ready", "gone", 4, "jsonl"), SPAN("{1}\n"));
	expect_file(below("ready", "gone", 5, "csv"), SPAN("a\r\nb\r\n"));
	/* an empty one keeps the number */
	ck_assert_uint_eq(box_count(&box, "live/gone"), 1);
	expect_file("live/gone/0000000000000006.csv.open", SPAN(""));
	box.streams[0].name = "gone";
	box_must_open(&box);
	spool_position(spool_stream(box.spool, 0), &segment, &line);
	ck_assert_uint_eq(segment, 7); /* of another kind: not taken over */
}
END_TEST

START_TEST(what_is_no_stream_is_left_alone)
{
	char path[256], target[256];

	make_directory("live/Odd name\n");
	make_directory("live/empty");
	box_put(&box, "live/file", "{1}\n", 4);
	box_put(
	    &box, "live/Odd name\n/0000000000000004.jsonl.open", "{1}\n", 4);
	box_path(&box, path, "live/pointer");
	box_path(&box, target, "quarantine");
	ck_assert_int_eq(symlink(target, path), 0);
	restart();
	expect_file("live/file", SPAN("{1}\n"));
	expect_file(
	    "live/Odd name\n/0000000000000004.jsonl.open", SPAN("{1}\n"));
	ck_assert_uint_eq(box_count(&box, "ready"), 0);
	ck_assert_uint_eq(box_count(&box, "live/empty"), 0);
	ck_assert(box_told(&box, "live/Odd?name? is no stream"));
	ck_assert(box_told(&box, "live/pointer/"));
}
END_TEST

/* --- hostile trees --- */

static void
make_symlink(const char *path, const char *target)
{
	ck_assert_int_eq(symlink(target, path), 0);
}

static void
make_dangling(const char *path, const char *target)
{
	(void)target;
	ck_assert_int_eq(symlink("/nonexistent", path), 0);
}

static void
make_fifo(const char *path, const char *target)
{
	(void)target;
	ck_assert_int_eq(mkfifo(path, 0640), 0);
}

static void
make_subdirectory(const char *path, const char *target)
{
	(void)target;
	ck_assert_int_eq(mkdir(path, 0750), 0);
}

static void
make_socket(const char *path, const char *target)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)target;
	ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void
make_foreign(const char *path, const char *target)
{
	(void)target;
	close(open(path, O_CREAT | O_WRONLY, 0640));
	/* where we may not do that, a mode that keeps us out */
	if (chown(path, 1234, 1234) < 0)
		ck_assert_int_eq(chmod(path, 0), 0);
}

static void (*const makers[])(const char *path, const char *target) = {
    make_symlink, make_dangling, make_fifo, make_subdirectory, make_socket,
    make_foreign};

START_TEST(what_is_no_file_of_ours_is_moved_away)
{
	char path[256], target[256];

	box_put(&box, "target", "{\"secret\":1}\n", 13);
	box_path(&box, target, "target");
	box_path(&box, path, "live/traffic/0000000000000007.jsonl.open");
	makers[_i](path, target);
	restart();
	ck_assert_uint_eq(box_count(&box, "ready"), 0);
	ck_assert_uint_eq(box_count(&box, "quarantine"), 1);
	ck_assert_uint_eq(box_count(&box, "live/traffic"), 1);
	ck_assert(box_told(&box, "moved to quarantine/"));
	expect_file("target", SPAN("{\"secret\":1}\n"));
}
END_TEST

/* In the way of the next segment, while running. */
START_TEST(what_is_in_the_way_is_moved_away)
{
	char path[256], target[256];

	box_put(&box, "target", "{\"secret\":1}\n", 13);
	box_path(&box, target, "target");
	box_must_open(&box);
	box_path(&box, path, "live/traffic/0000000000000002.jsonl.open");
	makers[_i](path, target);
	box_fill(&box, 1);
	spool_rotate(box.spool, box.now, true);
	box_fill(&box, 1);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	expect_file("target", SPAN("{\"secret\":1}\n"));
}
END_TEST

START_TEST(a_link_for_tail_is_replaced_not_followed)
{
	char path[256], target[256];

	box_put(&box, "target", "{\"secret\":1}\n", 13);
	box_path(&box, target, "target");
	box_path(&box, path, "traffic.jsonl");
	ck_assert_int_eq(unlink(path), 0);
	makers[_i](path, target);
	box_must_open(&box);
	box_fill(&box, 3);
	expect_file("target", SPAN("{\"secret\":1}\n"));
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
}
END_TEST

START_TEST(a_link_in_ready_is_not_followed)
{
	char path[256], target[256];
	struct stat st;

	box.renumbered = true;
	box_put(&box, "target", "{\"secret\":1}\n", 13);
	box_path(&box, target, "target");
	box_path(&box, path, "%s", below("ready", "traffic", 1, "jsonl"));
	makers[_i](path, target);
	box_must_open(&box);
	box_fill(&box, 1);
	spool_rotate(box.spool, box.now, true);
	box_fill(&box, 2);
	spool_rotate(box.spool, box.now, true);
	box_fill(&box, 2);
	box_drain(&box);
	expect_file("target", SPAN("{\"secret\":1}\n"));
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(box_told(&box, "is not ours"));
	if (remove(path) < 0)
		ck_abort_msg("%s", strerror(errno));
	box_read(&box, false);
	box_expect_all(&box);
}
END_TEST

/* --- many, and large --- */

START_TEST(a_thousand_leftovers_are_published)
{
	char path[256];
	int i;

	box.options.compress = SPOOL_GZIP;
	for (i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "live/traffic/%016d.jsonl.open",
		    10 + i);
		box_put(&box, path, "{1}\n{2", i % 10 == 0 ? 6 : 4);
	}
	restart();
	ck_assert_uint_eq(box_count(&box, "ready"), 1000);
	ck_assert_uint_eq(box_count(&box, "quarantine"), 100);
	ck_assert_uint_eq(box_count(&box, "live/traffic"), 1);
}
END_TEST

START_TEST(a_long_line_and_a_large_file_are_whole)
{
	size_t n = (size_t)24 << 20, at, line = 300000;
	char *bytes = malloc(n);
	uint64_t size = 0;

	ck_assert_ptr_nonnull(bytes);
	memset(bytes, 'x', n);
	for (at = 0; at + line <= n; at += line) {
		bytes[at] = '{';
		bytes[at + line - 2] = '}';
		bytes[at + line - 1] = '\n';
		size = at + line;
	}
	box_put(&box, "live/traffic/0000000000000007.jsonl.open", bytes, n);
	restart();
	expect_file(below("ready", "traffic", 7, "jsonl"),
	    span_of(bytes, (size_t)size));
	free(bytes);
}
END_TEST

/* --- both the plain and the published file --- */

START_TEST(a_segment_that_stands_in_ready_already_is_removed)
{
	static const char *const forms[] = {"jsonl", "jsonl.gz", "jsonl.zst"};
	const char *live = "live/traffic/0000000000000007.jsonl.open";
	char path[256];
	char *before;
	size_t n;

	box_put(&box, live, "{1}\n", 4);
	box.options.compress = (enum spool_compress)_i;
	restart();
	box_put(&box, live, "{1}\n", 4);
	/* what the options say now does not matter */
	box.options.compress = (enum spool_compress)((_i + 1) % 3);
	snprintf(
	    path, sizeof(path), "%s", below("ready", "traffic", 7, forms[_i]));
	before = box_get(&box, path, &n);
	restart();
	expect_file(path, span_of(before, n));
	free(before);
	ck_assert_uint_eq(box_count(&box, "ready"), 1);
	ck_assert_uint_eq(box_count(&box, "live/traffic"), 1);
}
END_TEST

int
main(void)
{
	const struct box_test tests[] = {
	    {"contents", whole_records_are_published, 0, COUNT_OF(contents)},
	    {"contents", a_closed_file_is_checked_as_well, 0,
		COUNT_OF(contents)},
	    {"contents", every_cut_of_a_file_gives_whole_records, 0, 1},
	    {"contents", the_original_of_the_same_name_is_kept_too, 0, 1},
	    {"names", numbers_begin_above_all_that_is_there, 0, 4},
	    {"names", names_that_are_not_ours_are_left_alone, 0, 8},
	    {"names", our_own_temporaries_are_removed, 0, 4},
	    {"names", a_damaged_instance_is_made_anew, 0, 7},
	    {"names", an_instance_that_is_a_link_is_not_followed, 0, 1},
	    {"streams", a_stream_that_is_not_configured_is_published_too, 0, 1},
	    {"streams", what_is_no_stream_is_left_alone, 0, 1},
	    {"hostile", what_is_no_file_of_ours_is_moved_away, 0,
		COUNT_OF(makers)},
	    {"hostile", what_is_in_the_way_is_moved_away, 0, COUNT_OF(makers)},
	    {"hostile", a_link_for_tail_is_replaced_not_followed, 0,
		COUNT_OF(makers)},
	    {"hostile", a_link_in_ready_is_not_followed, 0, COUNT_OF(makers)},
	    {"many", a_thousand_leftovers_are_published, 0, 1},
	    {"many", a_long_line_and_a_large_file_are_whole, 0, 1},
	    {"both", a_segment_that_stands_in_ready_already_is_removed, 0, 3},
	};

	return box_run(
	    "spool recovery", tests, COUNT_OF(tests), setup, teardown);
}
