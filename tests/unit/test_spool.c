#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool_box.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static struct box box;

static void
setup(void)
{
	box_init(&box);
}

static void
teardown(void)
{
	box_clear(&box);
}

/* --- the way of a record --- */

START_TEST(every_record_is_published_once)
{
	struct spool_status status;

	box.options.compress = (enum spool_compress)_i;
	box_must_open(&box);
	box_fill(&box, 500);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	status = box_status(&box);
	ck_assert_uint_eq(status.accepted, 1000);
	ck_assert_uint_eq(status.committed, 1000);
	ck_assert_uint_eq(status.published, 1000);
	ck_assert_uint_eq(status.files_published, box_count(&box, "ready"));
	ck_assert_uint_gt(status.files_published, 10);
	ck_assert_int_eq(status.state, SPOOL_OK);
	ck_assert_uint_eq(box_count(&box, "live/traffic"), 1);
	ck_assert_uint_eq(box_count(&box, "live/access"), 1);
	ck_assert_uint_eq(box_count(&box, "quarantine"), 0);
}
END_TEST

START_TEST(nothing_is_seen_before_it_is_flushed)
{
	box_must_open(&box);
	ck_assert(box_append(&box, BOX_TRAFFIC));
	spool_work(box.spool, box.now);
	ck_assert_uint_eq(box_status(&box).accepted, 0);
	ck_assert(spool_flush(box.spool));
	ck_assert(!spool_flush(box.spool));
	spool_work(box.spool, box.now);
	ck_assert_uint_eq(box_status(&box).accepted, 1);
}
END_TEST

START_TEST(it_commits_after_the_interval)
{
	uint64_t next;

	box_must_open(&box);
	ck_assert(box_append(&box, BOX_TRAFFIC));
	spool_flush(box.spool);
	next = spool_work(box.spool, box.now);
	ck_assert_uint_eq(next, box.now + box.options.commit_interval);
	ck_assert_uint_eq(box_status(&box).committed, 0);
	spool_work(box.spool, next - 1);
	ck_assert_uint_eq(box_status(&box).committed, 0);
	spool_work(box.spool, next);
	ck_assert_uint_eq(box_status(&box).committed, 1);
}
END_TEST

static uint64_t commits[8];
static size_t commit_count;

static void
commit_cb(void *arg, uint64_t stamp)
{
	ck_assert_ptr_eq(arg, &box);
	ck_assert_uint_lt(commit_count, COUNT_OF(commits));
	commits[commit_count++] = stamp;
}

static void
append_at(uint64_t stamp)
{
	spool_stamp(box.spool, stamp);
	ck_assert(box_append(&box, BOX_TRAFFIC));
	spool_flush(box.spool);
}

START_TEST(a_commit_tells_of_its_first_line)
{
	commit_count = 0;
	box.options.commit_interval = 100;
	box_must_open(&box);
	spool_on_commit(box.spool, commit_cb, &box);
	append_at(10); /* of lines that were flushed together, ... */
	append_at(20);
	spool_work(box.spool, box.now);
	append_at(30); /* ... and of others of the same commit */
	spool_work(box.spool, box.now + 99);
	ck_assert_uint_eq(commit_count, 0);
	spool_work(box.spool, box.now + 100);
	ck_assert_uint_eq(commit_count, 1);
	ck_assert_uint_eq(commits[0], 10);
	spool_work(box.spool, box.now + 1000); /* nothing new */
	ck_assert_uint_eq(commit_count, 1);
	append_at(40);
	spool_work(box.spool, box.now + 1000);
	spool_work(box.spool, box.now + 1100);
	ck_assert_uint_eq(commit_count, 2);
	ck_assert_uint_eq(commits[1], 40);
	append_at(50); /* its segment is closed */
	spool_rotate(box.spool, box.now + 1200, true);
	spool_work(box.spool, box.now + 1200);
	ck_assert_uint_eq(commit_count, 3);
	ck_assert_uint_eq(commits[2], 50);
}
END_TEST

START_TEST(what_nobody_stamps_is_not_told)
{
	commit_count = 0;
	box.options.commit_bytes = 1;
	box_must_open(&box);
	spool_on_commit(box.spool, commit_cb, &box);
	append_at(0);
	spool_work(box.spool, box.now);
	ck_assert_uint_eq(box_status(&box).committed, 1);
	ck_assert_uint_eq(commit_count, 0);
}
END_TEST

static unsigned written_first, durable_first;

/* Whoever is asked first finds nothing done yet. */
static void
before_cb(void *arg, bool commit)
{
	struct spool_status status = box_status(&box);

	ck_assert_ptr_eq(arg, &box);
	if (commit)
		durable_first++;
	else
		written_first++;
	ck_assert_uint_eq(status.accepted, commit);
	ck_assert_uint_eq(status.committed, 0);
}

START_TEST(others_are_asked_before_lines_go_to_the_disk)
{
	written_first = durable_first = 0;
	box.options.commit_interval = 100;
	box_must_open(&box);
	spool_set_before(box.spool, before_cb, &box);
	ck_assert(box_append(&box, BOX_TRAFFIC));
	spool_flush(box.spool);
	spool_work(box.spool, box.now);
	ck_assert_uint_eq(written_first, 1);
	ck_assert_uint_eq(durable_first, 0);
	spool_work(box.spool, box.now + 100);
	ck_assert_uint_eq(written_first, 1);
	ck_assert_uint_eq(durable_first, 1);
	spool_set_before(box.spool, NULL, NULL);
	box_fill(&box, 100);
	box_drain(&box);
	ck_assert_uint_eq(durable_first, 1);
}
END_TEST

START_TEST(it_commits_at_so_many_bytes)
{
	box.options.commit_bytes = 1;
	box_must_open(&box);
	ck_assert(box_append(&box, BOX_TRAFFIC));
	spool_flush(box.spool);
	spool_work(box.spool, box.now);
	ck_assert_uint_eq(box_status(&box).committed, 1);
}
END_TEST

START_TEST(the_buffer_is_free_again_after_the_commit)
{
	unsigned fill;

	box.options.rotate_size = 1 << 30;
	box_must_open(&box);
	while (box_append(&box, BOX_TRAFFIC))
		continue;
	fill = spool_fill(box.spool);
	ck_assert_uint_gt(fill, 95);
	box_work(&box, 200);
	/* but for the page that is written again */
	ck_assert_uint_le(spool_fill(box.spool), 100 * 4096 / (1 << 16));
	ck_assert(box_append(&box, BOX_TRAFFIC));
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
}
END_TEST

START_TEST(more_than_the_buffer_is_never_reserved)
{
	struct spool_stream *stream;

	box_must_open(&box);
	stream = spool_stream(box.spool, BOX_ACCESS);
	ck_assert_ptr_null(spool_reserve(stream, 1 << 16));
	ck_assert_ptr_null(spool_reserve(stream, SIZE_MAX));
	ck_assert_ptr_nonnull(
	    spool_reserve(stream, (1 << 16) - strlen(BOX_HEADER)));
	ck_assert_ptr_null(spool_stream(box.spool, BOX_STREAMS));
}
END_TEST

START_TEST(a_segment_is_closed_by_age)
{
	box.options.rotate_age = 5000;
	box_must_open(&box);
	box_fill(&box, 1);
	spool_rotate(box.spool, box.now + 4000, false);
	box_work(&box, 4000);
	ck_assert_uint_eq(box_count(&box, "ready"), 0);
	ck_assert(spool_rotate(box.spool, box.now + 1000, false));
	box_work(&box, 1000);
	ck_assert_uint_eq(box_count(&box, "ready"), 2);
	/* what is empty has no age */
	ck_assert(!spool_rotate(box.spool, box.now + 100000, false));
	ck_assert(!spool_rotate(box.spool, box.now, true));
}
END_TEST

START_TEST(without_an_age_a_segment_stays_open)
{
	box.options.rotate_age = 0;
	box_must_open(&box);
	box_fill(&box, 1);
	spool_rotate(box.spool, box.now + UINT32_MAX, false);
	box_work(&box, UINT32_MAX);
	ck_assert_uint_eq(box_count(&box, "ready"), 0);
	ck_assert_uint_eq(box_status(&box).committed, 2);
}
END_TEST

START_TEST(ids_say_segment_and_line)
{
	uint64_t segment, line, first;
	struct spool_stream *stream;

	box_must_open(&box);
	stream = spool_stream(box.spool, BOX_ACCESS);
	spool_position(stream, &first, &line);
	ck_assert_uint_eq(first, 1);
	ck_assert_uint_eq(line, 1);
	ck_assert(box_append(&box, BOX_ACCESS));
	spool_position(stream, &segment, &line);
	ck_assert_uint_eq(segment, 1);
	ck_assert_uint_eq(line, 2);
	spool_rotate(box.spool, box.now, true);
	spool_position(stream, &segment, &line);
	ck_assert_uint_eq(segment, 2);
	ck_assert_uint_eq(line, 1);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
}
END_TEST

START_TEST(many_rotations_at_once_wait_their_turn)
{
	int i;

	box.options.buffer = 1 << 20;
	box_must_open(&box);
	for (i = 0; i < 70; i++) {
		ck_assert(box_append(&box, BOX_TRAFFIC));
		spool_rotate(box.spool, box.now, true);
	}
	box_work(&box, 0);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	ck_assert_uint_ge(box_count(&box, "ready"), 64);
}
END_TEST

START_TEST(no_segment_becomes_longer_than_its_size)
{
	struct spool_status status;

	box.options.buffer = 1 << 20; /* of more segments than can be told */
	box_must_open(&box);
	while (box_append(&box, BOX_TRAFFIC))
		continue;
	ck_assert_uint_eq(spool_fill(box.spool), 100);
	box_work(&box, 200);
	ck_assert_uint_lt(spool_fill(box.spool), 10);
	ck_assert(box_append(&box, BOX_TRAFFIC));
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	status = box_status(&box);
	ck_assert_uint_ge(
	    status.files_published * (4096 + 512), status.bytes_used);
}
END_TEST

/* --- names --- */

START_TEST(the_hard_link_follows_the_live_segment)
{
	char link[256], live[256];
	struct stat a, b;
	int i;

	box_must_open(&box);
	for (i = 1; i < 5; i++) {
		box_path(&box, link, "traffic.jsonl");
		box_path(&box, live, "live/traffic/%016d.jsonl.open", i);
		ck_assert_int_eq(lstat(link, &a), 0);
		ck_assert_int_eq(lstat(live, &b), 0);
		ck_assert(S_ISREG(a.st_mode));
		ck_assert_uint_eq(a.st_ino, b.st_ino);
		box_fill(&box, 1);
		spool_rotate(box.spool, box.now, true);
		box_work(&box, 10);
	}
}
END_TEST

START_TEST(files_in_ready_have_the_documented_names)
{
	static const char *const ends[] = {".jsonl", ".jsonl.gz", ".jsonl.zst"};
	struct span instance;
	char path[256];

	box.options.compress = (enum spool_compress)_i;
	box_must_open(&box);
	instance = spool_instance(box.spool);
	ck_assert_uint_eq(instance.n, 8);
	ck_assert_uint_eq(strspn(instance.p, "0123456789abcdef"), 8);
	box_fill(&box, 1);
	box_drain(&box);
	box_path(&box, path, "ready/traffic-%.8s-0000000000000001%s",
	    instance.p, ends[_i]);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(numbers_go_on_after_everything_was_taken)
{
	uint64_t segment, line;
	int life;

	box_must_open(&box);
	for (life = 0; life < 4; life++) {
		box_fill(&box, 30);
		box_drain(&box);
		box_read(&box, true);
		spool_position(
		    spool_stream(box.spool, BOX_TRAFFIC), &segment, &line);
		box_kill(&box);
		box_must_open(&box);
		/* the empty one is taken over */
		spool_position(
		    spool_stream(box.spool, BOX_TRAFFIC), &segment, &line);
		ck_assert_uint_gt(segment, (unsigned)life + 1);
	}
	box_expect_all(&box);
}
END_TEST

START_TEST(an_idle_restart_changes_nothing)
{
	char name[256];
	size_t n;
	int life;

	box_must_open(&box);
	box_fill(&box, 30);
	box_drain(&box);
	box_path(&box, name, "live/traffic");
	for (life = 0; life < 3; life++) {
		n = box_count(&box, "ready");
		box_kill(&box);
		box_must_open(&box);
		box_drain(&box);
		ck_assert_uint_eq(box_count(&box, "ready"), n);
		ck_assert_uint_eq(box_count(&box, "live/traffic"), 1);
		ck_assert_uint_eq(box_count(&box, "quarantine"), 0);
		ck_assert(!box_told(&box, "warning"));
	}
	box_read(&box, false);
	box_expect_all(&box);
}
END_TEST

START_TEST(the_same_records_give_the_same_bytes)
{
	char *bytes[2];
	size_t n[2], i;
	char path[256];

	box.options.compress = (enum spool_compress)_i;
	box.options.rotate_size = 1 << 20;
	box.options.buffer = 1 << 20;
	for (i = 0; i < 2; i++) {
		box_must_open(&box);
		box.sent[BOX_TRAFFIC] = 0;
		while (box.sent[BOX_TRAFFIC] < 4000)
			ck_assert(box_append(&box, BOX_TRAFFIC));
		box_drain(&box);
		snprintf(path, sizeof(path),
		    "ready/traffic-%.8s-0000000000000001.jsonl%s",
		    spool_instance(box.spool).p, _i == 1 ? ".gz" : ".zst");
		bytes[i] = box_get(&box, path, &n[i]);
		box_kill(&box);
		box_path(&box, path, "rm");
		ck_assert_int_eq(
		    (snprintf(path, sizeof(path), "rm -r %s", box.directory),
			system(path)),
		    0);
	}
	ck_assert_uint_eq(n[0], n[1]);
	ck_assert_mem_eq(bytes[0], bytes[1], n[0]);
	if (_i == 1) /* no time and no name in it */
		ck_assert_mem_eq(bytes[0], "\x1f\x8b\x08\0\0\0\0\0", 8);
	free(bytes[0]);
	free(bytes[1]);
}
END_TEST

/* --- a stranger's file in ready/ --- */

START_TEST(a_file_in_the_way_is_left_alone)
{
	static const char junk[] = "not ours\n";
	char path[256];
	char *bytes;
	size_t n;

	box.options.compress = (enum spool_compress)_i;
	box.renumbered = true;
	box_must_open(&box);
	snprintf(path, sizeof(path),
	    "ready/traffic-%.8s-0000000000000001.jsonl%s",
	    spool_instance(box.spool).p, _i ? ".gz" : "");
	box_put(&box, path, junk, strlen(junk));
	box_fill(&box, 1);
	spool_rotate(box.spool, box.now, true);
	box_work(&box, 10);
	box_fill(&box, 1); /* moves the numbers on */
	box_drain(&box);
	bytes = box_get(&box, path, &n);
	ck_assert_str_eq(bytes, junk);
	free(bytes);
	ck_assert(box_told(&box, "is not ours"));
	ck_assert_int_eq((snprintf(path, sizeof(path),
			      "grep -l 'not ours' %s/ready/* | "
			      "xargs rm",
			      box.directory),
			     system(path)),
	    0);
	box_read(&box, false);
	box_expect_all(&box);
}
END_TEST

/* --- who may use it --- */

START_TEST(a_second_opener_is_refused)
{
	struct spool *first;

	box_must_open(&box);
	first = box.spool;
	ck_assert(!box_open(&box));
	ck_assert_ptr_nonnull(strstr(box.why, "in use"));
	box.spool = first;
}
END_TEST

START_TEST(a_directory_everyone_can_write_is_refused)
{
	static const char *const names[] = {
	    "", "live", "ready", "quarantine", "live/traffic"};
	char path[256];
	struct stat st;

	box_must_open(&box);
	box_kill(&box);
	box_path(&box, path, "%s", names[_i]);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(chmod(path, 01777), 0);
	ck_assert(!box_open(&box));
	ck_assert_ptr_nonnull(strstr(box.why, "writable by everyone"));
	ck_assert_int_eq(chmod(path, st.st_mode & 07777), 0);
	box_must_open(&box);
}
END_TEST

START_TEST(another_owner_is_refused)
{
	static const char *const names[] = {"", "live", "ready", "quarantine"};
	char path[256];

	if (geteuid() != 0)
		return;
	box_must_open(&box);
	box_kill(&box);
	box_path(&box, path, "%s", names[_i]);
	ck_assert_int_eq(chown(path, 1234, 0), 0);
	ck_assert(!box_open(&box));
	ck_assert_ptr_nonnull(strstr(box.why, "belongs to"));
}
END_TEST

START_TEST(a_symbolic_link_for_a_directory_is_refused)
{
	static const char *const names[] = {
	    "", "live", "ready", "quarantine", "live/traffic", "lock"};
	char path[256], aside[256];

	box_must_open(&box);
	box_kill(&box);
	box_path(&box, path, "%s", names[_i]);
	if (path[strlen(path) - 1] == '/')
		path[strlen(path) - 1] = '\0';
	snprintf(aside, sizeof(aside), "%.200s.real", path);
	ck_assert_int_eq(rename(path, aside), 0);
	ck_assert_int_eq(symlink(aside, path), 0);
	ck_assert(!box_open(&box));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rename(aside, path), 0);
	box_must_open(&box);
}
END_TEST

START_TEST(directories_have_tight_modes)
{
	static const struct {
		const char *name;
		mode_t mode;
	} want[] = {
	    {"", 0750},
	    {"live", 0750},
	    {"ready", 0770},
	    {"quarantine", 0700},
	    {"live/access", 0750},
	    {"lock", 0600},
	};
	char path[256];
	struct stat st;
	mode_t before = umask(0027);

	box_must_open(&box);
	umask(before);
	box_path(&box, path, "%s", want[_i].name);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, want[_i].mode);
}
END_TEST

START_TEST(bad_stream_names_are_refused)
{
	static const char *const names[] = {"", "Traffic", "1a", "a-b", "a/b",
	    "..", "a234567890123456789012345678901234567890"};

	box.streams[0].name = names[_i];
	ck_assert(!box_open(&box));
	ck_assert_ptr_nonnull(strstr(box.why, "stream 1"));
}
END_TEST

static bool
reload(size_t count)
{
	return spool_reload(box.spool, &box.options, box.streams, count,
	    box.now, box.why, sizeof(box.why));
}

/* --- limits --- */

static void
fill_until_stuck(void)
{
	int i;

	for (i = 0; i < 20000 && box_append(&box, BOX_TRAFFIC); i++)
		if (i % 50 == 49)
			box_work(&box, 20);
	ck_assert_int_lt(i, 20000);
}

START_TEST(a_quota_stops_and_lets_go)
{
	struct spool_status status;

	box.options.quota = 400000;
	box_must_open(&box);
	fill_until_stuck();
	box_pass(&box, 3);
	status = box_status(&box);
	ck_assert_int_eq(status.state, SPOOL_FULL);
	ck_assert_uint_le(status.bytes_used, box.options.quota);
	ck_assert(box_told(&box, "warning: full: quota"));
	box_read(&box, true);
	box_pass(&box, 3);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	ck_assert(box_told(&box, "writing again"));
	box_drain(&box);
	box_read(&box, true);
	box_expect_all(&box);
	ck_assert_uint_eq(box_status(&box).files_dropped, 0);
}
END_TEST

START_TEST(a_full_spool_is_reported_once_a_minute)
{
	const char *at;
	int told = 0;

	box.options.quota = 400000;
	box_must_open(&box);
	fill_until_stuck();
	box_pass(&box, 150);
	box_told(&box, "");
	for (at = box.reports; (at = strstr(at, "full:")); at++)
		told++;
	ck_assert_int_ge(told, 3);
	ck_assert_int_le(told, 4);
}
END_TEST

START_TEST(drop_oldest_drops_the_oldest)
{
	struct spool_status status;
	uint32_t i, lost = 0, n;

	box.options.quota = 400000;
	box.options.drop_oldest = true;
	box_must_open(&box);
	for (i = 0; i < 8000; i++) {
		ck_assert(box_append(&box, BOX_TRAFFIC));
		if (i % 50 == 49)
			box_work(&box, 20);
	}
	box_drain(&box);
	status = box_status(&box);
	ck_assert_uint_gt(status.files_dropped, 0);
	ck_assert_uint_le(status.bytes_used, box.options.quota);
	box_read(&box, false);
	n = box.sent[BOX_TRAFFIC];
	while (lost < n && !box.seen[BOX_TRAFFIC][lost])
		lost++;
	ck_assert_uint_gt(lost, 0);
	for (i = lost; i < n; i++)
		ck_assert_uint_eq(box.seen[BOX_TRAFFIC][i], 1);
}
END_TEST

/* The oldest by its time, whatever its number and place in the directory. */
START_TEST(drop_oldest_goes_by_time)
{
	enum { FILES = 40 };
	char path[256];
	int i;

	box.options.drop_oldest = true;
	box_must_open(&box);
	for (i = 1; i <= FILES; i++) {
		/* 7 and 40 have no divisor in common: each second once */
		struct timespec times[2] = {{.tv_sec = 1000 + i * 7 % FILES},
		    {.tv_sec = 1000 + i * 7 % FILES}};

		box_fill(&box, 20);
		spool_rotate(box.spool, box.now, true);
		box_drain(&box);
		box_path(&box, path, "ready/traffic-%.8s-%016d.jsonl",
		    spool_instance(box.spool).p, i);
		ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	}
	box.options.quota = box_status(&box).bytes_used * 9 / 10;
	ck_assert(reload(BOX_STREAMS));
	box_fill(&box, 20);
	box_pass(&box, 3);
	ck_assert_uint_gt(box_status(&box).files_dropped, 0);
	for (i = 1; i <= FILES; i++) {
		uint64_t gone = box_status(&box).files_dropped;

		box_path(&box, path, "ready/traffic-%.8s-%016d.jsonl",
		    spool_instance(box.spool).p, i);
		ck_assert_int_eq(
		    access(path, F_OK) == 0, (uint64_t)(i * 7 % FILES) >= gone);
	}
}
END_TEST

START_TEST(a_small_quota_still_publishes)
{
	box.options.quota = 200000;
	box.options.rotate_size = 1 << 30;
	box_must_open(&box);
	fill_until_stuck();
	ck_assert_uint_gt(box_count(&box, "ready"), 0);
}
END_TEST

/* What waits in memory is longer than the quota. */
START_TEST(a_quota_smaller_than_the_buffer_lets_go)
{
	int i;

	box.options.quota = 60000;
	box.options.rotate_size = 1 << 30;
	box.options.buffer = 1 << 20;
	box_must_open(&box);
	while (box_append(&box, BOX_TRAFFIC))
		continue;
	for (i = 0;
	     i < 100 && box_status(&box).committed < box.sent[BOX_TRAFFIC];
	     i++) {
		box_pass(&box, 3);
		box_read(&box, true);
	}
	ck_assert_int_lt(i, 100);
	box_drain(&box);
	box_read(&box, true);
	box_expect_all(&box);
}
END_TEST

START_TEST(a_file_size_limit_is_kept_clear_of)
{
	static const struct {
		rlim_t limit;
		uint64_t size; /* 0: however long */
	} with[] = {{100000, 1 << 30}, {1 << 30, 0}};
	struct rlimit before, limit;

	box.options.rotate_size = with[_i].size;
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = with[_i].limit;
	box.options.buffer = 1 << 20;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	box_must_open(&box);
	/* Check writes to a file as well: few assertions */
	while (box.sent[BOX_TRAFFIC] < 3000)
		if (!box_append(&box, BOX_TRAFFIC))
			box_work(&box, 200);
	box_drain(&box);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	box_read(&box, false);
	box_expect_all(&box);
}
END_TEST

/* --- the directory is taken away --- */

START_TEST(a_removed_spool_is_made_again)
{
	static const char *const victims[] = {
	    "", "/live", "/ready", "/live/traffic/*", "/quarantine"};
	char command[256];

	box.options.rotate_size = 1 << 20;
	box_must_open(&box);
	box_fill(&box, 100);
	snprintf(
	    command, sizeof(command), "rm -r %s%s", box.directory, victims[_i]);
	ck_assert_int_eq(system(command), 0);
	box_fill(&box, 100);
	box_pass(&box, 7);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	ck_assert(box_told(&box, "warning"));
	box_kill(&box);
	box_must_open(&box);
}
END_TEST

/* Names and ids that are given out carry our instance. */
START_TEST(another_spool_in_its_place_becomes_ours)
{
	char command[256], *bytes;
	size_t n;

	box.options.rotate_size = 1 << 20;
	box_must_open(&box);
	box_fill(&box, 100);
	snprintf(command, sizeof(command), "rm -r %s && mkdir -m 750 %s",
	    box.directory, box.directory);
	ck_assert_int_eq(system(command), 0);
	box_put(&box, "instance", "0123abcd\n", 9);
	box_pass(&box, 7);
	ck_assert(box_told(&box, "had been removed: made again"));
	bytes = box_get(&box, "instance", &n);
	ck_assert_uint_eq(n, 9);
	ck_assert_mem_eq(bytes, spool_instance(box.spool).p, 8);
	free(bytes);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
}
END_TEST

/* --- reload --- */

START_TEST(a_reload_keeps_the_segments)
{
	uint64_t before, after, line;

	box_must_open(&box);
	box_fill(&box, 3);
	spool_position(spool_stream(box.spool, 0), &before, &line);
	box.options.buffer = 1 << 18;
	ck_assert(reload(BOX_STREAMS));
	spool_position(spool_stream(box.spool, 0), &after, &line);
	ck_assert_uint_eq(before, after);
	ck_assert_uint_eq(line, 4);
	ck_assert_ptr_nonnull(
	    spool_reserve(spool_stream(box.spool, 0), 1 << 17));
	box_fill(&box, 300);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
}
END_TEST

START_TEST(a_quota_below_what_is_there_stops_until_it_is_taken)
{
	box_must_open(&box);
	box_fill(&box, 1000);
	box_drain(&box);
	box.options.quota = 60000;
	ck_assert(reload(BOX_STREAMS));
	ck_assert_uint_gt(box_status(&box).bytes_used, box.options.quota);
	ck_assert(box_append(&box, BOX_TRAFFIC));
	box_pass(&box, 3);
	ck_assert_int_eq(box_status(&box).state, SPOOL_FULL);
	box_read(&box, true);
	box_pass(&box, 3);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	box_drain(&box);
	box_read(&box, true);
	box_expect_all(&box);
}
END_TEST

START_TEST(a_stream_that_goes_is_published_and_can_come_back)
{
	char path[256];

	box_must_open(&box);
	box_fill(&box, 3);
	ck_assert(reload(1));
	ck_assert_ptr_null(spool_stream(box.spool, 1));
	box_work(&box, 10);
	ck_assert_uint_eq(box_count(&box, "ready"), 1);
	box_path(&box, path, "access.csv");
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert(reload(2));
	box_fill(&box, 3);
	ck_assert_int_eq(access(path, F_OK), 0);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
}
END_TEST

START_TEST(a_stream_that_goes_keeps_its_numbers_over_a_restart)
{
	uint64_t segment, line;

	box_must_open(&box);
	box_fill(&box, 3);
	ck_assert(reload(1));
	box_drain(&box);
	box_read(&box, true);
	box_kill(&box);
	box.spool = spool_open(
	    &box.options, box.streams, 1, box.now, NULL, NULL, box.why, 256);
	ck_assert_ptr_nonnull(box.spool);
	ck_assert(spool_drain(box.spool, box.now));
	box_kill(&box);
	box_must_open(&box);
	spool_position(spool_stream(box.spool, 1), &segment, &line);
	ck_assert_uint_eq(segment, 2);
	box_fill(&box, 3);
	box_drain(&box);
	box_read(&box, true);
	box_expect_all(&box);
}
END_TEST

START_TEST(a_new_header_begins_a_new_segment)
{
	static const char *const headers[] = {"other\r\n", ""};
	char path[256], want[64];
	char *bytes;
	size_t n;

	box_must_open(&box);
	box_fill(&box, 3);
	box.streams[BOX_ACCESS].header = span_str(headers[_i]);
	ck_assert(reload(2));
	ck_assert(box_append(&box, BOX_ACCESS));
	box_drain(&box);
	snprintf(path, sizeof(path), "ready/access-%.8s-%016d.csv",
	    spool_instance(box.spool).p, 2);
	bytes = box_get(&box, path, &n);
	snprintf(want, sizeof(want), "%s3,2-1,", headers[_i]);
	ck_assert(span_starts(span_of(bytes, n), span_str(want)));
	free(bytes);
	ck_assert_uint_eq(box_status(&box).published, 7);
}
END_TEST

START_TEST(a_new_extension_begins_a_new_segment)
{
	char path[256];
	bool empty = _i == 1;

	box_must_open(&box);
	if (!empty)
		box_fill(&box, 3);
	box.streams[BOX_TRAFFIC].extension = "raw";
	ck_assert(reload(2));
	box_fill(&box, 1);
	box_path(&box, path, "traffic.jsonl");
	ck_assert_int_ne(access(path, F_OK), 0);
	box_path(&box, path, "traffic.raw");
	ck_assert_int_eq(access(path, F_OK), 0);
	box_drain(&box);
	box_path(&box, path, "ready/traffic-%.8s-%016d.raw",
	    spool_instance(box.spool).p, 2);
	ck_assert_int_eq(access(path, F_OK), 0);
	box_read(&box, false);
	box_expect_all(&box);
	ck_assert_uint_eq(box_count(&box, "live/traffic"), 1);
}
END_TEST

START_TEST(a_bad_reload_changes_nothing)
{
	struct spool_stream_options bad[] = {
	    {"traffic", "jsonl", {NULL, 0}}, {"traffic", "jsonl", {NULL, 0}}};

	box_must_open(&box);
	box_fill(&box, 3);
	ck_assert(!spool_reload(box.spool, &box.options, bad, 2, box.now,
	    box.why, sizeof(box.why)));
	ck_assert_ptr_nonnull(strstr(box.why, "twice"));
	box_fill(&box, 3);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
}
END_TEST

START_TEST(a_reload_in_the_middle_of_compression_is_fine)
{
	box.options.compress = SPOOL_GZIP;
	box.options.rotate_size = 1 << 20;
	box.options.buffer = 1 << 20;
	box_must_open(&box);
	while (box.sent[0] < 4000)
		ck_assert(box_append(&box, BOX_TRAFFIC));
	spool_rotate(box.spool, box.now, true);
	spool_work(box.spool, box.now);
	spool_work(box.spool, box.now);
	box.options.compress = SPOOL_ZSTD;
	ck_assert(reload(2));
	box_work(&box, 10);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
}
END_TEST

START_TEST(a_bad_extension_is_refused)
{
	box.streams[BOX_TRAFFIC].extension = "a/b";
	ck_assert(!box_open(&box));
	ck_assert_ptr_nonnull(strstr(box.why, "stream 1: "));
}
END_TEST

/* A slash behind the name, and nobody who listens. */
START_TEST(a_spool_needs_no_listener)
{
	char name[80];

	snprintf(name, sizeof(name), "%s//", box.directory);
	box.options.directory = name;
	box_must_open(&box);
	box_put(&box, "live/traffic/notes", "mine", 4);
	box_kill(&box);
	box.spool = spool_open(&box.options, box.streams, BOX_STREAMS, box.now,
	    NULL, NULL, box.why, sizeof(box.why));
	ck_assert_ptr_nonnull(box.spool);
	box_fill(&box, 3);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	ck_assert(!box_told(&box, "no segments"));
}
END_TEST

START_TEST(a_directory_on_another_file_system_is_refused)
{
	char path[256];

	box_must_open(&box);
	box_kill(&box);
	box_path(&box, path, "ready");
	if (mount("tmpfs", path, "tmpfs", 0, "size=1m,mode=770") < 0)
		return; /* not root */
	ck_assert(!box_open(&box));
	ck_assert_int_eq(umount2(path, MNT_DETACH), 0);
	ck_assert_ptr_nonnull(strstr(box.why, "is on another file system"));
	box_must_open(&box);
}
END_TEST

/* Neither counts as ours, however old. */
START_TEST(drop_oldest_leaves_others_alone)
{
	char name[200] = "ready/traffic-00000000-0000000000000000.";

	memset(name + strlen(name), 'x', sizeof(name) - 1 - strlen(name));
	box.options.quota = 400000;
	box.options.drop_oldest = true;
	box_must_open(&box);
	box_put(&box, "ready/notes", "mine", 4);
	box_put(&box, name, "mine", 4);
	box_fill(&box, 100);
	box.options.min_free = UINT64_MAX / 2; /* never to be had */
	ck_assert(reload(2));
	box_pass(&box, 3);
	ck_assert_int_eq(box_status(&box).state, SPOOL_FULL);
	ck_assert(box_told(&box, "free space: "));
	ck_assert_uint_gt(box_status(&box).files_dropped, 0);
	ck_assert_uint_eq(box_count(&box, "ready"), 2);
	box.options.min_free = 0;
	ck_assert(reload(2));
	box_pass(&box, 3);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	box_drain(&box);
}
END_TEST

int
main(void)
{
	const struct box_test tests[] = {
	    {"directory", a_bad_extension_is_refused, 0, 1},
	    {"directory", a_spool_needs_no_listener, 0, 1},
	    {"directory", a_directory_on_another_file_system_is_refused, 0, 1},
	    {"limits", drop_oldest_leaves_others_alone, 0, 1},
	    {"way", every_record_is_published_once, 0, 3},
	    {"way", nothing_is_seen_before_it_is_flushed, 0, 1},
	    {"way", it_commits_after_the_interval, 0, 1},
	    {"way", a_commit_tells_of_its_first_line, 0, 1},
	    {"way", what_nobody_stamps_is_not_told, 0, 1},
	    {"way", others_are_asked_before_lines_go_to_the_disk, 0, 1},
	    {"way", it_commits_at_so_many_bytes, 0, 1},
	    {"way", the_buffer_is_free_again_after_the_commit, 0, 1},
	    {"way", more_than_the_buffer_is_never_reserved, 0, 1},
	    {"way", a_segment_is_closed_by_age, 0, 1},
	    {"way", without_an_age_a_segment_stays_open, 0, 1},
	    {"way", ids_say_segment_and_line, 0, 1},
	    {"way", many_rotations_at_once_wait_their_turn, 0, 1},
	    {"way", no_segment_becomes_longer_than_its_size, 0, 1},
	    {"names", the_hard_link_follows_the_live_segment, 0, 1},
	    {"names", files_in_ready_have_the_documented_names, 0, 3},
	    {"names", numbers_go_on_after_everything_was_taken, 0, 1},
	    {"names", an_idle_restart_changes_nothing, 0, 1},
	    {"names", the_same_records_give_the_same_bytes, 1, 3},
	    {"names", a_file_in_the_way_is_left_alone, 0, 2},
	    {"who", a_second_opener_is_refused, 0, 1},
	    {"who", a_directory_everyone_can_write_is_refused, 0, 5},
	    {"who", another_owner_is_refused, 0, 4},
	    {"who", a_symbolic_link_for_a_directory_is_refused, 0, 6},
	    {"who", directories_have_tight_modes, 0, 6},
	    {"who", bad_stream_names_are_refused, 0, 7},
	    {"limits", a_quota_stops_and_lets_go, 0, 1},
	    {"limits", a_full_spool_is_reported_once_a_minute, 0, 1},
	    {"limits", drop_oldest_drops_the_oldest, 0, 1},
	    {"limits", drop_oldest_goes_by_time, 0, 1},
	    {"limits", a_small_quota_still_publishes, 0, 1},
	    {"limits", a_quota_smaller_than_the_buffer_lets_go, 0, 1},
	    {"limits", a_file_size_limit_is_kept_clear_of, 0, 2},
	    {"removed", a_removed_spool_is_made_again, 0, 5},
	    {"removed", another_spool_in_its_place_becomes_ours, 0, 1},
	    {"reload", a_reload_keeps_the_segments, 0, 1},
	    {"reload", a_quota_below_what_is_there_stops_until_it_is_taken, 0,
		1},
	    {"reload", a_stream_that_goes_is_published_and_can_come_back, 0, 1},
	    {"reload", a_stream_that_goes_keeps_its_numbers_over_a_restart, 0,
		1},
	    {"reload", a_new_header_begins_a_new_segment, 0, 2},
	    {"reload", a_new_extension_begins_a_new_segment, 0, 2},
	    {"reload", a_bad_reload_changes_nothing, 0, 1},
	    {"reload", a_reload_in_the_middle_of_compression_is_fine, 0, 1},
	};

	return box_run("spool", tests, COUNT_OF(tests), setup, teardown);
}
