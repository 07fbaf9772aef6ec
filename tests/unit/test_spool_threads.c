/*
 * The two sides on two threads, as fast as they can, with a small buffer that
 * is full at the start. Run under the thread sanitizer as well.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "spool_box.h"

static struct box box;
static _Atomic uint64_t clock_ms;
static atomic_bool stop;

static void
setup(void)
{
	box_init(&box);
	atomic_store(&clock_ms, box.now);
	atomic_store(&stop, false);
}

static void
teardown(void)
{
	box_clear(&box);
}

static void *
disk_side(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		spool_work(box.spool, atomic_fetch_add(&clock_ms, 1));
	return NULL;
}

/* Appends `n` to each stream. */
static void
record_side(uint32_t n)
{
	uint32_t i;
	size_t stream;

	for (i = 0; i < n; i++) {
		box.now = atomic_load(&clock_ms);
		for (stream = 0; stream < BOX_STREAMS; stream++)
			while (!box_append(&box, stream)) {
				spool_flush(box.spool);
				sched_yield();
			}
		if (i % 8 == 0)
			spool_flush(box.spool);
		if (i % 500 == 0) {
			spool_rotate(box.spool, box.now, i % 1000 == 0);
			box_status(&box);
			if (spool_fill(box.spool) > 100)
				ck_abort_msg("more than full");
		}
	}
	spool_flush(box.spool);
}

START_TEST(two_threads_lose_nothing)
{
	pthread_t thread;

	box.options.compress = (enum spool_compress)_i;
	box.options.rotate_size = 1 << 14;
	box.options.commit_interval = 1;
	box_must_open(&box);
	while (box_append(&box, BOX_TRAFFIC))
		continue;
	ck_assert_int_eq(pthread_create(&thread, NULL, disk_side, NULL), 0);
	record_side(20000);
	atomic_store(&stop, true);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	box.now = atomic_load(&clock_ms);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
	ck_assert_uint_eq(box_status(&box).published,
	    box.sent[BOX_TRAFFIC] + box.sent[BOX_ACCESS]);
}
END_TEST

/* Threads come and go around reloads. */
START_TEST(a_reload_between_threads_loses_nothing)
{
	pthread_t thread;
	int i;

	box_must_open(&box);
	for (i = 0; i < 20; i++) {
		atomic_store(&stop, false);
		ck_assert_int_eq(
		    pthread_create(&thread, NULL, disk_side, NULL), 0);
		record_side(200);
		atomic_store(&stop, true);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		box.options.buffer = (size_t)1 << (16 + i % 3);
		box.options.compress = (enum spool_compress)(i % 3);
		ck_assert(spool_reload(box.spool, &box.options, box.streams,
		    BOX_STREAMS, atomic_load(&clock_ms), box.why,
		    sizeof(box.why)));
	}
	box.now = atomic_load(&clock_ms);
	box_drain(&box);
	box_read(&box, false);
	box_expect_all(&box);
}
END_TEST

int
main(void)
{
	const struct box_test tests[] = {
	    {"threads", two_threads_lose_nothing, 0, 3},
	    {"threads", a_reload_between_threads_loses_nothing, 0, 1},
	};

	return box_run("spool threads", tests, sizeof(tests) / sizeof(*tests),
	    setup, teardown);
}
