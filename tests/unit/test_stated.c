/* What is read of the ledger, and how often. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain.h"
#include "run.h"
#include "spool/disk.h"
#include "stated.h"

enum { NAME = 64, SEEN = 4096, BEGIN = 1764000000 /* UTC s */ };

static char root[64];
static int dir = -1;
static struct stated *stated;
static char seen[SEEN]; /* names, a blank between two */
static size_t calls;

static void
setup(void)
{
	strcpy(root, "/tmp/sepmlog-stated-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir, 0);
	stated = stated_new();
	ck_assert_ptr_nonnull(stated);
}

static void
remove_cb(void *arg, const char *name)
{
	(void)arg;
	unlinkat(dir, name, 0);
}

static void
teardown(void)
{
	stated_free(stated);
	ck_assert(disk_list(dir, remove_cb, NULL));
	close(dir);
	ck_assert_int_eq(rmdir(root), 0);
}

/* --- the ledger --- */

static void
name_of(char name[NAME], unsigned number)
{
	snprintf(name, NAME, "ledger-3fa94c1e-%016u.jsonl", number);
}

static void
append(unsigned number, struct span bytes)
{
	char name[NAME];
	int fd;

	name_of(name, number);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert(disk_write(fd, bytes, NULL));
	close(fd);
}

/* The whole line of it; good until the next one. */
static struct span
end_line(const struct ledger_text *text)
{
	static char line[LEDGER_LINE];
	static const uint8_t chain[SHA256_SIZE];
	struct span body = ledger_body(text);

	memcpy(line, body.p, body.n);
	ledger_tail(chain, line + body.n);
	return span_of(line, body.n + LEDGER_TAIL);
}

static struct span
file_line(const char *name)
{
	struct ledger_text text;

	ledger_begin(&text, "file", (int64_t)BEGIN * 1000000);
	ledger_put_text(&text, "name", span_str(name));
	return end_line(&text);
}

static void
begin_file(unsigned number)
{
	struct ledger_text text;

	ledger_begin(&text, "ledger", (int64_t)BEGIN * 1000000);
	ledger_put_number(&text, "number", number);
	append(number, end_line(&text));
}

static void
add(unsigned number, const char *name)
{
	append(number, file_line(name));
}

static void
vanish(unsigned number)
{
	char name[NAME];

	name_of(name, number);
	ck_assert_int_eq(unlinkat(dir, name, 0), 0);
}

/* --- reading it --- */

static void
seen_cb(void *arg, const struct ledger_entry *entry)
{
	struct span name = ledger_text(entry, "name");
	size_t n = strlen(seen);

	ck_assert_ptr_eq(arg, seen);
	ck_assert(span_eq(entry->type, SPAN("file")));
	calls++;
	if (n + name.n + 2 < sizeof seen)
		snprintf(seen + n, sizeof seen - n, "%s%.*s", n > 0 ? " " : "",
		    (int)name.n, name.p);
}

static bool
try_read(int at)
{
	seen[0] = '\0';
	calls = 0;
	return stated_read(stated, at, seen_cb, seen);
}

static void
assert_read(const char *names)
{
	ck_assert(try_read(dir));
	ck_assert_str_eq(seen, names);
}

START_TEST(test_once_more)
{
	struct ledger_text other;

	begin_file(1);
	add(1, "a");
	add(1, "b");
	assert_read("a b");
	assert_read("a b");
	assert_read("");
	ledger_begin(&other, "dropped", 0);
	ledger_put_text(&other, "name", SPAN("b"));
	append(1, end_line(&other));
	add(1, "c");
	assert_read("c");
	add(1, "d");
	assert_read("c d");
	add(1, "e");
	assert_read("d e");
	assert_read("e");
	assert_read("");
	assert_read("");
}
END_TEST

START_TEST(test_half_a_line)
{
	struct span line;

	begin_file(1);
	add(1, "a");
	line = file_line("b");
	append(1, span_take(line, line.n / 2));
	assert_read("a");
	assert_read("a");
	assert_read("");
	append(
	    1, span_take(span_skip(line, line.n / 2), line.n - line.n / 2 - 1));
	assert_read(""); /* but for its LF it is whole */
	append(1, SPAN("\n"));
	assert_read("b");
	add(1, "c");
	assert_read("b c");
	assert_read("c");
	assert_read("");
}
END_TEST

START_TEST(test_next_file)
{
	begin_file(1);
	add(1, "a");
	assert_read("a");
	add(1, "b");
	begin_file(2);
	add(2, "c");
	begin_file(3);
	assert_read("a b c");
	add(3, "d");
	begin_file(10);
	add(10, "e");
	assert_read("b c d e");
	assert_read("d e");
	assert_read("");
	begin_file(11);
	add(11, "f");
	assert_read("f");
	assert_read("f");
	assert_read("");
}
END_TEST

/* Their time had come. */
START_TEST(test_vanished)
{
	begin_file(1);
	add(1, "a");
	begin_file(2);
	add(2, "b");
	assert_read("a b");
	vanish(1);
	assert_read("b");
	add(2, "c");
	begin_file(3);
	add(3, "d");
	vanish(2);
	assert_read("d");
	vanish(3);
	assert_read("");
	/* all of the one that comes then, though it is shorter */
	add(4, "e");
	assert_read("e");
	assert_read("e");
	assert_read("");
}
END_TEST

static void
append_bytes(unsigned number, char byte, size_t n)
{
	char piece[LEDGER_LINE];

	memset(piece, byte, sizeof piece);
	for (; n > sizeof piece; n -= sizeof piece)
		append(number, span_of(piece, sizeof piece));
	append(number, span_of(piece, n));
}

/* Each between two lines, which are read. */
START_TEST(test_garbage)
{
	static const size_t sizes[] = {1, LEDGER_LINE - 1, LEDGER_LINE, 100000,
	    128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 1000000};
	static const char bytes[] = {'x', '\0', '{', '\n', '\xff'};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (size_t k = 0; k < sizeof bytes; k++) {
			begin_file(1);
			add(1, "a");
			append_bytes(1, bytes[k], sizes[i]);
			append(1, SPAN("\n"));
			add(1, "b");
			append(1, SPAN("{\"type\":\"file\",\n"));
			add(1, "c");
			assert_read("a b c");
			assert_read("a b c");
			assert_read("");
			vanish(1);
			stated_free(stated);
			stated = stated_new();
		}
	}
}
END_TEST

/* A line of the right form, but for its length, which a name fills. */
START_TEST(test_too_long)
{
	static const size_t more[] = {LEDGER_LINE, LEDGER_LINE + 1};
	static const struct span head = SPAN("{\"type\":\"file\",\"name\":\"");
	static const uint8_t chain[SHA256_SIZE];
	char tail[LEDGER_TAIL];

	ledger_tail(chain, tail);
	for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
		append(1, head);
		append_bytes(1, 'n', more[i] - head.n - 1 - LEDGER_TAIL);
		append(1, SPAN("\""));
		append(1, span_of(tail, sizeof tail));
		add(1, "a");
		ck_assert(try_read(dir));
		ck_assert_uint_eq(calls, i == 0 ? 2 : 1);
		vanish(1);
		stated_free(stated);
		stated = stated_new();
	}
}
END_TEST

/* More than is read at a time. */
START_TEST(test_many)
{
	enum { LINES = 3000 };
	char name[NAME];

	begin_file(1);
	for (unsigned n = 0; n < LINES; n++) {
		name_of(name, n);
		add(1, name);
	}
	ck_assert(try_read(dir));
	ck_assert_uint_eq(calls, LINES);
	add(1, "last");
	ck_assert(try_read(dir));
	ck_assert_uint_eq(calls, LINES + 1);
	assert_read("last");
}
END_TEST

START_TEST(test_no_ledger)
{
	assert_read("");
	assert_read("");
	begin_file(1);
	add(1, "a");
	begin_file(2);
	add(2, "b");
	/* it comes late: all of it may be wanted, but not twice */
	assert_read("a b");
	assert_read("b");
	assert_read("");
}
END_TEST

/* Those that can be read are; the last one is tried again. */
START_TEST(test_failure)
{
	char name[NAME];

	begin_file(1);
	add(1, "a");
	ck_assert(!try_read(-1));
	ck_assert_int_eq(errno, EBADF);
	ck_assert_uint_eq(calls, 0);
	assert_read("a");
	add(1, "b");
	name_of(name, 2);
	ck_assert_int_eq(symlinkat("ledger-else", dir, name), 0);
	ck_assert(!try_read(dir));
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_str_eq(seen, "a b");
	ck_assert(!try_read(dir));
	ck_assert_str_eq(seen, "b");
	begin_file(3);
	add(3, "c");
	ck_assert(!try_read(dir));
	ck_assert_str_eq(seen, "c");
	add(3, "d");
	vanish(2);
	assert_read("c d");
	assert_read("d");
	assert_read("");
}
END_TEST

/* --- a line --- */

static const uint8_t plain_sum[SHA256_SIZE] = {1, 2, 3},
		     packed_sum[SHA256_SIZE] = {4, 5, 6};

static void
put_sum(struct ledger_text *text, const char *key, const uint8_t *sum)
{
	char hex[SHA256_HEX];

	sha256_hex(sum, hex);
	ledger_put_text(text, key, span_of(hex, sizeof hex));
}

/* As sepmlogd writes it; `time` in place of its own. */
static bool
parse_file(const char *compression, bool packed, bool checksum,
    const char *time, struct ledger_file *file)
{
	static struct ledger_entry entry;
	struct ledger_text text;
	struct span line;

	ledger_begin(&text, "file", (int64_t)BEGIN * 1000000 + 5);
	if (time != NULL) {
		text.n = 0;
		text.empty = true;
		text.bytes[text.n++] = '{';
		ledger_put_text(&text, "type", SPAN("file"));
		ledger_put_text(&text, "time", span_str(time));
	}
	ledger_put_number(&text, "bytes", 1000);
	if (checksum)
		put_sum(&text, "sha256", plain_sum);
	if (compression != NULL)
		ledger_put_text(&text, "compression", span_str(compression));
	if (packed)
		ledger_put_number(&text, "packed_bytes", 100);
	if (packed && checksum)
		put_sum(&text, "packed_sha256", packed_sum);
	line = end_line(&text);
	ck_assert(ledger_parse(span_take(line, line.n - 1), &entry));
	return ledger_file(&entry, file);
}

START_TEST(test_file)
{
	static const char *const packed[] = {"gzip", "zstd"};
	struct ledger_file file;

	for (size_t i = 0; i < 2; i++) {
		ck_assert(parse_file(packed[i], true, true, NULL, &file));
		ck_assert_uint_eq(file.size, 100);
		ck_assert_mem_eq(file.sum, packed_sum, SHA256_SIZE);
		ck_assert(!parse_file(packed[i], true, false, NULL, &file));
		/* as they were written before they had that */
		ck_assert(!parse_file(packed[i], false, true, NULL, &file));
	}
	ck_assert(parse_file("none", false, true, NULL, &file));
	ck_assert_uint_eq(file.size, 1000);
	ck_assert_mem_eq(file.sum, plain_sum, SHA256_SIZE);
	ck_assert(span_eq(file.time, SPAN("2025-11-24T16:00:00.000005Z")));
	ck_assert(!parse_file("none", false, false, NULL, &file));
	ck_assert(!parse_file(NULL, false, true, NULL, &file));
}
END_TEST

START_TEST(test_bad_time)
{
	static const char *const bad[] = {"", "2025-11-24T16:00:00Z",
	    "2025-11-24T16:00:00.000005", "2025-11-24T16:00:00.0000050Z"};
	struct ledger_file file;

	ck_assert(parse_file(
	    "none", false, true, "2025-11-24T16:00:00.000005Z", &file));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!parse_file("none", false, true, bad[i], &file),
		    "'%s'", bad[i]);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("stated");
	TCase *t = tcase_create("stated");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_once_more);
	tcase_add_test(t, test_half_a_line);
	tcase_add_test(t, test_next_file);
	tcase_add_test(t, test_vanished);
	tcase_add_test(t, test_garbage);
	tcase_add_test(t, test_too_long);
	tcase_add_test(t, test_many);
	tcase_add_test(t, test_no_ledger);
	tcase_add_test(t, test_failure);
	tcase_add_test(t, test_file);
	tcase_add_test(t, test_bad_time);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
