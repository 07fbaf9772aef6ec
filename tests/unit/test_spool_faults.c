/*
 * The Nth disk call fails: once, and for good. Then the fault ends, and
 * everything must come out right without a restart; or the process is killed,
 * and the next one must find all that was accepted.
 *
 * N is each call that comes about in a way of its own (the functions on the
 * stack), and of those that come about in the same way the first, the last and
 * every twelfth between; with SEPMLOG_TESTS=all it is every call.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults.h"
#include "spool/internal.h" /* MARKS */
#include "spool/names.h"
#include "spool_box.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static struct box box;

static void
setup(void)
{
}

static void
teardown(void)
{
}

static void
begin(enum spool_compress compress)
{
	box_init(&box);
	box.options.compress = compress;
	/* so that a commit falls in the middle of a page now and then */
	box.options.commit_interval = 20;
}

/* No file that had a failed sync may be published. */
static void
expect_no_poison(void)
{
	char path[256];
	struct dirent *entry;
	DIR *list;
	int fd;

	ck_assert_uint_eq(faults.misuse, 0);
	box_path(&box, path, "ready");
	list = opendir(path);
	if (!list)
		return;
	while ((entry = readdir(list))) {
		if (entry->d_name[0] == '.')
			continue;
		box_path(&box, path, "ready/%.200s", entry->d_name);
		fd = open(path, O_RDONLY);
		ck_assert_int_ge(fd, 0);
		ck_assert_msg(!faults_poisoned(fd), "%s", path);
		close(fd);
	}
	closedir(list);
}

static long last_calls; /* of the kind armed, in the scenario before */

static void
end(void)
{
	last_calls = faults.calls;
	box_clear(&box);
	faults_clear();
}

/* Records, commits, a rotation or two, and some seconds. */
static void
live(size_t rounds)
{
	size_t i, stream;

	for (i = 0; i < rounds; i++) {
		for (stream = 0; stream < BOX_STREAMS; stream++)
			box_append(&box, stream);
		box_work(&box, 7);
		if (i % 16 == 15)
			box_work(&box, 1000);
	}
	spool_rotate(box.spool, box.now, true);
	box_pass(&box, 4);
}

enum { ROUNDS = 40 };

/* What this fault does to a spool that runs; true if it was hit. */
static bool
heals(enum fault_call call, long nth, bool for_good, int error, size_t part,
    enum spool_compress compress)
{
	bool was_hit;

	begin(compress);
	faults_lossy();
	box_must_open(&box);
	faults_arm(call, nth, for_good, error, part);
	live(ROUNDS);
	expect_no_poison();
	was_hit = faults.hits > 0;
	faults_disarm();
	live(4);
	/* retries are 5 s apart, and one may find the next obstacle */
	box_pass(&box, 12);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	box_drain(&box);
	expect_no_poison();
	ck_assert_uint_eq(box_status(&box).accepted,
	    box.sent[BOX_TRAFFIC] + box.sent[BOX_ACCESS]);
	ck_assert_uint_eq(
	    box_status(&box).published, box_status(&box).accepted);
	box_read(&box, false);
	box_expect_all(&box);
	ck_assert_uint_eq(box_count(&box, "live/traffic"), 1);
	ck_assert_uint_eq(box_count(&box, "live/access"), 1);
	end();
	return was_hit;
}

/* As heals, but killed while the fault is still there. */
static bool
survives(enum fault_call call, long nth, bool for_good, int error, size_t part,
    enum spool_compress compress)
{
	uint64_t accepted;
	bool was_hit;

	begin(compress);
	box_must_open(&box);
	faults_arm(call, nth, for_good, error, part);
	live(ROUNDS);
	accepted = box_status(&box).accepted;
	box_kill(&box);
	was_hit = faults.hits > 0;
	faults_disarm();
	box_must_open(&box);
	box_drain(&box);
	expect_no_poison();
	box_read(&box, false);
	ck_assert_uint_ge(box_expect_first(&box, BOX_TRAFFIC) +
			      box_expect_first(&box, BOX_ACCESS),
	    accepted);
	end();
	return was_hit;
}

/* The fault is there when a spool with a past is opened. */
static bool
opens(enum fault_call call, long nth, bool for_good, int error, size_t part,
    enum spool_compress compress)
{
	bool was_hit;

	begin(compress);
	box_must_open(&box);
	live(10);
	box_append(&box, BOX_TRAFFIC);
	box_append(&box, BOX_ACCESS);
	spool_flush(box.spool);
	spool_work(box.spool, box.now);
	box_kill(&box);
	faults_arm(call, nth, for_good, error, part);
	if (box_open(&box))
		live(4);
	was_hit = faults.hits > 0;
	faults_disarm();
	if (!box.spool) {
		ck_assert_str_ne(box.why, "(no reason given)");
		box_must_open(&box);
	}
	live(4);
	box_pass(&box, 12);
	box_drain(&box);
	expect_no_poison();
	box_read(&box, false);
	box_expect_all(&box);
	end();
	return was_hit;
}

typedef bool scenario_fn(enum fault_call call, long nth, bool for_good,
    int error, size_t part, enum spool_compress compress);
static scenario_fn turns_ledger;

enum { STRIDE = 24 };

static bool
every_call(void)
{
	const char *tests = getenv("SEPMLOG_TESTS");

	return tests && strcmp(tests, "all") == 0;
}

/* Whether this one of `n` calls is to fail. */
static bool
is_chosen(long nth, long n)
{
	long i, before = 0, after = 0;

	for (i = 1; i <= n; i++)
		if (faults_way(i) == faults_way(nth)) {
			before += i < nth;
			after += i > nth;
		}
	return every_call() || before % STRIDE == 0 || after == 0;
}

static void
sweep(scenario_fn *scenario, enum fault_call call, bool for_good, int error,
    size_t part, enum spool_compress compress)
{
	long nth, n;

	scenario(call, FAULTS_NONE, for_good, error, part, compress);
	n = last_calls;
	/* the sweep sweeps something */
	ck_assert_msg(n > 0 || call == FAULT_TRUNCATE || call == FAULT_MKDIR ||
			  call == FAULT_LOCK || call == FAULT_READ,
	    "call %d was never made", call);
	for (nth = 1; nth <= n; nth++)
		if (is_chosen(nth, n) &&
		    !scenario(call, nth, for_good, error, part, compress))
			ck_abort_msg("call %ld of %ld was not made", nth, n);
}

static const struct {
	bool for_good;
	int error;
	enum spool_compress compress;
} ways[] = {
    {false, EIO, SPOOL_NONE},
    {false, EIO, SPOOL_GZIP},
    {false, ENOSPC, SPOOL_GZIP},
    {true, EIO, SPOOL_NONE},
    {true, EIO, SPOOL_ZSTD},
    {true, ENOSPC, SPOOL_NONE},
    {true, ENOSPC, SPOOL_GZIP},
};

START_TEST(any_call_may_fail_while_it_runs)
{
	sweep(heals, FAULT_ANY, ways[_i].for_good, ways[_i].error, 0,
	    ways[_i].compress);
}
END_TEST

START_TEST(any_call_may_fail_before_a_kill)
{
	sweep(survives, FAULT_ANY, ways[_i].for_good, ways[_i].error, 0,
	    ways[_i].compress);
}
END_TEST

START_TEST(any_call_may_fail_while_it_opens)
{
	sweep(opens, FAULT_ANY, ways[_i].for_good, ways[_i].error, 0,
	    ways[_i].compress);
}
END_TEST

/* For good, but only one kind of call: others go on and meet the result. */
START_TEST(any_kind_of_call_may_fail_for_good)
{
	enum fault_call call = (enum fault_call)_i;

	sweep(heals, call, true, EIO, 0, SPOOL_NONE);
	sweep(heals, call, true, EIO, 0, SPOOL_GZIP);
	sweep(survives, call, true, EIO, 0, SPOOL_GZIP);
}
END_TEST

static const struct {
	bool for_good;
	int error;
	size_t part;
} writes[] = {
    {false, EINTR, 0},
    {false, EINTR, 10},
    {false, ENOSPC, 1},
    {false, ENOSPC, 200},
    {false, EIO, 1},
    {false, EIO, 200},
    {true, ENOSPC, 200},
    {true, EDQUOT, 3},
    {true, EFBIG, 200},
    {true, EIO, 200},
    {true, EROFS, 0},
};

START_TEST(a_write_may_do_a_part)
{
	sweep(heals, FAULT_WRITE, writes[_i].for_good, writes[_i].error,
	    writes[_i].part, SPOOL_NONE);
	sweep(survives, FAULT_WRITE, writes[_i].for_good, writes[_i].error,
	    writes[_i].part, SPOOL_NONE);
}
END_TEST

/* Amounts that are written past the page cache, and what may come of it. */
static const struct {
	enum fault_call call;
	long nth;
	bool for_good;
	int error;
	size_t part;
} large[] = {
    {FAULT_WRITE, 0, false, 0, 0},
    {FAULT_DIRECT, 1, true, EINVAL, 0},
    {FAULT_WRITE, 1, false, EIO, 4096},
    {FAULT_WRITE, 2, false, EINVAL, 0},
    {FAULT_WRITE, 2, false, EINVAL, 8192},
    {FAULT_WRITE, 2, false, EIO, 8192},
    {FAULT_WRITE, 2, true, ENOSPC, 1 << 20},
    {FAULT_WRITE, 3, true, ENOSPC, 100},
    {FAULT_DATASYNC, 2, false, EIO, 0},
};

START_TEST(large_amounts_may_fail_in_part)
{
	long before = faults.direct;

	begin(SPOOL_NONE);
	box.options.buffer = 4 << 20;
	box.options.rotate_size = 3 << 19;
	box_must_open(&box);
	faults_arm(large[_i].call, large[_i].nth, large[_i].for_good,
	    large[_i].error, large[_i].part);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 8000; i++)
			ck_assert(box_append(&box, BOX_TRAFFIC));
		box_work(&box, 50);
		box_work(&box, 50);
	}
	ck_assert(large[_i].nth == 0 || faults.hits > 0);
	ck_assert_int_gt(faults.direct, before);
	faults_disarm();
	box_pass(&box, 12);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	box_drain(&box);
	expect_no_poison();
	box_read(&box, false);
	box_expect_all(&box);
	end();
}
END_TEST

/* The whole file that readers of the live segment see. */
static void
expect_whole_lines(void)
{
	static const char *const links[] = {"traffic.jsonl", "access.csv"};
	size_t i, n;
	char *bytes;

	for (i = 0; i < COUNT_OF(links); i++) {
		bytes = box_get(&box, links[i], &n);
		ck_assert(n == 0 || bytes[n - 1] == '\n');
		free(bytes);
	}
}

START_TEST(no_part_of_a_line_stays_on_a_full_disk)
{
	size_t part;

	for (part = 1; part < 700; part += 3) {
		begin(SPOOL_NONE);
		box_must_open(&box);
		box_fill(&box, 3);
		faults_arm(FAULT_WRITE, 1, true, ENOSPC, part);
		live(3);
		ck_assert_int_gt(faults.hits, 0);
		ck_assert_int_eq(box_status(&box).state, SPOOL_FULL);
		expect_whole_lines();
		faults_disarm();
		box_pass(&box, 2);
		ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
		box_drain(&box);
		box_read(&box, false);
		box_expect_all(&box);
		end();
	}
}
END_TEST

/* A part was written, and cannot be taken back. */
START_TEST(a_part_that_stays_is_answered_with_a_new_file)
{
	bool told = false;
	long nth;

	for (nth = 1; nth < 20; nth++) {
		begin(SPOOL_NONE);
		box_must_open(&box);
		box_fill(&box, 3);
		faults_arm(FAULT_ANY, nth, true, ENOSPC, 30);
		box_append(&box, BOX_TRAFFIC);
		box_work(&box, 1);
		told = told || box_told(&box, "ftruncate");
		faults_disarm();
		box_pass(&box, 12);
		ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
		expect_whole_lines();
		box_drain(&box);
		expect_no_poison();
		box_read(&box, false);
		box_expect_all(&box);
		end();
	}
	ck_assert(told);
}
END_TEST

START_TEST(a_failed_sync_is_answered_with_a_new_file)
{
	struct spool_status status;

	begin(SPOOL_NONE);
	faults_lossy();
	box.options.rotate_size = 1 << 20;
	box_must_open(&box);
	box_fill(&box, 50);
	box_work(&box, 100);
	box_fill(&box, 50);
	faults_arm(FAULT_DATASYNC, 1, true, EIO, 0);
	box_work(&box, 100);
	status = box_status(&box);
	ck_assert_int_eq(status.state, SPOOL_DISK_ERROR);
	ck_assert_int_eq(status.error, EIO);
	ck_assert(box_told(&box, "disk error"));
	/* a new file every 5 s and stream, and no other sync */
	faults.hits = 0;
	box_pass(&box, 20);
	ck_assert_int_eq(faults.hits, 2 * 20 / 5);
	ck_assert_uint_eq(box_status(&box).committed, status.committed);
	faults_disarm();
	box_pass(&box, 6);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	ck_assert(box_told(&box, "writing again"));
	box_drain(&box);
	expect_no_poison();
	box_read(&box, false);
	box_expect_all(&box);
	end();
}
END_TEST

START_TEST(a_lying_disk_is_caught_at_the_next_start)
{
	char *bytes;
	size_t n;

	/* killed after a failed sync, before the rewrite: what the page cache
	 * shows is whole, but the file must not be published as it is */
	begin(SPOOL_NONE);
	box_must_open(&box);
	box_fill(&box, 5);
	faults_arm(FAULT_DATASYNC, 1, true, EIO, 0);
	box_work(&box, 100);
	box_kill(&box);
	faults_disarm();
	bytes = box_get(&box, "live/traffic/0000000000000001.jsonl.open", &n);
	ck_assert_uint_gt(n, 0);
	free(bytes);
	box_must_open(&box);
	box_drain(&box);
	expect_no_poison();
	box_read(&box, false);
	box_expect_all(&box);
	end();
}
END_TEST

START_TEST(without_hard_links_it_works_and_says_so)
{
	char path[256];

	begin(SPOOL_NONE);
	faults_arm(FAULT_LINK, 1, true, EPERM, 0);
	box_must_open(&box);
	live(10);
	box_pass(&box, 10);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	ck_assert(box_told(&box, "no hard link"));
	box_path(&box, path, "traffic.jsonl");
	ck_assert_int_ne(access(path, F_OK), 0);
	faults_disarm();
	box_pass(&box, 2);
	ck_assert_int_eq(access(path, F_OK), 0);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	end();
}
END_TEST

START_TEST(without_rename_noreplace_links_do)
{
	begin((enum spool_compress)_i);
	box_must_open(&box);
	faults_arm(FAULT_RENAME, 1, true, EINVAL, 0);
	live(40);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	end();
}
END_TEST

START_TEST(memory_may_run_out)
{
	int error = ENOMEM;

	sweep(opens, FAULT_MEMORY, false, error, 0, SPOOL_GZIP);
	sweep(heals, FAULT_MEMORY, _i, error, 0, SPOOL_GZIP);
}
END_TEST

START_TEST(the_heap_may_run_out)
{
	sweep(opens, FAULT_HEAP, _i, ENOMEM, 0, SPOOL_NONE);
	sweep(turns_ledger, FAULT_HEAP, _i, ENOMEM, 0, SPOOL_NONE);
}
END_TEST

/* A real, small file system, filled by someone else and freed again. */
START_TEST(a_full_tmpfs_heals)
{
	char path[256];
	static char junk[1 << 16];
	FILE *filler;
	uint32_t sent;

	begin((enum spool_compress)_i);
	ck_assert_int_eq(mkdir(box.directory, 0750), 0);
	if (mount("tmpfs", box.directory, "tmpfs", 0, "size=8m,mode=750") < 0) {
		end();
		return; /* not root */
	}
	box.options.rotate_size = 1 << 20;
	box.options.buffer = 1 << 18;
	box_must_open(&box);
	box_fill(&box, 20);
	box_path(&box, path, "filler");
	filler = fopen(path, "wb");
	ck_assert_ptr_nonnull(filler);
	while (fwrite(junk, 1, sizeof(junk), filler) == sizeof(junk))
		continue;
	fclose(filler);
	while (box_append(&box, BOX_TRAFFIC))
		if (box.sent[BOX_TRAFFIC] % 10 == 0)
			box_work(&box, 50);
	sent = box.sent[BOX_TRAFFIC];
	box_pass(&box, 5);
	ck_assert_int_eq(box_status(&box).state, SPOOL_FULL);
	ck_assert(!box_append(&box, BOX_TRAFFIC));
	expect_whole_lines();
	ck_assert_int_eq(unlink(path), 0);
	box_pass(&box, 2);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	ck_assert_uint_ge(box_status(&box).accepted, sent);
	box_fill(&box, 20);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	box_kill(&box);
	ck_assert_int_eq(umount2(box.directory, MNT_DETACH), 0);
	end();
}
END_TEST

/* --- as above, but what is found at the start --- */

/* Nothing is there yet. */
static bool
begins(enum fault_call call, long nth, bool for_good, int error, size_t part,
    enum spool_compress compress)
{
	bool was_hit;

	begin(compress);
	faults_arm(call, nth, for_good, error, part);
	if (box_open(&box))
		live(4);
	was_hit = faults.hits > 0;
	faults_disarm();
	if (!box.spool) {
		ck_assert_str_ne(box.why, "(no reason given)");
		box_must_open(&box);
	}
	live(4);
	box_pass(&box, 12);
	box_drain(&box);
	expect_no_poison();
	box_read(&box, false);
	box_expect_all(&box);
	end();
	return was_hit;
}

static bool copies; /* there are no hard links */
static scenario_fn salvages;

/* What was written last ends in the middle of a record. */
static bool
salvages_by_copy(enum fault_call call, long nth, bool for_good, int error,
    size_t part, enum spool_compress compress)
{
	bool was_hit;

	copies = true;
	was_hit = salvages(call, nth, for_good, error, part, compress);
	copies = false;
	return was_hit;
}

static bool
salvages(enum fault_call call, long nth, bool for_good, int error, size_t part,
    enum spool_compress compress)
{
	char path[256], junk[128];
	bool was_hit;
	size_t kept;
	FILE *out;

	begin(compress);
	box_must_open(&box);
	box_fill(&box, 3);
	box_work(&box, 100);
	snprintf(junk, sizeof(junk),
	    "ledger/ledger-%.8s-0000000000000009.jsonl",
	    spool_instance(box.spool).p);
	box_kill(&box);
	box_path(&box, path, "live/traffic/0000000000000001.jsonl.open");
	out = fopen(path, "ab");
	ck_assert_ptr_nonnull(out);
	fputs("{\"number\":", out);
	ck_assert_int_eq(fclose(out), 0);
	/* a file of the ledger without a line */
	box_put(&box, junk, "{", 1);
	/* a stream that is not configured, and had nothing */
	box_path(&box, path, "live/guest");
	ck_assert_int_eq(mkdir(path, 0750), 0);
	/* and one that holds no record at all */
	box_put(&box, "live/access/0000000000000002.csv.open", BOX_HEADER "1,",
	    sizeof(BOX_HEADER "1,") - 1);
	if (copies)
		faults_linkless();
	faults_arm(call, nth, for_good, error, part);
	if (box_open(&box))
		live(4);
	was_hit = faults.hits > 0;
	faults_disarm();
	if (!box.spool)
		box_must_open(&box);
	live(4);
	box_pass(&box, 12);
	box_drain(&box);
	expect_no_poison();
	/* of a copy, unlike a link, a second attempt cannot tell that it is the
	 * same: it makes another */
	kept = box_count(&box, "quarantine");
	ck_assert(kept == 2 || (copies && kept == 3));
	box_ledger(&box, 0);
	ck_assert_uint_eq(box_count(&box, "live/access"), 1);
	box_read(&box, false);
	box_expect_all(&box);
	end();
	return was_hit;
}

/* A segment stands in ready/ and in live/: published, but not yet removed. */
static bool
stands_twice(enum fault_call call, long nth, bool for_good, int error,
    size_t part, enum spool_compress compress)
{
	const char *live_name = "live/traffic/0000000000000001.jsonl.open";
	bool was_hit;
	char *bytes;
	size_t n;

	begin(compress);
	box_must_open(&box);
	box_fill(&box, 3);
	box_work(&box, 100);
	bytes = box_get(&box, live_name, &n);
	box_drain(&box);
	box_kill(&box);
	box_put(&box, live_name, bytes, n);
	free(bytes);
	faults_arm(call, nth, for_good, error, part);
	if (box_open(&box))
		box_pass(&box, 6);
	was_hit = faults.hits > 0;
	faults_disarm();
	if (!box.spool)
		box_must_open(&box);
	box_pass(&box, 12);
	box_drain(&box);
	box_kill(&box);
	box_must_open(&box); /* removes what is left of temporaries */
	box_drain(&box);
	ck_assert_uint_eq(box_count(&box, "live/traffic"), 1);
	ck_assert(!box_told(&box, "is not ours"));
	box_read(&box, false);
	box_expect_all(&box);
	end();
	return was_hit;
}

/* The name in ready/ is another's, and that of the next segment too. */
static bool
is_in_the_way(enum fault_call call, long nth, bool for_good, int error,
    size_t part, enum spool_compress compress)
{
	static const char other[] = "{\"not\":\"ours\"}\n";
	char path[256], alien[128];
	bool was_hit;

	begin(compress);
	box.renumbered = true;
	box_must_open(&box);
	box_fill(&box, 3);
	snprintf(alien, sizeof(alien), "ready/traffic-%.8s-0000000000000001.%s",
	    spool_instance(box.spool).p,
	    compress == SPOOL_NONE ? "jsonl" : "jsonl.gz");
	box_put(&box, alien, other, sizeof(other) - 1);
	box_put(&box, "live/access/0000000000000002.csv.open", "x", 1);
	faults_arm(call, nth, for_good, error, part);
	spool_rotate(box.spool, box.now, true);
	box_pass(&box, 3);
	was_hit = faults.hits > 0;
	faults_disarm();
	box_pass(&box, 12);
	live(4); /* it waits for a segment with a higher number */
	box_drain(&box);
	box_path(&box, path, "%s", alien);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_uint_eq(box_count(&box, "quarantine"), 1);
	box_read(&box, false);
	box_expect_all(&box);
	end();
	return was_hit;
}

START_TEST(any_call_may_fail_where_a_name_is_taken)
{
	sweep(is_in_the_way, FAULT_ANY, ways[_i].for_good, ways[_i].error, 0,
	    ways[_i].compress);
}
END_TEST

START_TEST(a_hundred_originals_of_one_name_are_enough)
{
	char name[128], path[256], instance[SPOOL_INSTANCE + 1];
	FILE *out;
	int i;

	begin(SPOOL_NONE);
	box_must_open(&box);
	box_fill(&box, 3);
	box_work(&box, 100);
	snprintf(
	    instance, sizeof(instance), "%.8s", spool_instance(box.spool).p);
	box_kill(&box);
	box_path(&box, path, "live/traffic/0000000000000001.jsonl.open");
	out = fopen(path, "ab");
	ck_assert_ptr_nonnull(out);
	fputs("{\"number\":", out);
	ck_assert_int_eq(fclose(out), 0);
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name),
		    i ? "quarantine/traffic-%s-0000000000000001.jsonl.%d"
		      : "quarantine/traffic-%s-0000000000000001.jsonl",
		    instance, i);
		box_put(&box, name, "x", 1);
	}
	box_must_open(&box);
	ck_assert_int_eq(box_status(&box).state, SPOOL_DISK_ERROR);
	ck_assert(box_told(&box, "recovering: File exists"));
	box_path(&box, path, "%s", name);
	ck_assert_int_eq(unlink(path), 0);
	box_pass(&box, 12);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	ck_assert_uint_eq(box_count(&box, "quarantine"), 100);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	end();
}
END_TEST

START_TEST(any_call_may_fail_at_the_first_start)
{
	sweep(begins, FAULT_ANY, ways[_i].for_good, ways[_i].error, 0,
	    ways[_i].compress);
}
END_TEST

START_TEST(any_call_may_fail_at_a_salvage)
{
	sweep(salvages, FAULT_ANY, ways[_i].for_good, ways[_i].error, 0,
	    ways[_i].compress);
	sweep(salvages_by_copy, FAULT_ANY, ways[_i].for_good, ways[_i].error, 0,
	    ways[_i].compress);
	sweep(salvages, FAULT_LINK, ways[_i].for_good, EPERM, 0,
	    ways[_i].compress);
}
END_TEST

START_TEST(any_call_may_fail_where_a_segment_stands_twice)
{
	sweep(stands_twice, FAULT_ANY, ways[_i].for_good, ways[_i].error, 0,
	    ways[_i].compress);
}
END_TEST

/* Answers that are no faults, or not of the disk. */
static const struct {
	scenario_fn *scenario;
	enum fault_call call;
	int error;
} answers[] = {
    {heals, FAULT_READ, EINTR},
    {opens, FAULT_READ, EINTR},
    {heals, FAULT_WRITE, 0},       /* nothing was written */
    {heals, FAULT_RENAME, EEXIST}, /* gone when looked at */
    {heals, FAULT_RENAME, ENOSYS},
    {opens, FAULT_LOCK, EACCES},
    {opens, FAULT_LOCK, ENOLCK},
};

START_TEST(other_answers_are_understood)
{
	sweep(answers[_i].scenario, answers[_i].call, false, answers[_i].error,
	    0, SPOOL_NONE);
	sweep(answers[_i].scenario, answers[_i].call, false, answers[_i].error,
	    0, SPOOL_GZIP);
}
END_TEST

/* --- what someone else does --- */

/* Proven at the start, but shorter when it is to be published. */
START_TEST(a_segment_that_became_shorter_is_not_published)
{
	char path[256];

	begin(_i ? SPOOL_GZIP : SPOOL_NONE);
	if (_i)
		box.options.ledger.size = 0;
	box_must_open(&box);
	box_fill(&box, 3);
	box_work(&box, 100);
	box_kill(&box);
	box_must_open(&box);
	box_path(&box, path, "live/traffic/0000000000000001.jsonl.open");
	ck_assert_int_eq(truncate(path, 10), 0);
	box_pass(&box, 12);
	ck_assert_int_eq(box_status(&box).state, SPOOL_DISK_ERROR);
	ck_assert_int_eq(box_status(&box).error, EIO);
	/* that of the other stream is; the next start sets this one aside */
	ck_assert_uint_eq(box_count(&box, "ready"), 1);
	box_kill(&box);
	box_must_open(&box);
	box_drain(&box);
	ck_assert_uint_eq(box_count(&box, "ready"), 1);
	ck_assert_uint_eq(box_count(&box, "quarantine"), 1);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	end();
}
END_TEST

/* Records in a segment that cannot be recovered yet. */
static void
leave_unproven(void)
{
	begin(SPOOL_NONE);
	box_must_open(&box);
	box_fill(&box, 3);
	box_work(&box, 100);
	box_kill(&box);
	faults_arm(FAULT_READ, 3, true, EIO, 0); /* behind `instance` */
	box_must_open(&box);
	ck_assert_int_gt(faults.hits, 0);
	faults_disarm();
}

START_TEST(a_segment_removed_before_it_is_recovered_is_told)
{
	char path[256];
	char *bytes;
	size_t n;

	leave_unproven();
	box_path(&box, path, "live/traffic/0000000000000001.jsonl.open");
	ck_assert_int_eq(unlink(path), 0);
	box_pass(&box, 12);
	box_drain(&box);
	box_path(&box, path, "ledger/ledger-%.8s-0000000000000001.jsonl",
	    spool_instance(box.spool).p);
	bytes = box_get(&box, path + strlen(box.directory) + 1, &n);
	ck_assert_ptr_nonnull(
	    strstr(bytes, "\"reason\":\"removed before it was published\""));
	free(bytes);
	ck_assert_uint_eq(box_count(&box, "ready"), 1);
	end();
}
END_TEST

START_TEST(a_segment_removed_before_it_is_published_is_told)
{
	char path[256];

	begin(SPOOL_NONE);
	box_must_open(&box);
	box_fill(&box, 3);
	faults_arm(FAULT_RENAME, 1, true, EIO, 0);
	spool_rotate(box.spool, box.now, true);
	box_work(&box, 200);
	ck_assert_int_gt(faults.hits, 0);
	faults_disarm();
	box_path(&box, path, "live/traffic/0000000000000001.jsonl.open");
	ck_assert_int_eq(unlink(path), 0);
	box_pass(&box, 12);
	ck_assert(box_told(&box, "someone removed it before"));
	box_drain(&box);
	ck_assert_uint_eq(box_count(&box, "ready"), 1);
	end();
}
END_TEST

/* Which open fails depends on much: the one of the file left is found. */
START_TEST(a_segment_that_cannot_be_read_is_set_aside)
{
	bool told = false;
	long nth;

	for (nth = 1; !told; nth++) {
		begin(SPOOL_NONE);
		box_must_open(&box);
		box_fill(&box, 3);
		box_work(&box, 100);
		box_kill(&box);
		faults_arm(FAULT_OPEN, nth, false, EACCES, 0);
		if (box_open(&box)) {
			ck_assert_int_gt(faults.hits, 0);
			told = box_told(&box, "cannot be read; moved to");
			faults_disarm();
			box_pass(&box, 12);
			box_drain(&box);
		}
		faults_disarm();
		if (told)
			ck_assert_uint_eq(box_count(&box, "quarantine"), 1);
		end();
	}
}
END_TEST

START_TEST(what_cannot_be_set_aside_stays_and_is_told)
{
	char path[256];

	begin(SPOOL_NONE);
	box_must_open(&box);
	box_kill(&box);
	box_path(&box, path, "live/traffic/0000000000000007.jsonl.open");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	faults_arm(FAULT_RENAME, 1, true, EACCES, 0);
	box_must_open(&box);
	ck_assert(box_told(&box, "it cannot be moved to quarantine/"));
	ck_assert_int_eq(access(path, F_OK), 0);
	faults_disarm();
	box_pass(&box, 12);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_uint_eq(box_count(&box, "quarantine"), 1);
	end();
}
END_TEST

START_TEST(a_removed_directory_is_made_again_when_the_disk_lets_it)
{
	char path[256];

	begin(SPOOL_NONE);
	box_must_open(&box);
	box_fill(&box, 3);
	box_path(&box, path, "quarantine");
	ck_assert_int_eq(rmdir(path), 0);
	/* that of the spool itself, or that of quarantine/ */
	faults_arm(FAULT_MKDIR, _i, true, EACCES, 0);
	box_pass(&box, 3);
	ck_assert_int_gt(faults.hits, 0);
	ck_assert_int_ne(access(path, F_OK), 0);
	/* the lock is still ours */
	ck_assert_ptr_null(spool_open(&box.options, box.streams, BOX_STREAMS,
	    box.now, NULL, NULL, box.why, sizeof(box.why)));
	faults_disarm();
	ck_assert_ptr_null(spool_open(&box.options, box.streams, BOX_STREAMS,
	    box.now, NULL, NULL, box.why, sizeof(box.why)));
	ck_assert_ptr_nonnull(strstr(box.why, "in use by another process"));
	box_pass(&box, 3);
	ck_assert_int_eq(access(path, F_OK), 0);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	end();
}
END_TEST

START_TEST(a_stream_directory_is_made_again_when_the_disk_lets_it)
{
	char command[256];

	begin(SPOOL_NONE);
	box.options.rotate_size = 1 << 20;
	box_must_open(&box);
	box_fill(&box, 3);
	snprintf(
	    command, sizeof(command), "rm -r %s/live/traffic", box.directory);
	ck_assert_int_eq(system(command), 0);
	faults_arm(FAULT_MKDIR, 1 + 5, true, EACCES, 0);
	box_pass(&box, 3);
	ck_assert_int_gt(faults.hits, 0);
	faults_disarm();
	box_pass(&box, 12);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	end();
}
END_TEST

/* --- limits --- */

static void
fill_until_stuck(void)
{
	int i;

	for (i = 0; i < 20000 && box_append(&box, BOX_TRAFFIC); i++)
		if (i % 50 == 49)
			box_work(&box, 20);
}

START_TEST(what_cannot_be_dropped_makes_no_room)
{
	begin(SPOOL_NONE);
	box.options.quota = 400000;
	box.options.drop_oldest = true;
	box_must_open(&box);
	box_fill(&box, 100);
	box_work(&box, 200);
	faults_arm((enum fault_call)_i, 1, true, EIO, 0);
	fill_until_stuck();
	box_pass(&box, 3);
	ck_assert_int_gt(faults.hits, 0);
	ck_assert_uint_eq(box_status(&box).files_dropped, 0);
	faults_disarm();
	box_pass(&box, 12);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	ck_assert_uint_gt(box_status(&box).files_dropped, 0);
	box_drain(&box);
	end();
}
END_TEST

START_TEST(a_user_quota_lets_old_files_go_one_at_a_time)
{
	begin(SPOOL_NONE);
	box.options.drop_oldest = true;
	box_must_open(&box);
	box_fill(&box, 200);
	box_work(&box, 200);
	ck_assert_uint_gt(box_count(&box, "ready"), 5);
	faults_arm(FAULT_WRITE, 1, false, EDQUOT, 0);
	ck_assert(box_append(&box, BOX_TRAFFIC));
	box_pass(&box, 3);
	ck_assert_int_eq(faults.hits, 1);
	ck_assert_uint_eq(box_status(&box).files_dropped, 1);
	faults_disarm();
	box_pass(&box, 12);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	box_drain(&box);
	end();
}
END_TEST

START_TEST(without_inodes_it_is_full)
{
	char path[256];
	int i, fd;

	begin(SPOOL_NONE);
	ck_assert_int_eq(mkdir(box.directory, 0750), 0);
	if (mount("tmpfs", box.directory, "tmpfs", 0,
		"size=8m,nr_inodes=200,mode=750") < 0) {
		end();
		return; /* not root */
	}
	box_must_open(&box);
	box_fill(&box, 3);
	for (i = 0; i < 130; i++) {
		box_path(&box, path, "filler%d", i);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		ck_assert_int_ge(fd, 0);
		close(fd);
	}
	box_pass(&box, 3);
	ck_assert_int_eq(box_status(&box).state, SPOOL_FULL);
	ck_assert(box_told(&box, "warning: full: inodes: "));
	for (i = 0; i < 130; i++) {
		box_path(&box, path, "filler%d", i);
		ck_assert_int_eq(unlink(path), 0);
	}
	box_pass(&box, 3);
	ck_assert_int_eq(box_status(&box).state, SPOOL_OK);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	box_kill(&box);
	ck_assert_int_eq(umount2(box.directory, MNT_DETACH), 0);
	end();
}
END_TEST

/* --- the ledger --- */

START_TEST(a_ledger_that_takes_no_lines_keeps_what_it_can)
{
	struct ledger_text line;
	static char text[6000];
	bool added = true;
	int i;

	begin(SPOOL_NONE);
	box_must_open(&box);
	box_fill(&box, 3);
	box_work(&box, 200);
	memset(text, 'x', sizeof(text));
	faults_arm((enum fault_call)_i, 1, true, ENOSPC, 0);
	for (i = 0; i < 100 && added; i++) {
		ledger_begin(&line, "test", 0);
		ledger_put_text(&line, "text", span_of(text, sizeof(text)));
		added = spool_ledger_add(box.spool, &line);
	}
	ck_assert(!added);
	ck_assert_int_ge(i, 10); /* 64 KiB of them */
	do
		ledger_begin(&line, "t", 0);
	while (spool_ledger_add(box.spool, &line));
	/* and files wait for it */
	spool_rotate(box.spool, box.now, true);
	box_pass(&box, 3);
	ck_assert_uint_eq(box_count(&box, "ready"), 0);
	faults_disarm();
	box_pass(&box, 12);
	ck_assert(spool_ledger_add(box.spool, &line));
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	end();
}
END_TEST

/* More than is written at once. */
START_TEST(many_short_lines_may_fail_in_part)
{
	struct ledger_text line;
	int i;

	begin(SPOOL_NONE);
	box_must_open(&box);
	for (i = 0; i < 1100; i++) {
		ledger_begin(&line, "t", 0);
		ck_assert(spool_ledger_add(box.spool, &line));
	}
	faults_arm(FAULT_WRITE, _i, false, EIO, 0);
	ck_assert(!spool_ledger_flush(box.spool));
	ck_assert_int_eq(faults.hits, 1);
	faults_disarm();
	ck_assert(spool_ledger_flush(box.spool));
	box_drain(&box);
	box_ledger(&box, 0);
	end();
}
END_TEST

/* The file of the day before, and one that has to go for it. */
static bool
turns_ledger(enum fault_call call, long nth, bool for_good, int error,
    size_t part, enum spool_compress compress)
{
	const int64_t day_us = INT64_C(86400) * 1000000;
	bool was_hit;
	int day;

	begin(compress);
	box_must_open(&box);
	box_fill(&box, 1);
	box_drain(&box);
	box_read(&box, true);
	box.options.ledger.size = 1;
	ck_assert(spool_reload(box.spool, &box.options, box.streams,
	    BOX_STREAMS, box.now, box.why, sizeof(box.why)));
	faults_arm(call, nth, for_good, error, part);
	for (day = 1; day < 3; day++) {
		spool_set_time(box.spool, day * day_us);
		live(1);
	}
	was_hit = faults.hits > 0;
	faults_disarm();
	box_pass(&box, 12);
	box_drain(&box);
	/* in a file that is not removed yet, or else read before */
	box.options.ledger.size = 0;
	box_read(&box, false);
	box_expect_all(&box);
	box_ledger(&box, 0);
	end();
	return was_hit;
}

START_TEST(any_call_may_fail_while_the_ledger_turns)
{
	sweep(turns_ledger, FAULT_ANY, ways[_i].for_good, ways[_i].error, 0,
	    ways[_i].compress);
}
END_TEST

/* --- reload and end --- */

START_TEST(what_is_not_drained_is_there_at_the_next_start)
{
	begin(SPOOL_NONE);
	box_must_open(&box);
	box_fill(&box, 3);
	box_append(&box, BOX_TRAFFIC);
	spool_flush(box.spool);
	spool_work(box.spool, box.now);
	faults_arm((enum fault_call)_i, 1, true, EIO, 0);
	ck_assert(!spool_drain(box.spool, box.now));
	ck_assert_int_gt(faults.hits, 0);
	box_kill(&box);
	faults_disarm();
	box_must_open(&box);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	end();
}
END_TEST

static bool
reload(size_t count)
{
	return spool_reload(box.spool, &box.options, box.streams, count,
	    box.now, box.why, sizeof(box.why));
}

/* Its line was written, but the file did not get that name. */
START_TEST(a_segment_that_gets_another_name_has_a_line_of_that)
{
	char name[160], below[96];
	char *lines;
	size_t n;

	begin(SPOOL_NONE);
	box_must_open(&box);
	faults_arm(FAULT_RENAME, 1, true, EIO, 0);
	ck_assert(box_append(&box, BOX_TRAFFIC));
	spool_rotate(box.spool, box.now, true);
	box_work(&box, 50);
	ck_assert_int_gt(faults.hits, 0);
	ck_assert_uint_eq(box_count(&box, "ready"), 0);
	faults_disarm();
	box.options.compress = SPOOL_GZIP;
	ck_assert(reload(BOX_STREAMS));
	box_pass(&box, 12);
	box_drain(&box);
	snprintf(below, sizeof(below), "ledger/ledger-%.8s-%016u.jsonl",
	    spool_instance(box.spool).p, 1U);
	lines = box_get(&box, below, &n);
	snprintf(name, sizeof(name), "\"name\":\"traffic-%.8s-%016u.jsonl.gz\"",
	    spool_instance(box.spool).p, 1U);
	ck_assert_uint_eq(box_count(&box, "ready"), 1);
	ck_assert_ptr_nonnull(strstr(lines, name));
	free(lines);
	box_read(&box, false);
	box_expect_all(&box);
	end();
}
END_TEST

START_TEST(a_reload_is_refused_while_the_disk_is_far_behind)
{
	int i;

	begin(SPOOL_NONE);
	box_must_open(&box);
	faults_arm(FAULT_OPEN, 1, true, EIO, 0);
	for (i = 0; i < MARKS + 10; i++) {
		ck_assert(box_append(&box, BOX_TRAFFIC));
		spool_rotate(box.spool, box.now, true);
		box_work(&box, 50);
	}
	ck_assert(!reload(BOX_STREAMS));
	ck_assert_ptr_nonnull(strstr(box.why, "too far behind"));
	faults_disarm();
	box_pass(&box, 12);
	ck_assert(reload(BOX_STREAMS));
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	end();
}
END_TEST

START_TEST(a_stream_far_behind_does_not_change_when_it_comes_back)
{
	bool refused = false;
	int i, n;

	/* the queue of its segments is full only with its last one */
	for (n = MARKS - 2; n < MARKS + 2 && !refused; n++) {
		begin(SPOOL_NONE);
		box_must_open(&box);
		faults_arm(FAULT_OPEN, 1, true, EIO, 0);
		for (i = 0; i < n; i++) {
			ck_assert(box_append(&box, BOX_ACCESS));
			spool_rotate(box.spool, box.now, true);
			box_work(&box, 50);
		}
		ck_assert(box_append(&box, BOX_ACCESS));
		box.streams[BOX_ACCESS].extension = "raw";
		if (reload(BOX_STREAMS - 1))
			refused = !reload(BOX_STREAMS);
		if (refused)
			ck_assert_ptr_nonnull(strstr(box.why,
			    "stream access: the disk is too far behind"));
		faults_disarm();
		box.streams[BOX_ACCESS].extension = "csv";
		box_pass(&box, 12);
		ck_assert(reload(BOX_STREAMS));
		box_drain(&box);
		box_read(&box, false);
		box_expect_all(&box);
		end();
	}
	ck_assert(refused);
}
END_TEST

/* A stream goes and another comes, as far as memory and disk let it. */
START_TEST(a_reload_that_fails_changes_nothing)
{
	static const struct {
		enum fault_call call;
		int error;
	} fails[] = {{FAULT_MEMORY, ENOMEM}, {FAULT_HEAP, ENOMEM},
	    {FAULT_OPEN, EMFILE}, {FAULT_READDIR, EIO}, {FAULT_STAT, EIO},
	    {FAULT_MKDIR, EACCES}};
	bool was_hit = true, done;
	int refused = 0;
	long nth;

	for (nth = 1; was_hit; nth++) {
		begin(SPOOL_NONE);
		box_must_open(&box);
		box_fill(&box, 3);
		box_work(&box, 100);
		box.streams[BOX_ACCESS].name = "other";
		faults_arm(fails[_i].call, nth, false, fails[_i].error, 0);
		done = reload(BOX_STREAMS);
		was_hit = faults.hits > 0;
		faults_disarm();
		box.streams[BOX_ACCESS].name = "access";
		if (!done) {
			refused++;
			ck_assert_str_ne(box.why, "(no reason given)");
			box_fill(&box, 3);
		} else {
			ck_assert(reload(BOX_STREAMS));
		}
		box_pass(&box, 12);
		box_drain(&box);
		box_read(&box, false);
		box_expect_all(&box);
		end();
	}
	ck_assert_int_gt(refused, 0);
}
END_TEST

int
main(void)
{
	const struct box_test tests[] = {
	    {"any", any_call_may_fail_while_it_runs, 0, COUNT_OF(ways)},
	    {"any", any_call_may_fail_before_a_kill, 0, COUNT_OF(ways)},
	    {"any", any_call_may_fail_while_it_opens, 0, COUNT_OF(ways)},
	    {"first", any_call_may_fail_at_the_first_start, 0, 2},
	    {"salvage", any_call_may_fail_at_a_salvage, 0, 2},
	    {"taken", any_call_may_fail_where_a_name_is_taken, 0, 2},
	    {"taken", a_hundred_originals_of_one_name_are_enough, 0, 1},
	    {"reload", a_stream_far_behind_does_not_change_when_it_comes_back,
		0, 1},
	    {"twice", any_call_may_fail_where_a_segment_stands_twice, 0, 2},
	    {"ledger", any_call_may_fail_while_the_ledger_turns, 0, 2},
	    {"answers", other_answers_are_understood, 0, COUNT_OF(answers)},
	    {"kind", any_kind_of_call_may_fail_for_good, FAULT_OPEN,
		FAULT_LOCK + 1},
	    {"write", a_write_may_do_a_part, 0, COUNT_OF(writes)},
	    {"write", large_amounts_may_fail_in_part, 0, COUNT_OF(large)},
	    {"write", no_part_of_a_line_stays_on_a_full_disk, 0, 1},
	    {"write", a_part_that_stays_is_answered_with_a_new_file, 0, 1},
	    {"sync", a_failed_sync_is_answered_with_a_new_file, 0, 1},
	    {"sync", a_lying_disk_is_caught_at_the_next_start, 0, 1},
	    {"link", without_hard_links_it_works_and_says_so, 0, 1},
	    {"link", without_rename_noreplace_links_do, 0, 3},
	    {"memory", memory_may_run_out, 0, 2},
	    {"memory", the_heap_may_run_out, 0, 2},
	    {"full", a_full_tmpfs_heals, 0, 3},
	    {"full", what_cannot_be_dropped_makes_no_room, FAULT_UNLINK,
		FAULT_UNLINK + 1},
	    {"full", what_cannot_be_dropped_makes_no_room, FAULT_READDIR,
		FAULT_READDIR + 1},
	    {"full", a_user_quota_lets_old_files_go_one_at_a_time, 0, 1},
	    {"full", without_inodes_it_is_full, 0, 1},
	    {"others", a_segment_removed_before_it_is_recovered_is_told, 0, 1},
	    {"others", a_segment_removed_before_it_is_published_is_told, 0, 1},
	    {"others", a_segment_that_cannot_be_read_is_set_aside, 0, 1},
	    {"others", what_cannot_be_set_aside_stays_and_is_told, 0, 1},
	    {"others", a_removed_directory_is_made_again_when_the_disk_lets_it,
		1, 2},
	    {"others", a_removed_directory_is_made_again_when_the_disk_lets_it,
		4, 5},
	    {"others", a_stream_directory_is_made_again_when_the_disk_lets_it,
		0, 1},
	    {"ledger", a_ledger_that_takes_no_lines_keeps_what_it_can,
		FAULT_WRITE, FAULT_WRITE + 1},
	    {"ledger", a_ledger_that_takes_no_lines_keeps_what_it_can,
		FAULT_DATASYNC, FAULT_DATASYNC + 1},
	    {"ledger", many_short_lines_may_fail_in_part, 1, 3},
	    {"others", a_segment_that_became_shorter_is_not_published, 0, 2},
	    {"reload", what_is_not_drained_is_there_at_the_next_start,
		FAULT_WRITE, FAULT_WRITE + 1},
	    {"reload", what_is_not_drained_is_there_at_the_next_start,
		FAULT_DATASYNC, FAULT_DATASYNC + 1},
	    {"reload", a_reload_is_refused_while_the_disk_is_far_behind, 0, 1},
	    {"reload", a_segment_that_gets_another_name_has_a_line_of_that, 0,
		1},
	    {"reload", a_reload_that_fails_changes_nothing, 0, 6},
	};

	return box_run("spool faults", tests, COUNT_OF(tests), setup, teardown);
}
