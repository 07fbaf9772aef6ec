/*
 * The parts of the spool that need no spool: names, lines, buffers.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "run.h"
#include "spool/disk.h"
#include "spool/lines.h"
#include "spool/names.h"
#include "spool/pack.h"
#include "spool/ring.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* --- calls that fail if a test wants it (--wrap, see CMakeLists.txt) --- */

static bool failing, unmapped;

void *__real_mmap(
    void *at, size_t n, int protection, int flags, int fd, off_t from);
void *__wrap_mmap(
    void *at, size_t n, int protection, int flags, int fd, off_t from);

void *
__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t from)
{
	return unmapped ? MAP_FAILED
			: __real_mmap(at, n, protection, flags, fd, from);
}

void *__real_mremap(void *from, size_t n, size_t size, int flags, void *to);
void *__wrap_mremap(void *from, size_t n, size_t size, int flags, void *to);

void *
__wrap_mremap(void *from, size_t n, size_t size, int flags, void *to)
{
	return failing ? MAP_FAILED : __real_mremap(from, n, size, flags, to);
}

ZSTD_CCtx *__real_ZSTD_createCCtx(void);
ZSTD_CCtx *__wrap_ZSTD_createCCtx(void);

ZSTD_CCtx *
__wrap_ZSTD_createCCtx(void)
{
	return failing ? NULL : __real_ZSTD_createCCtx();
}

size_t __real_ZSTD_compressStream2(ZSTD_CCtx *to, ZSTD_outBuffer *out,
    ZSTD_inBuffer *in, ZSTD_EndDirective end);
size_t __wrap_ZSTD_compressStream2(ZSTD_CCtx *to, ZSTD_outBuffer *out,
    ZSTD_inBuffer *in, ZSTD_EndDirective end);

size_t
__wrap_ZSTD_compressStream2(ZSTD_CCtx *to, ZSTD_outBuffer *out,
    ZSTD_inBuffer *in, ZSTD_EndDirective end)
{
	return failing ? (size_t)-ZSTD_error_memory_allocation
		       : __real_ZSTD_compressStream2(to, out, in, end);
}

int __real_deflateInit2_(z_stream *z, int level, int method, int window,
    int memory, int strategy, const char *version, int size);
int __wrap_deflateInit2_(z_stream *z, int level, int method, int window,
    int memory, int strategy, const char *version, int size);

int
__wrap_deflateInit2_(z_stream *z, int level, int method, int window, int memory,
    int strategy, const char *version, int size)
{
	return failing ? Z_MEM_ERROR
		       : __real_deflateInit2_(z, level, method, window, memory,
			     strategy, version, size);
}

/* --- names --- */

static const struct {
	const char *name;
	bool ok;
} stream_names[] = {
    {"traffic", true},
    {"a", true},
    {"a_1z9", true},
    {"abcdefghijklmnopqrstuvwxyz_12345", true},
    {"abcdefghijklmnopqrstuvwxyz_123456", false},
    {"", false},
    {"1a", false},
    {"_a", false},
    {"A", false},
    {"`a", false},
    {"{a", false},
    {"a{", false},
    {"a`", false},
    {"aB", false},
    {"a-b", false},
    {"a/b", false},
    {"a.b", false},
};

START_TEST(a_stream_name_is_letters_digits_and_lines)
{
	ck_assert_msg(
	    name_stream_ok(stream_names[_i].name) == stream_names[_i].ok, "%s",
	    stream_names[_i].name);
}
END_TEST

START_TEST(an_extension_is_letters_and_digits)
{
	ck_assert(name_extension_ok("jsonl"));
	ck_assert(name_extension_ok("a1"));
	ck_assert(!name_extension_ok(""));
	ck_assert(!name_extension_ok("a.b"));
	ck_assert(!name_extension_ok("a_b"));
	ck_assert(!name_extension_ok("{"));
	ck_assert(!name_extension_ok("abcdefghijklmnopqrstuvwxyz0123456789"));
}
END_TEST

static const struct {
	const char *name, *extension; /* NULL: none of ours */
	uint64_t number;
} live_names[] = {
    {"0000000000000042.jsonl.open", "jsonl", 42},
    {"8999999999999999.raw.open", "raw", UINT64_C(8999999999999999)},
    {"9000000000000000.raw.open", NULL, 0},
    {"000000000000042.jsonl.open", NULL, 0},
    {"00000000000000042.jsonl.open", NULL, 0},
    {"0000000000000042", NULL, 0},
    {"0000000000000042.jsonl", NULL, 0},
    {"0000000000000042.jsonl.opened", NULL, 0},
    {"0000000000000042..open", NULL, 0},
    {"0000000000000042_jsonl.open", NULL, 0},
    {"000000000000004x.jsonl.open", NULL, 0},
};

START_TEST(live_names_are_read_as_they_are_made)
{
	char extension[SPOOL_EXTENSION_MAX + 1] = "", again[SPOOL_PATH];
	uint64_t number = 0;
	bool ours = name_parse_live(live_names[_i].name, &number, extension);

	ck_assert(ours == (live_names[_i].extension != NULL));
	if (!ours)
		return;
	ck_assert_uint_eq(number, live_names[_i].number);
	ck_assert_str_eq(extension, live_names[_i].extension);
	name_live(again, number, extension);
	ck_assert_str_eq(again, live_names[_i].name);
}
END_TEST

static const struct {
	const char *name, *stream; /* NULL: none of ours */
	uint64_t number;
} ready_names[] = {
    {"traffic-3fa94c1e-0000000000000042.jsonl", "traffic", 42},
    {"traffic-3fa94c1e-0000000000000042.jsonl.gz", "traffic", 42},
    {"traffic-3fa94c1-0000000000000042.jsonl", NULL, 0},
    {"traffic-3fa94c1e0-0000000000000042.jsonl", NULL, 0},
    {"traffic-3fa94c1e-000000000000042.jsonl", NULL, 0},
    {"traffic-3fa94c1e-0000000000000042", NULL, 0},
    {"traffic-3fa94c1e-00000000000000420.jsonl", NULL, 0},
    {"traffic-3fa94c1e", NULL, 0},
    {"traffic", NULL, 0},
    {"", NULL, 0},
};

START_TEST(ready_names_give_stream_and_number)
{
	struct span stream;
	uint64_t number = 0;
	bool ours = name_parse_ready(ready_names[_i].name, &stream, &number);

	ck_assert(ours == (ready_names[_i].stream != NULL));
	if (!ours)
		return;
	ck_assert(span_eq(stream, span_str(ready_names[_i].stream)));
	ck_assert_uint_eq(number, ready_names[_i].number);
}
END_TEST

START_TEST(what_is_shown_of_a_name_is_plain_text)
{
	char shown[8];

	name_show(shown, sizeof(shown), "a b\x7f\x1b~");
	ck_assert_str_eq(shown, "a?b??~");
	name_show(shown, sizeof(shown), "0123456789");
	ck_assert_str_eq(shown, "0123456");
}
END_TEST

/* --- lines --- */

struct kept {
	int calls, fail_at; /* 0: none fails */
	uint64_t bytes;
};

static bool
keep(void *arg, uint64_t from, uint64_t to)
{
	struct kept *kept = arg;

	kept->calls++;
	kept->bytes += to - from;
	return kept->calls != kept->fail_at;
}

START_TEST(lines_stop_where_keeping_them_fails)
{
	static const struct span text = SPAN("{1}\nx\n{2}\ny\n{3}\n");
	struct kept kept = {.fail_at = _i};
	struct lines lines;
	bool fed, ended;

	lines_init(&lines, LINES_JSON, keep, &kept);
	fed = lines_feed(&lines, text);
	ended = lines_end(&lines);
	/* two runs end with a bad line, the third with the file */
	ck_assert(fed == (_i == 0 || _i == 3));
	ck_assert(ended == (_i == 0));
	ck_assert_int_eq(kept.calls, _i == 0 ? 3 : _i);
	if (_i == 0) {
		ck_assert_uint_eq(kept.bytes, 12);
		ck_assert_uint_eq(lines.dropped, 4);
		ck_assert_uint_eq(lines.records, 3);
	}
	/* nothing is taken after that */
	if (!fed)
		ck_assert(!lines_feed(&lines, text));
	ck_assert_int_eq(kept.calls, _i == 0 ? 3 : _i);
}
END_TEST

/* --- the buffer --- */

START_TEST(a_buffer_is_rounded_up_and_wraps)
{
	struct ring ring;
	char *at;

	ck_assert(ring_init(&ring, 100000));
	ck_assert_uint_eq(ring.size, 131072);
	ck_assert_ptr_nonnull(ring_reserve(&ring, 131072));
	ck_assert_ptr_null(ring_reserve(&ring, 131073));
	ring.head = 131070;
	ring_flush(&ring);
	ring_free_to(&ring, 131070);
	at = ring_reserve(&ring, 10);
	ck_assert_ptr_nonnull(at);
	memcpy(at, "0123456789", 10);
	ck_assert(memcmp(ring_at(&ring, 131072), "23456789", 8) == 0);
	ring_clear(&ring);
	ck_assert_ptr_null(ring.base);
}
END_TEST

START_TEST(a_buffer_keeps_what_is_in_it_when_it_changes_size)
{
	struct ring ring;

	ck_assert(ring_init(&ring, 1 << 17));
	memset(ring_reserve(&ring, 100000), 'x', 100000);
	ring.head = 100000;
	/* it would not fit */
	ck_assert(!ring_resize(&ring, 1 << 16));
	ck_assert_uint_eq(ring.size, 1 << 17);
	ring_flush(&ring);
	ring_free_to(&ring, 99990);
	ck_assert(ring_resize(&ring, 1 << 16));
	ck_assert_uint_eq(ring.size, 1 << 16);
	ck_assert(memcmp(ring_at(&ring, 99990), "xxxxxxxxxx", 10) == 0);
	ck_assert_ptr_nonnull(ring_reserve(&ring, (1 << 16) - 10));
	ck_assert_ptr_null(ring_reserve(&ring, (1 << 16) - 9));
	ring_clear(&ring);
}
END_TEST

START_TEST(a_page_begins_only_where_there_is_room_for_the_gap)
{
	struct ring ring;

	ck_assert(ring_init(&ring, 1 << 16));
	ck_assert_ptr_nonnull(ring_reserve(&ring, 10));
	ring.head = 10;
	ring_align(&ring, 4096);
	ck_assert_uint_eq(ring.head, 4096);
	ring_align(&ring, 4096);
	ck_assert_uint_eq(ring.head, 4096);
	/* full up to a byte: the next page would be beyond */
	ring.head = (1 << 16) - 1;
	ring.room = (1 << 16) - 1;
	ring_align(&ring, 4096);
	ck_assert_uint_eq(ring.head, (1 << 16) - 1);
	ring_clear(&ring);
}
END_TEST

START_TEST(a_buffer_that_cannot_be_had_changes_nothing)
{
	struct ring ring, other;
	bool made, resized;

	ck_assert(ring_init(&ring, 1 << 16));
	memcpy(ring_reserve(&ring, 5), "bytes", 5);
	ring.head = 5;
	unmapped = true;
	made = ring_init(&other, 1 << 24);
	resized = ring_resize(&ring, 1 << 24);
	unmapped = false;
	ck_assert(!made);
	ck_assert_ptr_null(other.base);
	ring_clear(&other);
	ck_assert(!resized);
	ck_assert_uint_eq(ring.size, 1 << 16);
	ck_assert(memcmp(ring_at(&ring, 0), "bytes", 5) == 0);
	ring_clear(&ring);
}
END_TEST

#ifndef RING_SHM
START_TEST(a_buffer_that_cannot_be_mapped_twice_is_none)
{
	struct ring ring;
	bool made;

	failing = true;
	made = ring_init(&ring, 1 << 16);
	failing = false;
	ck_assert(!made);
	ck_assert_ptr_null(ring.base);
}
END_TEST
#endif

/* --- the disk --- */

START_TEST(a_copy_of_a_file_that_became_shorter_fails)
{
	char name[] = "/tmp/spool-parts-XXXXXX";
	int fd = mkstemp(name), to = open("/dev/null", O_WRONLY);

	ck_assert(fd >= 0 && to >= 0);
	ck_assert_int_eq(unlink(name), 0);
	ck_assert_int_eq(write(fd, "12345", 5), 5);
	ck_assert(disk_copy(fd, to, 1, 5));
	errno = 0;
	ck_assert(!disk_copy(fd, to, 0, 6));
	ck_assert_int_eq(errno, EIO);
	close(to);
	to = open("/dev/full", O_WRONLY);
	ck_assert_int_ge(to, 0);
	ck_assert(!disk_copy(fd, to, 0, 5));
	ck_assert_int_eq(errno, ENOSPC);
	close(to);
	close(fd);
	ck_assert(!disk_copy(-1, to, 0, 5));
}
END_TEST

START_TEST(packed_bytes_go_to_the_disk_or_not)
{
	static const enum spool_compress kinds[] = {SPOOL_GZIP, SPOOL_ZSTD};
	static char noise[1 << 20], packed[3 << 20];
	uint8_t sum[SHA256_SIZE], all[SHA256_SIZE];
	struct sha256 *sha = sha256_new();
	struct pack *pack = pack_new(kinds[_i]);
	int good = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	int full = open("/dev/full", O_WRONLY);
	unsigned state = 1;
	size_t i;
	ssize_t n;

	ck_assert(pack && sha && good >= 0 && full >= 0);
	/* incompressible: more comes out than one piece */
	for (i = 0; i < sizeof(noise); i++) {
		state = state * 1103515245 + 12345;
		noise[i] = (char)(state >> 16);
	}
	ck_assert(pack_feed(pack, span_of(noise, sizeof(noise)), false, good));
	ck_assert(pack_feed(pack, span_of(noise, sizeof(noise)), true, good));
	n = pread(good, packed, sizeof(packed), 0);
	ck_assert_int_gt(n, (ssize_t)sizeof(noise));
	sha256_add(sha, span_of(packed, (size_t)n));
	sha256_end(sha, all);
	sha256_free(sha);
	pack_sum(pack, sum);
	ck_assert_mem_eq(sum, all, sizeof(sum));
	pack_free(pack);
	pack = pack_new(kinds[_i]);
	ck_assert_ptr_nonnull(pack);
	errno = 0;
	ck_assert(!pack_feed(pack, span_of(noise, sizeof(noise)), true, full));
	ck_assert_int_eq(errno, ENOSPC);
	pack_free(pack);
	pack_free(NULL);
	close(good);
	close(full);
}
END_TEST

START_TEST(without_memory_nothing_is_packed)
{
	static const enum spool_compress kinds[] = {SPOOL_GZIP, SPOOL_ZSTD};
	struct pack *pack, *other = pack_new(SPOOL_ZSTD);
	int null = open("/dev/null", O_WRONLY);
	bool fed;

	ck_assert(other && null >= 0);
	errno = 0;
	failing = true;
	pack = pack_new(kinds[_i]);
	failing = false;
	ck_assert_ptr_null(pack);
	ck_assert_int_eq(errno, ENOMEM);
	errno = 0;
	failing = true;
	fed = pack_feed(other, SPAN("bytes"), true, null);
	failing = false;
	ck_assert(!fed);
	ck_assert_int_eq(errno, ENOMEM);
	pack_free(other);
	close(null);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("spool parts");
	TCase *names = tcase_create("names");
	TCase *lines = tcase_create("lines");
	TCase *buffer = tcase_create("buffer");
	TCase *disk = tcase_create("disk");

	tcase_add_loop_test(names, a_stream_name_is_letters_digits_and_lines, 0,
	    COUNT_OF(stream_names));
	tcase_add_test(names, an_extension_is_letters_and_digits);
	tcase_add_loop_test(names, live_names_are_read_as_they_are_made, 0,
	    COUNT_OF(live_names));
	tcase_add_loop_test(names, ready_names_give_stream_and_number, 0,
	    COUNT_OF(ready_names));
	tcase_add_test(names, what_is_shown_of_a_name_is_plain_text);
	tcase_add_loop_test(lines, lines_stop_where_keeping_them_fails, 0, 4);
	tcase_add_test(buffer, a_buffer_is_rounded_up_and_wraps);
	tcase_add_test(
	    buffer, a_buffer_keeps_what_is_in_it_when_it_changes_size);
	tcase_add_test(
	    buffer, a_page_begins_only_where_there_is_room_for_the_gap);
	tcase_add_test(buffer, a_buffer_that_cannot_be_had_changes_nothing);
	tcase_add_test(disk, a_copy_of_a_file_that_became_shorter_fails);
#ifndef RING_SHM
	tcase_add_test(buffer, a_buffer_that_cannot_be_mapped_twice_is_none);
#endif
	tcase_add_loop_test(disk, without_memory_nothing_is_packed, 0, 2);
	tcase_add_loop_test(disk, packed_bytes_go_to_the_disk_or_not, 0, 2);
	suite_add_tcase(suite, names);
	suite_add_tcase(suite, lines);
	suite_add_tcase(suite, buffer);
	suite_add_tcase(suite, disk);
	return run_suite(suite);
}
