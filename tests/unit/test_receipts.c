/*
 * Receipts over a disk that fails: what was confirmed is there, at any moment
 * and once, and what was not is there after the next sync that succeeds.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "faults.h"
#include "receipts.h"
#include "run.h"

enum { LINES = 2048, STEPS = 6, HEAL = 4, NAME = 32 };

static char root[64];
static int dir = -1;
static struct receipts *receipts;
static struct delivered_end end;

/* What was found in the files. */
static unsigned seen[LINES];
static size_t complaints;

static void
setup(void)
{
	/* not a disk, where there is memory: syncs are many */
	snprintf(root, sizeof root, "%s/sepmlog-receipts-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(root));
	dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir, 0);
	end = (struct delivered_end){0};
}

static void
teardown(void)
{
	struct chain_list list;

	receipts_close(receipts);
	receipts = NULL;
	faults_clear();
	ck_assert(chain_list(&list, dir, DELIVERED_KIND));
	for (size_t i = 0; i < list.n; i++)
		unlinkat(dir, list.name[i], 0);
	chain_list_clear(&list);
	close(dir);
	rmdir(root);
}

static void
entry_cb(void *arg, const struct ledger_entry *entry)
{
	char name[NAME];
	int n;

	(void)arg;
	snprintf(name, sizeof name, "%.*s", (int)ledger_text(entry, "file").n,
	    ledger_text(entry, "file").p);
	n = atoi(name);
	ck_assert_int_ge(n, 0);
	ck_assert_int_lt(n, LINES);
	seen[n]++;
}

static void
say_cb(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
	complaints++;
}

static void
look(void)
{
	static const struct delivered_options options = {
	    .entry = entry_cb, .say = say_cb};
	struct faults held = faults;

	faults_disarm();
	memset(seen, 0, sizeof seen);
	complaints = 0;
	ck_assert(delivered_read(dir, &options, &end));
	faults = held;
}

/* Each of the first `n` is there once, and `most` at most. */
static void
assert_seen(int n, int most)
{
	look();
	ck_assert_uint_eq(complaints, 0);
	for (int i = 0; i < n; i++)
		ck_assert_msg(
		    seen[i] == 1, "line %d is there %u times", i, seen[i]);
	for (int i = most; i < LINES; i++)
		ck_assert_uint_eq(seen[i], 0);
}

static void
begin(const struct receipts_limits *limits)
{
	static const struct receipts_limits any = {UINT64_MAX / 2, UINT64_MAX};

	receipts = receipts_open(
	    dir, "3fa94c1e", &end, limits != NULL ? limits : &any);
	ck_assert_ptr_nonnull(receipts);
}

static bool
try_put(int n)
{
	struct ledger_text line;
	char name[NAME];

	snprintf(name, sizeof name, "%d", n);
	ledger_begin(&line, "receipt", 1700000000000000 + n);
	ledger_put_text(&line, "file", span_str(name));
	ledger_put_text(&line, "target",
	    SPAN("............................................................"
		 "............................................................"
		 "............................................................"
		 "..........................................................."
		 "."));
	return receipts_put(receipts, &line);
}

static void
put(int n)
{
	ck_assert(try_put(n));
}

START_TEST(test_lives)
{
	for (int n = 0; n < 5; n++) {
		begin(NULL);
		put(2 * n);
		put(2 * n + 1);
		ck_assert(receipts_sync(receipts));
		receipts_close(receipts);
		receipts = NULL;
		assert_seen(2 * n + 2, 2 * n + 2);
	}
	ck_assert_uint_eq(end.number, 5);
	/* one in which nothing happened leaves nothing */
	begin(NULL);
	receipts_close(receipts);
	receipts = NULL;
	look();
	ck_assert_uint_eq(end.number, 5);
}
END_TEST

START_TEST(test_files_are_ended)
{
	begin(NULL);
	for (int n = 0; n < LINES; n++) {
		put(n);
		if (n % 256 == 255)
			ck_assert(receipts_sync(receipts));
	}
	assert_seen(LINES, LINES);
	ck_assert_uint_gt(end.number, 2);
}
END_TEST

enum { THREADS = 4 };

static atomic_int putting;

/* A share of the lines. Answers NULL if all of them were taken. */
static void *
put_share(void *arg)
{
	int *first = arg;
	void *failed = NULL;

	for (int n = *first; n < LINES; n += THREADS)
		if (!try_put(n))
			failed = arg;
	atomic_fetch_sub(&putting, 1);
	return failed;
}

/* Lines come in while others are synced, and while files are ended. */
START_TEST(test_threads)
{
	int first[THREADS];
	pthread_t thread[THREADS];
	void *failed;

	begin(NULL);
	atomic_store(&putting, THREADS);
	for (int i = 0; i < THREADS; i++) {
		first[i] = i;
		ck_assert_int_eq(
		    pthread_create(&thread[i], NULL, put_share, &first[i]), 0);
	}
	while (atomic_load(&putting) > 0)
		ck_assert(receipts_sync(receipts));
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(thread[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	ck_assert(receipts_sync(receipts));
	assert_seen(LINES, LINES);
	ck_assert_uint_gt(end.number, 2);
}
END_TEST

/* Old ones go when there is a new one. */
START_TEST(test_limits)
{
	static const struct receipts_limits small = {UINT64_MAX / 2, 600000};
	struct chain_list list;

	begin(&small);
	for (int n = 0; n < LINES; n++) {
		put(n);
		if (n % 256 == 255)
			ck_assert(receipts_sync(receipts));
	}
	look();
	ck_assert_uint_eq(complaints, 0);
	ck_assert_uint_eq(seen[0], 0);
	ck_assert_uint_eq(seen[LINES - 1], 1);
	ck_assert(chain_list(&list, dir, DELIVERED_KIND));
	ck_assert_uint_le(list.n, 3);
	chain_list_clear(&list);
}
END_TEST

START_TEST(test_too_many_wait)
{
	static struct ledger_text line;
	int n = 0;

	begin(NULL);
	faults_arm(FAULT_WRITE, 1, true, EIO, 0);
	ledger_begin(&line, "receipt", 0);
	while (receipts_put(receipts, &line))
		n++;
	ck_assert_int_eq(errno, ENOBUFS);
	ck_assert_int_gt(n, 1000);
	ck_assert(!receipts_sync(receipts));
	faults_disarm();
	ck_assert(receipts_sync(receipts));
	ck_assert(receipts_put(receipts, &line));
}
END_TEST

/* The nth call fails, once, or all that follow until it heals. */
static bool
run_with(enum fault_call call, long nth, bool for_good, int error, size_t part)
{
	int confirmed = 0;
	bool hit;

	faults_arm(call, nth, for_good, error, part);
	begin(NULL);
	for (int n = 0; n < STEPS; n++) {
		if (n == HEAL)
			faults_disarm();
		put(n);
		if (receipts_sync(receipts))
			confirmed = n + 1;
		assert_seen(confirmed, n + 1);
	}
	hit = faults.hits > 0;
	ck_assert_int_eq(confirmed, STEPS);
	ck_assert_uint_eq(faults.misuse, 0);
	receipts_close(receipts);
	receipts = NULL;
	assert_seen(STEPS, STEPS);
	return hit;
}

static const struct {
	enum fault_call call;
	int error;
	size_t part;
} failures[] = {
    {FAULT_OPEN, EIO, 0},
    {FAULT_OPEN, ENOSPC, 0},
    {FAULT_WRITE, EIO, 0},
    {FAULT_WRITE, EIO, 100},
    {FAULT_WRITE, ENOSPC, 100},
    {FAULT_DATASYNC, EIO, 0},
    {FAULT_DIRSYNC, EIO, 0},
};

enum { FAILURES = sizeof failures / sizeof failures[0] };

START_TEST(test_failures)
{
	for (int for_good = 0; for_good < 2; for_good++) {
		long nth = 1;

		while (run_with(failures[_i].call, nth, for_good == 1,
		    failures[_i].error, failures[_i].part)) {
			teardown();
			setup();
			nth++;
		}
		/* some, and then one too many */
		ck_assert_int_gt(nth, 1);
		teardown();
		setup();
	}
}
END_TEST

/* What a crash leaves behind the last sync. */
START_TEST(test_torn)
{
	struct chain_list list;
	int fd;

	begin(NULL);
	for (int n = 0; n < 3; n++)
		put(n);
	ck_assert(receipts_sync(receipts));
	ck_assert(chain_list(&list, dir, DELIVERED_KIND));
	ck_assert_uint_eq(list.n, 1);
	fd = openat(dir, list.name[0], O_WRONLY | O_APPEND | O_CLOEXEC);
	ck_assert_int_eq(write(fd, "{\"type\":\"rec", 12), 12);
	close(fd);
	chain_list_clear(&list);
	assert_seen(3, 3);
	receipts_close(receipts);
	begin(NULL);
	put(3);
	ck_assert(receipts_sync(receipts));
	assert_seen(4, 4);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("receipts");
	TCase *t = tcase_create("receipts");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_lives);
	tcase_add_test(t, test_files_are_ended);
	tcase_add_test(t, test_threads);
	tcase_add_test(t, test_limits);
	tcase_add_test(t, test_too_many_wait);
	tcase_add_loop_test(t, test_failures, 0, FAILURES);
	tcase_add_test(t, test_torn);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
