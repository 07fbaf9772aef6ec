/* Which file which target gets next, and when one is finished. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crew.h"
#include "outbox.h"
#include "run.h"

static char root[64];
static int ready = -1;
static struct span all[] = {{"*", 1}}, some[] = {{"traffic", 7}};
static struct plan_target targets[] = {
    {.name = "a", .files = all, .file_count = 1, .parallel = 1},
    {.name = "b", .files = some, .file_count = 1, .parallel = 1},
};
static const struct plan plan = {.targets = targets, .target_count = 2};
static struct outbox *outbox;
static atomic_bool stop;

static void
setup(void)
{
	strcpy(root, "/tmp/sepmlog-outbox-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	ready = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	outbox = outbox_new(&plan, true);
	ck_assert_ptr_nonnull(outbox);
	atomic_store(&stop, false);
}

static void
name_of(char name[64], const char *stream, unsigned n)
{
	snprintf(name, 64, "%s-3fa94c1e-%016u.jsonl.gz", stream, n);
}

static void
publish(const char *stream, unsigned n)
{
	char name[64];
	int fd;

	name_of(name, stream, n);
	fd = openat(ready, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, name, n), (ssize_t)n);
	close(fd);
}

static void
take_away(const char *stream, unsigned n)
{
	char name[64];

	name_of(name, stream, n);
	ck_assert_int_eq(unlinkat(ready, name, 0), 0);
}

static void
teardown(void)
{
	outbox_free(outbox);
	for (unsigned n = 0; n < 10; n++) {
		char name[64];

		name_of(name, "traffic", n);
		unlinkat(ready, name, 0);
		name_of(name, "events", n);
		unlinkat(ready, name, 0);
	}
	close(ready);
	rmdir(root);
}

static size_t
scan(void)
{
	size_t added;
	bool more;

	ck_assert(outbox_scan(outbox, ready, &added, &more));
	ck_assert(!more);
	outbox_release(outbox);
	return added;
}

static struct parcel *
take(size_t target)
{
	return outbox_take(outbox, target, &stop);
}

static void
assert_next(size_t target, const char *stream, unsigned n, enum leg_state then)
{
	struct parcel *p = take(target);
	char name[64];

	name_of(name, stream, n);
	ck_assert_ptr_nonnull(p);
	ck_assert_str_eq(p->name, name);
	ck_assert_uint_eq(p->size, n);
	outbox_put(outbox, p, target, then, 0);
}

START_TEST(test_order)
{
	publish("traffic", 2);
	publish("traffic", 1);
	publish("events", 3);
	ck_assert_uint_eq(scan(), 3);
	assert_next(0, "events", 3, LEG_DELIVERED);
	assert_next(0, "traffic", 1, LEG_WAITING);
	/* that one was not tried yet */
	assert_next(0, "traffic", 2, LEG_DELIVERED);
	assert_next(0, "traffic", 1, LEG_DELIVERED);
	ck_assert_ptr_null(take(0));
	/* the other one has its own way */
	assert_next(1, "traffic", 1, LEG_GIVEN_UP);
	assert_next(1, "traffic", 2, LEG_DELIVERED);
	ck_assert_ptr_null(take(1));
}
END_TEST

START_TEST(test_two_of_a_target)
{
	struct parcel *one, *two;

	publish("traffic", 1);
	publish("traffic", 2);
	scan();
	one = take(0);
	two = take(0);
	ck_assert_ptr_nonnull(two);
	ck_assert_ptr_ne(one, two);
	ck_assert_ptr_null(take(0));
	outbox_put(outbox, one, 0, LEG_DELIVERED, 0);
	outbox_put(outbox, two, 0, LEG_DELIVERED, 0);
}
END_TEST

START_TEST(test_finished)
{
	const struct parcel *p;
	struct outbox_counts counts;

	publish("traffic", 1);
	publish("events", 2);
	scan();
	ck_assert_ptr_null(outbox_finished(outbox));
	assert_next(0, "events", 2, LEG_DELIVERED);
	p = outbox_finished(outbox);
	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_null(outbox_finished(outbox));
	outbox_unfinish(outbox);
	ck_assert_ptr_eq(outbox_finished(outbox), p);
	outbox_forget(outbox, p);
	assert_next(0, "traffic", 1, LEG_DELIVERED);
	ck_assert_ptr_null(outbox_finished(outbox));
	assert_next(1, "traffic", 1, LEG_REFUSED);
	ck_assert_ptr_nonnull(outbox_finished(outbox));
	outbox_count(outbox, &counts);
	ck_assert_uint_eq(counts.unwanted, 0);
	ck_assert_uint_eq(counts.refused, 1);
	ck_assert_uint_eq(counts.delivered, 1);
	ck_assert_uint_eq(counts.waiting, 0);
}
END_TEST

/* The line of a ledger or receipts. */
static const struct ledger_entry *
parse(const struct ledger_text *text)
{
	static struct ledger_entry entry;
	static char line[LEDGER_LINE];
	uint8_t chain[SHA256_SIZE] = {0};
	struct sha256 *sha = sha256_new();
	struct span body = ledger_body(text);

	ledger_chain(sha, chain, body);
	sha256_free(sha);
	memcpy(line, body.p, body.n);
	ledger_tail(chain, line + body.n);
	ck_assert(
	    ledger_parse(span_of(line, body.n + LEDGER_TAIL - 1), &entry));
	return &entry;
}

static void
put_sum(
    struct ledger_text *text, const char *key, const uint8_t sum[SHA256_SIZE])
{
	char hex[SHA256_HEX];

	sha256_hex(sum, hex);
	ledger_put_text(text, key, span_of(hex, sizeof hex));
}

/* As the receipts have it. */
static void
note_sum(const char *type, const char *file, const char *target, uint64_t size,
    const char *as, const uint8_t *sum)
{
	struct ledger_text text;

	ledger_begin(&text, type, 0);
	ledger_put_text(&text, "file", span_str(file));
	ledger_put_text(&text, "target", span_str(target));
	ledger_put_number(&text, "size", size);
	if (sum != NULL)
		put_sum(&text, "sha256", sum);
	ledger_put_text(&text, "as", span_str(as));
	outbox_note(outbox, parse(&text));
}

static void
note(const char *type, const char *file, const char *target, uint64_t size,
    const char *as)
{
	note_sum(type, file, target, size, as, NULL);
}

static void
count_cb(void *arg, const struct parcel *p)
{
	unsigned *seen = arg;
	char name[64];

	name_of(name, "traffic", ++*seen);
	ck_assert_str_eq(p->name, name);
}

START_TEST(test_marked)
{
	unsigned seen = 0;
	char name[64];

	publish("traffic", 1);
	publish("traffic", 2);
	scan();
	outbox_each(outbox, count_cb, &seen);
	ck_assert_uint_eq(seen, 2);
	name_of(name, "traffic", 1);
	note("receipt", name, "a", 1, "");
	note("receipt", name, "b", 99, ""); /* of another file */
	note("receipt", name, "gone", 1, "");
	note("receipt", "nothing", "a", 1, "");
	assert_next(0, "traffic", 2, LEG_DELIVERED);
	ck_assert_ptr_null(take(0));
	ck_assert_ptr_null(outbox_finished(outbox));
	note("receipt", name, "b", 1, "");
	ck_assert_str_eq(outbox_finished(outbox)->name, name);
}
END_TEST

/* Refused, and put back by someone. */
START_TEST(test_refused_before)
{
	char name[64];

	publish("traffic", 1);
	scan();
	name_of(name, "traffic", 1);
	note("receipt", name, "a", 1, "");
	note("refused", name, "b", 1, "");
	ck_assert_ptr_null(take(1));
	note("freed", name, "", 1, "kept");
	ck_assert_ptr_null(take(1));
	note("freed", name, "", 1, "quarantined");
	assert_next(1, "traffic", 1, LEG_DELIVERED);
	ck_assert_ptr_null(take(0));
}
END_TEST

/* Someone else takes files; one is at work with that. */
START_TEST(test_taken_by_others)
{
	struct parcel *busy;

	publish("traffic", 1);
	publish("traffic", 2);
	publish("traffic", 3);
	scan();
	busy = take(0);
	take_away("traffic", 1);
	take_away("traffic", 2);
	ck_assert_uint_eq(scan(), 0);
	ck_assert_str_eq(
	    busy->name, "traffic-3fa94c1e-0000000000000001.jsonl.gz");
	outbox_put(outbox, busy, 0, LEG_WAITING, 0);
	assert_next(0, "traffic", 3, LEG_DELIVERED);
	ck_assert_ptr_null(take(0));
	scan();
	ck_assert(
	    !outbox_has(outbox, "traffic-3fa94c1e-0000000000000001.jsonl.gz"));
	ck_assert(
	    outbox_has(outbox, "traffic-3fa94c1e-0000000000000003.jsonl.gz"));
	/* it comes back */
	publish("traffic", 1);
	ck_assert_uint_eq(scan(), 1);
	assert_next(0, "traffic", 1, LEG_DELIVERED);
}
END_TEST

START_TEST(test_only_files_of_the_spool)
{
	ck_assert_int_eq(symlinkat("/etc/passwd", ready,
			     "traffic-3fa94c1e-0000000000000001.jsonl.gz"),
	    0);
	ck_assert_int_eq(symlinkat("x", ready, ".hidden"), 0);
	ck_assert_uint_eq(scan(), 0);
	unlinkat(ready, ".hidden", 0);
}
END_TEST

START_TEST(test_window)
{
	static const struct {
		unsigned from, to, minute;
		bool open;
	} cases[] = {
	    {60, 120, 59, false},
	    {60, 120, 60, true},
	    {60, 120, 119, true},
	    {60, 120, 120, false},
	    {1320, 300, 1319, false},
	    {1320, 300, 1320, true},
	    {1320, 300, 0, true},
	    {1320, 300, 299, true},
	    {1320, 300, 300, false},
	    {1320, 1440, 1439, true},
	    {1320, 1440, 0, false},
	    {0, 1440, 0, true},
	};
	const struct plan_window none = {0};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct plan_window window = {
		    true, cases[i].from, cases[i].to};

		ck_assert_msg(
		    plan_window_open(&window, cases[i].minute) == cases[i].open,
		    "case %zu", i);
	}
	ck_assert(plan_window_open(&none, 700));
}
END_TEST

/* One file ahead of a target that is at work, and not of others. */
START_TEST(test_ahead)
{
	struct digest digest = {.size = 1, .inode = 1}, found;
	struct parcel *busy, *ahead;

	publish("traffic", 1);
	publish("traffic", 2);
	publish("traffic", 3);
	scan();
	busy = take(0);
	ck_assert(!outbox_digest(outbox, busy, &stop, &found));
	ahead = outbox_take_ahead(outbox, &stop);
	ck_assert_str_eq(
	    ahead->name, "traffic-3fa94c1e-0000000000000002.jsonl.gz");
	/* it is read: it stays, though someone took it */
	take_away("traffic", 2);
	scan();
	outbox_set_digest(outbox, ahead, &digest);
	ck_assert(outbox_digest(outbox, ahead, &stop, &found));
	ck_assert_uint_eq(found.size, 1);
	scan();
	/* one that cannot be read is left to the target whose turn it is */
	ahead = outbox_take_ahead(outbox, &stop);
	ck_assert_str_eq(
	    ahead->name, "traffic-3fa94c1e-0000000000000003.jsonl.gz");
	outbox_set_digest(outbox, ahead, NULL);
	ck_assert(!outbox_digest(outbox, ahead, &stop, &found));
	outbox_set_digest(outbox, ahead, &digest);
	outbox_set_digest(outbox, busy, &digest);
	outbox_put(outbox, busy, 0, LEG_DELIVERED, 0);
	atomic_store(&stop, true);
	ck_assert_ptr_null(outbox_take_ahead(outbox, &stop));
}
END_TEST

static atomic_uint found_ahead;

static int
truncate_at(const char *name, off_t size)
{
	int fd = openat(ready, name, O_WRONLY | O_CLOEXEC), answer = -1;

	if (fd >= 0) {
		answer = ftruncate(fd, size);
		close(fd);
	}
	return answer;
}

static void *
find_ahead(void *arg)
{
	struct digest digest = {.size = 1, .inode = 1};
	struct parcel *p;

	while ((p = outbox_take_ahead(outbox, &stop)) != NULL) {
		outbox_set_digest(outbox, p, &digest);
		atomic_fetch_add(&found_ahead, 1);
	}
	return arg;
}

static void
wait_ahead(unsigned count)
{
	for (int ms = 0; ms < 10000 && atomic_load(&found_ahead) < count; ms++)
		usleep(1000);
	usleep(50 * 1000); /* no more than that */
	ck_assert_uint_eq(atomic_load(&found_ahead), count);
}

/* No more of them than is worth it, be it one that is large. */
START_TEST(test_ahead_has_bounds)
{
	pthread_t thread;
	char name[64];

	for (unsigned n = 1; n <= OUTBOX_AHEAD + 3; n++)
		publish("traffic", n);
	name_of(name, "traffic", OUTBOX_AHEAD + 2);
	ck_assert_int_eq(truncate_at(name, OUTBOX_AHEAD_BYTES), 0);
	scan();
	atomic_store(&found_ahead, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, find_ahead, NULL), 0);
	wait_ahead(0);
	take(0);
	wait_ahead(OUTBOX_AHEAD);
	for (unsigned n = 2; n <= OUTBOX_AHEAD; n++) {
		take(0);
		wait_ahead(OUTBOX_AHEAD + 1);
	}
	/* the large one is the next, and then gone */
	take(0);
	wait_ahead(OUTBOX_AHEAD + 1);
	take(0);
	wait_ahead(OUTBOX_AHEAD + 2);
	atomic_store(&stop, true);
	outbox_wake(outbox);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

/* From 1 s, doubled each time, to 5 minutes; a part of it at random. */
START_TEST(test_delay)
{
	static const uint64_t most[] = {2000, 4000, 8000, 16000, 32000, 64000,
	    128000, 256000, 300000, 300000};

	for (unsigned n = 0; n < sizeof most / sizeof most[0]; n++) {
		ck_assert_uint_eq(crew_delay(n + 1, 0), most[n] / 2);
		ck_assert_uint_eq(
		    crew_delay(n + 1, (uint32_t)most[n] / 2 - 1), most[n] - 1);
		ck_assert_uint_eq(
		    crew_delay(n + 1, (uint32_t)most[n] / 2), most[n] / 2);
	}
	ck_assert_uint_eq(crew_delay(UINT32_MAX, 0), 150000);
	ck_assert_uint_lt(crew_delay(UINT32_MAX, UINT32_MAX), 300000);
}
END_TEST

/* --- what the ledger says --- */

static const uint8_t said[SHA256_SIZE] = {1, 2, 3},
		     other[SHA256_SIZE] = {4, 5, 6};

static struct stat
stat_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(fstatat(ready, name, &st, 0), 0);
	return st;
}

static int64_t
microseconds(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Its line, written at this time. */
static void
state(const char *name, uint64_t size, int64_t us, const uint8_t *sum)
{
	struct ledger_text text;

	ledger_begin(&text, "file", us);
	ledger_put_text(&text, "name", span_str(name));
	ledger_put_text(&text, "compression", SPAN("gzip"));
	ledger_put_number(&text, "packed_bytes", size);
	put_sum(&text, "packed_sha256", sum);
	outbox_state(outbox, parse(&text));
}

/* traffic 1, written so many seconds before it was last touched. */
static struct stat
publish_old(char name[64], time_t seconds)
{
	struct timespec times[2] = {{0, UTIME_OMIT}};

	publish("traffic", 1);
	name_of(name, "traffic", 1);
	times[1] = stat_of(name).st_mtim;
	times[1].tv_sec -= seconds;
	ck_assert_int_eq(utimensat(ready, name, times, 0), 0);
	ck_assert_uint_eq(scan(), 1);
	return stat_of(name);
}

/* As whoever reads the file finds it. */
static struct digest
digest_of(const struct stat *st, const uint8_t sum[SHA256_SIZE])
{
	struct digest digest = {.size = (uint64_t)st->st_size,
	    .inode = st->st_ino,
	    .written = st->st_mtim};

	memcpy(digest.sum, sum, sizeof digest.sum);
	return digest;
}

static void
assert_unknown(const char *name)
{
	struct parcel *p = take(0);
	struct digest found;

	ck_assert_str_eq(p->name, name);
	ck_assert(!outbox_digest(outbox, p, &stop, &found));
	outbox_set_digest(outbox, p, NULL);
	outbox_put(outbox, p, 0, LEG_WAITING, 0);
}

/* That is what it has to have; is it known to have it? */
static void
assert_digest(const char *name, const uint8_t *sum, bool known)
{
	struct parcel *p = take(0);
	struct stat st = stat_of(name);
	struct digest found;
	bool is_found;

	ck_assert_str_eq(p->name, name);
	is_found = outbox_digest(outbox, p, &stop, &found);
	ck_assert_mem_eq(found.sum, sum, SHA256_SIZE);
	ck_assert(known == (is_found && digest_is_of(&found, &st)));
	if (!is_found)
		ck_assert(!outbox_set_digest(outbox, p, NULL));
	outbox_put(outbox, p, 0, LEG_WAITING, 0);
}

START_TEST(test_stated)
{
	char name[64];
	struct stat st = publish_old(name, 0);

	assert_unknown(name);
	state(name, 1, microseconds(st.st_ctim), said);
	assert_digest(name, said, true);
	/* until someone writes to it */
	usleep(20 * 1000);
	publish("traffic", 1);
	assert_digest(name, said, false);
}
END_TEST

/* It was written, and got its name within two seconds. */
START_TEST(test_stated_when)
{
	static const struct {
		time_t old;         /* s from st_mtim to st_ctim, about */
		int64_t of_written; /* us from st_mtim to the line, or */
		int64_t of_changed; /* ... from st_ctim */
		bool known;
	} cases[] = {
	    {0, 0, 0, true},
	    {0, -1, 0, false},
	    {1, 0, 0, true},
	    {1, -1, 0, false},
	    {9, 0, 0, false},
	    {9, 0, -2000001, false},
	    {9, 0, -2000000, true},
	    {9, 0, 2000000, true},
	    {9, 0, 2000001, false},
	    {9, 0, 3600000000, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char name[64];
		struct stat st = publish_old(name, cases[i].old);
		int64_t us = cases[i].of_changed != 0
				 ? microseconds(st.st_ctim)
				 : microseconds(st.st_mtim);

		state(name, 1, us + cases[i].of_written + cases[i].of_changed,
		    said);
		assert_digest(name, said, cases[i].known);
		teardown();
		setup();
	}
}
END_TEST

START_TEST(test_stated_size)
{
	char name[64];
	struct stat st = publish_old(name, 0);

	state(name, 2, microseconds(st.st_ctim), said);
	assert_digest(name, said, false);
	/* the right one comes, too */
	state(name, 1, microseconds(st.st_ctim), said);
	assert_digest(name, said, true);
}
END_TEST

START_TEST(test_stated_of_others)
{
	char name[64], longest[SPOOL_PATH + 1];
	struct stat st = publish_old(name, 0);

	memset(longest, 'x', SPOOL_PATH);
	longest[SPOOL_PATH] = '\0';
	state("", 1, microseconds(st.st_ctim), said);
	state(longest, 1, microseconds(st.st_ctim), said);
	state("traffic-3fa94c1e-0000000000000002.jsonl.gz", 1,
	    microseconds(st.st_ctim), said);
	assert_unknown(name);
}
END_TEST

/* What was delivered is what the file has to be. */
START_TEST(test_stated_and_received)
{
	char name[64];
	struct stat st = publish_old(name, 0);

	note_sum("receipt", name, "b", 1, "", other);
	assert_digest(name, other, false);
	state(name, 1, microseconds(st.st_ctim), said);
	assert_digest(name, other, false);
	state(name, 1, microseconds(st.st_ctim), other);
	assert_digest(name, other, false);
	note_sum("receipt", name, "b", 1, "", said);
	assert_digest(name, other, false);
}
END_TEST

/* Only the file can tell, whichever comes first. */
START_TEST(test_stated_twice)
{
	struct digest digest;
	char name[64];
	struct stat st = publish_old(name, 0);
	struct parcel *p = take(0);

	outbox_put(outbox, p, 0, LEG_WAITING, 0);
	state(name, 1, microseconds(st.st_ctim), said);
	state(name, 1, microseconds(st.st_ctim), said);
	assert_digest(name, said, true);
	state(name, 1, microseconds(st.st_ctim), other);
	assert_unknown(name);
	state(name, 1, microseconds(st.st_ctim), said);
	assert_unknown(name);
	digest = digest_of(&st, _i == 0 ? said : other);
	ck_assert(outbox_set_digest(outbox, p, &digest));
	assert_digest(name, _i == 0 ? said : other, true);
}
END_TEST

START_TEST(test_doubt)
{
	struct digest digest;
	char name[64];
	struct stat st = publish_old(name, 0);
	struct parcel *p = take(0);

	outbox_put(outbox, p, 0, LEG_WAITING, 0);
	outbox_doubt(outbox, p); /* of what? */
	assert_unknown(name);
	state(name, 1, microseconds(st.st_ctim), said);
	outbox_doubt(outbox, p);
	assert_digest(name, said, false);
	/* the same line again is no news */
	state(name, 1, microseconds(st.st_ctim), said);
	assert_digest(name, said, false);
	/* it was read */
	digest = digest_of(&st, said);
	ck_assert(outbox_set_digest(outbox, p, &digest));
	outbox_doubt(outbox, p);
	assert_digest(name, said, true);
}
END_TEST

/* What was read has to be what was said; what could not be read says nothing.
 */
START_TEST(test_stated_and_read)
{
	struct digest digest, found;
	char name[64];
	struct stat st = publish_old(name, 0);
	struct parcel *p = take(0);

	outbox_put(outbox, p, 0, LEG_WAITING, 0);
	digest = digest_of(&st, other);
	/* someone is at it */
	ck_assert(!outbox_digest(outbox, p, &stop, &found));
	state(name, 1, microseconds(st.st_ctim), said);
	outbox_set_digest(outbox, p, NULL);
	assert_unknown(name);
	state(name, 1, microseconds(st.st_ctim), said);
	ck_assert(!outbox_set_digest(outbox, p, NULL));
	assert_digest(name, said, true);
	ck_assert(!outbox_set_digest(outbox, p, &digest));
	assert_digest(name, said, true);
	digest = digest_of(&st, said);
	ck_assert(outbox_set_digest(outbox, p, &digest));
	state(name, 1, microseconds(st.st_ctim), other);
	assert_digest(name, said, true);
	outbox_doubt(outbox, p);
	assert_digest(name, said, true);
}
END_TEST

/* Nobody gets it before all is known that is said of it. */
START_TEST(test_not_before_it_is_released)
{
	size_t added;
	bool more;

	publish("traffic", 1);
	ck_assert(outbox_scan(outbox, ready, &added, &more));
	ck_assert_uint_eq(added, 1);
	ck_assert_ptr_null(take(0));
	outbox_release(outbox);
	assert_next(0, "traffic", 1, LEG_DELIVERED);
}
END_TEST

/* Nothing is to be found ahead then. */
START_TEST(test_stated_is_not_read_ahead)
{
	struct parcel *p;
	char name[64];

	publish("traffic", 1);
	publish("traffic", 2);
	publish("traffic", 3);
	scan();
	for (unsigned n = 1; n <= 2; n++) {
		name_of(name, "traffic", n);
		state(name, n, microseconds(stat_of(name).st_ctim), said);
	}
	p = take(0);
	name_of(name, "traffic", 3);
	ck_assert_str_eq(outbox_take_ahead(outbox, &stop)->name, name);
	outbox_put(outbox, p, 0, LEG_WAITING, 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("outbox");
	TCase *t = tcase_create("outbox");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_order);
	tcase_add_test(t, test_two_of_a_target);
	tcase_add_test(t, test_finished);
	tcase_add_test(t, test_marked);
	tcase_add_test(t, test_refused_before);
	tcase_add_test(t, test_delay);
	tcase_add_test(t, test_taken_by_others);
	tcase_add_test(t, test_only_files_of_the_spool);
	tcase_add_test(t, test_ahead);
	tcase_add_test(t, test_ahead_has_bounds);
	tcase_add_test(t, test_window);
	tcase_add_test(t, test_stated);
	tcase_add_test(t, test_stated_when);
	tcase_add_test(t, test_stated_size);
	tcase_add_test(t, test_stated_of_others);
	tcase_add_test(t, test_stated_and_received);
	tcase_add_test(t, test_doubt);
	tcase_add_test(t, test_stated_and_read);
	tcase_add_test(t, test_not_before_it_is_released);
	tcase_add_loop_test(t, test_stated_twice, 0, 2);
	tcase_add_test(t, test_stated_is_not_read_ahead);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
