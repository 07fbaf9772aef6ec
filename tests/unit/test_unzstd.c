#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "memory.h"
#include "run.h"
#include "unzstd.h"

enum { ROOM = 1 << 16 };

/* --- memory that runs out if a test wants it (--wrap) --- */

static bool no_context;

ZSTD_DCtx *__real_ZSTD_createDCtx(void);
ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);

ZSTD_DCtx *
__wrap_ZSTD_createDCtx(void)
{
	return no_context ? NULL : __real_ZSTD_createDCtx();
}

/* --- */

static struct unzstd *u;
static char plain[4000], packed[ROOM], out[ROOM];
static size_t packed_n;

static void
setup(void)
{
	size_t i;

	for (i = 0; i < sizeof(plain); i++)
		plain[i] = (char)('a' + i * i % 23);
	packed_n = 0;
	u = unzstd_new();
	ck_assert_ptr_nonnull(u);
}

static void
teardown(void)
{
	unzstd_free(u);
}

static void
add_frame(struct span bytes)
{
	size_t n = ZSTD_compress(
	    packed + packed_n, sizeof(packed) - packed_n, bytes.p, bytes.n, 3);

	ck_assert(!ZSTD_isError(n));
	packed_n += n;
}

/* All of it in pieces, with so much room for what comes out. What it answers
 * last, and in `out` *n plain bytes. */
static enum unzstd_status
unpack(struct span in, size_t piece, size_t room, size_t *n)
{
	enum unzstd_status status = UNZSTD_MORE;
	size_t got;

	*n = 0;
	for (; in.n > 0 && status != UNZSTD_BROKEN; in = span_skip(in, piece)) {
		unzstd_feed(u, span_take(in, piece));
		while ((status = unzstd_next(u, out + *n, room, &got)) ==
		       UNZSTD_BYTES) {
			ck_assert_uint_gt(got, 0);
			ck_assert_uint_le(got, room);
			*n += got;
			ck_assert_uint_le(*n, sizeof(out) - room);
		}
		ck_assert_uint_eq(got, 0);
	}
	return status;
}

START_TEST(a_zstd_file_is_known_by_four_bytes)
{
	ck_assert(unzstd_is(SPAN("\x28\xb5\x2f\xfd")));
	ck_assert(unzstd_is(SPAN("\x28\xb5\x2f\xfd more")));
	ck_assert(!unzstd_is(SPAN("\x28\xb5\x2f")));
	ck_assert(!unzstd_is(SPAN("\x1f\x8b\x08\x00")));
	ck_assert(!unzstd_is(SPAN("")));
}
END_TEST

static const struct {
	size_t piece, room;
} cuts[] = {{ROOM, 8192}, {1, 8192}, {ROOM, 1}, {7, 3}, {1, 1}};

START_TEST(frames_follow_one_another)
{
	size_t n;

	add_frame(span_of(plain, 1000));
	add_frame(SPAN(""));
	add_frame(span_of(plain + 1000, sizeof(plain) - 1000));
	ck_assert_int_eq(unpack(span_of(packed, packed_n), cuts[_i].piece,
			     cuts[_i].room, &n),
	    UNZSTD_MORE);
	ck_assert_uint_eq(n, sizeof(plain));
	ck_assert(memcmp(out, plain, n) == 0);
	ck_assert(unzstd_ends(u));
}
END_TEST

START_TEST(a_frame_that_is_cut_does_not_end)
{
	size_t cut, n;

	add_frame(span_of(plain, 100));
	for (cut = 1; cut < packed_n; cut++) {
		ck_assert_int_eq(
		    unpack(span_of(packed, cut), ROOM, 8192, &n), UNZSTD_MORE);
		ck_assert(!unzstd_ends(u));
		ck_assert_str_eq(
		    unzstd_why(u), "it ends inside the compressed bytes");
		unzstd_free(u);
		u = unzstd_new();
		ck_assert_ptr_nonnull(u);
	}
	ck_assert_int_eq(
	    unpack(span_of(packed, packed_n), ROOM, 8192, &n), UNZSTD_MORE);
	ck_assert(unzstd_ends(u));
}
END_TEST

START_TEST(nothing_at_all_does_not_end)
{
	ck_assert(!unzstd_ends(u));
}
END_TEST

START_TEST(what_is_broken_stays_broken)
{
	size_t n;

	add_frame(span_of(plain, 100));
	memcpy(packed + packed_n, "no frame", 8);
	ck_assert_int_eq(unpack(span_of(packed, packed_n + 8), ROOM, 8192, &n),
	    UNZSTD_BROKEN);
	ck_assert_uint_eq(n, 100);
	ck_assert_str_ne(unzstd_why(u), "it ends inside the compressed bytes");
	/* a good frame changes nothing */
	ck_assert_int_eq(
	    unpack(span_of(packed, packed_n), ROOM, 8192, &n), UNZSTD_BROKEN);
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* A frame that wants 1 GiB of memory (RFC 8878, 3.1.1.1.2). */
START_TEST(a_window_that_is_too_large_is_refused)
{
	static const struct span header = SPAN("\x28\xb5\x2f\xfd\x00\xa0");
	size_t n;

	ck_assert_int_eq(unpack(header, ROOM, 8192, &n), UNZSTD_BROKEN);
	ck_assert_ptr_nonnull(strstr(unzstd_why(u), "memory"));
}
END_TEST

START_TEST(without_memory_there_is_none)
{
	struct unzstd *none;

	unzstd_free(NULL);
	if (!MEMORY_CAN_FAIL)
		return;
	no_context = true;
	none = unzstd_new();
	no_context = false;
	ck_assert_ptr_null(none);
	failing = allocations + 1;
	none = unzstd_new();
	failing = 0;
	ck_assert_ptr_null(none);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("unzstd");
	TCase *tc = tcase_create("unzstd");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_zstd_file_is_known_by_four_bytes);
	tcase_add_loop_test(
	    tc, frames_follow_one_another, 0, sizeof(cuts) / sizeof(*cuts));
	tcase_add_test(tc, a_frame_that_is_cut_does_not_end);
	tcase_add_test(tc, nothing_at_all_does_not_end);
	tcase_add_test(tc, what_is_broken_stays_broken);
	tcase_add_test(tc, a_window_that_is_too_large_is_refused);
	tcase_add_test(tc, without_memory_there_is_none);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
