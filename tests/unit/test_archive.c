/*
 * gunzip and zip: archives made here, whole, cut and damaged at every byte.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "gunzip.h"
#include "run.h"
#include "zip.h"

enum { ROOM = 256 * 1024 };

struct bytes {
	char p[ROOM];
	size_t n;
};

static struct bytes archive, plain;

static void
add(struct bytes *b, const void *p, size_t n)
{
	ck_assert_uint_le(b->n + n, ROOM);
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void
add_number(struct bytes *b, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char byte = (char)(value >> 8 * i & 0xff);

		add(b, &byte, 1);
	}
}

static size_t
pack(int bits, struct span in, char *out, size_t room)
{
	z_stream z = {0};

	ck_assert_int_eq(
	    deflateInit2(&z, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)in.p;
	z.avail_in = (uInt)in.n;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)room;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return room - z.avail_out;
}

/* --- gunzip --- */

static void
add_gzip(struct span text)
{
	static char packed[ROOM];

	add(&archive, packed, pack(16 + MAX_WBITS, text, packed, ROOM));
}

/* Feeds the archive in pieces; NULL when it is whole, else why not. */
static const char *
gunzip_all(size_t piece, size_t room)
{
	static char why[200];
	struct span rest = span_of(archive.p, archive.n);
	struct gunzip *g = gunzip_new();
	enum gunzip_status status = GUNZIP_MORE;
	char *out = malloc(room);
	size_t n;

	plain.n = 0;
	while (status != GUNZIP_BROKEN) {
		status = gunzip_next(g, out, room, &n);
		ck_assert(status != GUNZIP_BYTES || n > 0);
		if (status == GUNZIP_BYTES)
			add(&plain, out, n);
		if (status == GUNZIP_MORE && rest.n == 0)
			break;
		if (status == GUNZIP_MORE) {
			gunzip_feed(g, span_take(rest, piece));
			rest = span_skip(rest, piece);
		}
	}
	snprintf(why, sizeof why, "%s", gunzip_why(g));
	n = status != GUNZIP_BROKEN && gunzip_ends(g);
	gunzip_free(g);
	free(out);
	return n ? NULL : why;
}

static void
check_plain(const char *text)
{
	ck_assert_uint_eq(plain.n, strlen(text));
	ck_assert_mem_eq(plain.p, text, plain.n);
}

START_TEST(gzip_members_follow_one_another)
{
	archive.n = 0;
	add_gzip(SPAN("one\ntwo\n"));
	add_gzip(SPAN(""));
	add_gzip(SPAN("three\n"));
	for (size_t piece = 1; piece < archive.n + 1; piece++) {
		ck_assert_ptr_null(gunzip_all(piece, 1 + piece % 9));
		check_plain("one\ntwo\nthree\n");
	}
	add(&archive, "\0\0\0", 3);
	ck_assert_ptr_null(gunzip_all(4, 100));
	check_plain("one\ntwo\nthree\n");
}
END_TEST

START_TEST(gzip_cut_is_told)
{
	size_t whole;

	archive.n = 0;
	add_gzip(SPAN("a text of some length, a text of some length\n"));
	whole = archive.n;
	for (archive.n = 0; archive.n < whole; archive.n++)
		ck_assert_ptr_nonnull(gunzip_all(7, 64));
}
END_TEST

START_TEST(gzip_damage_is_told)
{
	archive.n = 0;
	add_gzip(SPAN("a text of some length, a text of some length\n"));
	/* the flags and times of the header do not matter */
	for (size_t i = 10; i < archive.n; i++) {
		archive.p[i] ^= 0x10;
		/* but for bits that mean nothing */
		if (gunzip_all(7, 64) == NULL)
			check_plain("a text of some length, a text of some "
				    "length\n");
		archive.p[i] ^= 0x10;
	}
	add(&archive, "more", 4);
	ck_assert_str_eq(
	    gunzip_all(7, 64), "what stands behind the last member is no gzip");
	check_plain("a text of some length, a text of some length\n");
}
END_TEST

/* --- zip --- */

struct entry {
	const char *name;
	struct span text;
	unsigned method, flags;
	bool wide; /* sizes and place in a zip64 extra */
	size_t local, packed;
};

static void
add_local(struct entry *e)
{
	static char packed[ROOM];
	const Bytef *text = (const Bytef *)e->text.p;
	size_t n = e->text.n;

	if (e->method == 8)
		n = pack(-MAX_WBITS, e->text, packed, ROOM);
	else if (n > 0)
		memcpy(packed, e->text.p, n);
	e->local = archive.n;
	e->packed = n;
	add_number(&archive, 0x04034b50, 4);
	add_number(&archive, 20, 2);
	add_number(&archive, e->flags, 2);
	add_number(&archive, e->method, 2);
	add_number(&archive, 0x58ae6000, 4);
	add_number(
	    &archive, crc32(crc32(0, NULL, 0), text, (uInt)e->text.n), 4);
	add_number(&archive, n, 4);
	add_number(&archive, e->text.n, 4);
	add_number(&archive, strlen(e->name), 2);
	add_number(&archive, 3, 2);
	add(&archive, e->name, strlen(e->name));
	add(&archive, "ext", 3);
	add(&archive, packed, n);
}

static void
add_central(const struct entry *e)
{
	const Bytef *text = (const Bytef *)e->text.p;
	uint64_t none = 0xffffffff;

	add_number(&archive, 0x02014b50, 4);
	add_number(&archive, 20, 2);
	add_number(&archive, 20, 2);
	add_number(&archive, e->flags, 2);
	add_number(&archive, e->method, 2);
	/* 2024-05-14 12:00:00 */
	add_number(&archive, 0x58ae6000, 4);
	add_number(
	    &archive, crc32(crc32(0, NULL, 0), text, (uInt)e->text.n), 4);
	add_number(&archive, e->wide ? none : e->packed, 4);
	add_number(&archive, e->wide ? none : e->text.n, 4);
	add_number(&archive, strlen(e->name), 2);
	add_number(&archive, e->wide ? 5 + 28 : 0, 2);
	add_number(&archive, 2, 2);
	add_number(&archive, 0, 8);
	add_number(&archive, e->wide ? none : e->local, 4);
	add(&archive, e->name, strlen(e->name));
	if (e->wide) {
		add_number(&archive, 0x9999, 2);
		add_number(&archive, 1, 2);
		add(&archive, "x", 1);
		add_number(&archive, 1, 2);
		add_number(&archive, 24, 2);
		add_number(&archive, e->text.n, 8);
		add_number(&archive, e->packed, 8);
		add_number(&archive, e->local, 8);
	}
	add(&archive, "co", 2);
}

static void
add_end64(size_t directory, size_t size, size_t count)
{
	size_t at = archive.n;

	add_number(&archive, 0x06064b50, 4);
	add_number(&archive, 44, 8);
	add_number(&archive, 45, 2);
	add_number(&archive, 45, 2);
	add_number(&archive, 0, 8);
	add_number(&archive, count, 8);
	add_number(&archive, count, 8);
	add_number(&archive, size, 8);
	add_number(&archive, directory, 8);
	add_number(&archive, 0x07064b50, 4);
	add_number(&archive, 0, 4);
	add_number(&archive, at, 8);
	add_number(&archive, 1, 4);
}

static void
make_zip(struct entry *entries, size_t count, bool wide, const char *comment)
{
	size_t directory, size;

	archive.n = 0;
	for (size_t i = 0; i < count; i++)
		add_local(&entries[i]);
	directory = archive.n;
	for (size_t i = 0; i < count; i++)
		add_central(&entries[i]);
	size = archive.n - directory;
	if (wide)
		add_end64(directory, size, count);
	add_number(&archive, 0x06054b50, 4);
	add_number(&archive, 0, 4);
	add_number(&archive, wide ? 0xffff : count, 2);
	add_number(&archive, wide ? 0xffff : count, 2);
	add_number(&archive, wide ? 0xffffffff : size, 4);
	add_number(&archive, wide ? 0xffffffff : directory, 4);
	add_number(&archive, strlen(comment), 2);
	add(&archive, comment, strlen(comment));
}

static bool
read_cb(void *arg, uint64_t at, char *to, size_t n)
{
	(void)arg;
	ck_assert_uint_le(at, archive.n);
	ck_assert_uint_le(n, archive.n - at);
	memcpy(to, archive.p + at, n);
	return true;
}

/* All members' texts, each behind its name; NULL, or why not. */
static const char *
unzip_all(size_t room)
{
	static char why[200];
	struct zip *z = zip_new(read_cb, NULL, archive.n);
	struct zip_member m;
	enum zip_status status;
	char *out = malloc(room);
	bool good = true;
	size_t n;

	plain.n = 0;
	while (good && (status = zip_next(z, &m)) == ZIP_MEMBER) {
		add(&plain, m.name.p, m.name.n);
		add(&plain, ":", 1);
		do {
			good = zip_data(z, out, room, &n);
			if (good && plain.n < ROOM / 2)
				add(&plain, out, n);
		} while (good && n > 0);
	}
	good = good && status == ZIP_END;
	snprintf(why, sizeof why, "%s", zip_why(z));
	zip_free(z);
	free(out);
	return good ? NULL : why;
}

static void
check_why(const char *text)
{
	const char *why = unzip_all(100);

	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, text) != NULL, "%s", why);
}

#define TEXT SPAN("some text, some text, some text, some text\n")

START_TEST(zip_members_are_read)
{
	struct entry entries[] = {
	    {.name = "a.log", .text = TEXT, .method = 8},
	    {.name = "sub/", .text = SPAN("")},
	    {.name = "sub/b", .text = SPAN("two\n"), .method = 0},
	    {.name = "empty", .text = SPAN(""), .method = 0},
	    {.name = "../../c", .text = SPAN("three\n"), .method = 8},
	};
	const char *expected = "a.log:some text, some text, some text, some "
			       "text\nsub/b:two\nempty:../../c:three\n";

	for (int wide = 0; wide < 2; wide++) {
		for (size_t i = 0; i < 5; i++)
			entries[i].wide = wide;
		make_zip(
		    entries, 5, wide, wide ? "" : "a comment PK\5\6 of it");
		for (size_t room = 1; room < 60; room++) {
			ck_assert_msg(
			    unzip_all(room) == NULL, "%s", unzip_all(room));
			check_plain(expected);
		}
	}
}
END_TEST

START_TEST(zip_of_nothing)
{
	make_zip(NULL, 0, false, "");
	ck_assert_ptr_null(unzip_all(10));
	ck_assert_uint_eq(plain.n, 0);
	ck_assert(zip_is(span_of(archive.p, archive.n)));
}
END_TEST

START_TEST(zip_with_something_in_front)
{
	struct entry entry = {.name = "a", .text = TEXT, .method = 8};
	static struct bytes whole;

	make_zip(&entry, 1, false, "");
	whole.n = 0;
	add(&whole, "#!/bin/sh\n", 10);
	add(&whole, archive.p, archive.n);
	archive = whole;
	ck_assert_ptr_null(unzip_all(10));
	check_plain("a:some text, some text, some text, some text\n");
}
END_TEST

START_TEST(zip_times)
{
	struct entry entry = {.name = "a", .text = TEXT, .method = 8};
	struct zip *z;
	struct zip_member m;

	make_zip(&entry, 1, false, "");
	z = zip_new(read_cb, NULL, archive.n);
	ck_assert_int_eq(zip_next(z, &m), ZIP_MEMBER);
	ck_assert_int_eq(m.modified, 1715688000);
	zip_free(z);
}
END_TEST

START_TEST(zip_cut_is_told)
{
	struct entry entry = {.name = "a", .text = TEXT, .method = 8};
	size_t whole;

	make_zip(&entry, 1, false, "");
	whole = archive.n;
	for (archive.n = 0; archive.n < whole; archive.n++)
		check_why(archive.n > 0 ? "it was cut off" : "missing");
}
END_TEST

/* Whatever is changed, what comes out is right or it is told. */
START_TEST(zip_damage_is_told)
{
	struct entry entries[] = {
	    {.name = "a", .text = TEXT, .method = 8, .wide = true},
	    {.name = "b", .text = TEXT, .method = 0},
	};
	const char *expected = "some text, some text, some text, some text\n";

	make_zip(entries, 2, true, "end");
	for (size_t i = 0; i < archive.n; i++)
		for (int bit = 0; bit < 8; bit++) {
			archive.p[i] ^= (char)(1 << bit);
			if (unzip_all(50) == NULL && plain.n > 46)
				ck_assert_msg(
				    memcmp(plain.p + 2, expected, 43) == 0,
				    "byte %zu bit %d", i, bit);
			archive.p[i] ^= (char)(1 << bit);
		}
}
END_TEST

START_TEST(zip_that_cannot_be_read)
{
	struct entry entry = {.name = "a", .text = TEXT, .method = 8};
	struct entry two[2];

	entry.flags = 1;
	make_zip(&entry, 1, false, "");
	check_why("encrypted");
	entry.flags = 0;
	entry.method = 9;
	make_zip(&entry, 1, false, "");
	check_why("packed in a way not known here (9)");

	/* two members over the same bytes */
	entry.method = 0;
	two[0] = two[1] = entry;
	archive.n = 0;
	add_local(&two[0]);
	two[1].local = two[0].local;
	two[1].packed = two[0].packed;
	{
		size_t directory = archive.n;

		add_central(&two[0]);
		add_central(&two[1]);
		add_number(&archive, 0x06054b50, 4);
		add_number(&archive, 0, 4);
		add_number(&archive, 2, 2);
		add_number(&archive, 2, 2);
		add_number(&archive, archive.n - 12 - directory, 4);
		add_number(&archive, directory, 4);
		add_number(&archive, 0, 2);
	}
	check_why("members overlap");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("archive");
	TCase *gzip = tcase_create("gunzip"), *zip = tcase_create("zip");

	tcase_add_test(gzip, gzip_members_follow_one_another);
	tcase_add_test(gzip, gzip_cut_is_told);
	tcase_add_test(gzip, gzip_damage_is_told);
	suite_add_tcase(s, gzip);
	tcase_add_test(zip, zip_members_are_read);
	tcase_add_test(zip, zip_of_nothing);
	tcase_add_test(zip, zip_with_something_in_front);
	tcase_add_test(zip, zip_times);
	tcase_add_test(zip, zip_cut_is_told);
	tcase_add_test(zip, zip_damage_is_told);
	tcase_add_test(zip, zip_that_cannot_be_read);
	tcase_set_timeout(zip, 60);
	suite_add_tcase(s, zip);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
