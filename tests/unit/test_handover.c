#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "handover.h"
#include "run.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { ROOM = 65536, MAX = 40 };

/* Streams whose frames do not end where they are cut. */
static const struct {
	const char *name, *stream;
} streams[] = {
    {"text", "<13>one\n<13>two\r\n<13>three\n"},
    {"nul", "<13>one\0<13>two\n"},
    {"counted", "8 <13>1234<13>line\n7 <13>123"},
    {"text over max", "<13>this line is longer than what is kept of one\r\n"
		      "<13>next\n"},
    {"counted over max",
	"60 <13>this one is longer than what is kept of one, too, "
	"and ends <13>next\n"},
};

static const struct handover_conn some = {
    .cookie = UINT64_C(0x123456789abcdef0),
    .address = {[10] = 0xff, 0xff, 192, 0, 2, 7},
    .port = 40112,
    .framing = {.max = MAX, .scanned = 5},
    .kept = {"<13>x", 5},
};

/* A file of one record. */
static struct span
file_of(const struct handover_conn *conn)
{
	static char file[ROOM];
	size_t n = HANDOVER_HEADER + HANDOVER_RECORD + conn->kept.n;

	ck_assert_uint_le(n, sizeof file);
	handover_put_header(file, 1, n);
	handover_put_conn(file + HANDOVER_HEADER, conn);
	if (conn->kept.n > 0)
		memcpy(file + HANDOVER_HEADER + HANDOVER_RECORD, conn->kept.p,
		    conn->kept.n);
	return span_of(file, n);
}

/* The one connection in it. */
static bool
read_file(struct span in, struct handover_conn *conn)
{
	uint32_t records;

	return handover_open(&in, &records) && records == 1 &&
	       handover_next(&in, conn) && in.n == 0;
}

START_TEST(what_was_written_is_read)
{
	struct handover_conn conn = {0};

	ck_assert(read_file(file_of(&some), &conn));
	ck_assert_uint_eq(conn.cookie, some.cookie);
	ck_assert_mem_eq(conn.address, some.address, sizeof some.address);
	ck_assert_uint_eq(conn.port, some.port);
	ck_assert(span_eq(conn.kept, some.kept));
	ck_assert_uint_eq(conn.framing.max, MAX);
	ck_assert_uint_eq(conn.framing.scanned, 5);
}
END_TEST

/* No byte may be lost, no byte read that is not there. */
START_TEST(every_shorter_file_is_refused)
{
	struct span file = file_of(&some);
	struct handover_conn conn;
	struct guard guard;

	guard_open(&guard, file.n);
	for (size_t n = 0; n < file.n; n++)
		ck_assert_msg(
		    !read_file(guard_place(&guard, span_take(file, n)), &conn),
		    "%zu bytes", n);
	guard_close(&guard);
}
END_TEST

START_TEST(every_altered_byte_is_noticed)
{
	struct span file = file_of(&some);
	struct handover_conn conn;
	char *p = (char *)file.p;

	for (size_t i = 0; i < file.n; i++) {
		p[i] ^= 0x10;
		ck_assert_msg(!read_file(file, &conn), "byte %zu", i);
		p[i] ^= 0x10;
	}
	ck_assert(read_file(file, &conn));
}
END_TEST

START_TEST(a_file_that_is_longer_than_it_says_is_refused)
{
	struct span file = file_of(&some);
	struct handover_conn conn;

	ck_assert(!read_file(span_of(file.p, file.n + 1), &conn));
}
END_TEST

/* --- states --- */

/* What came out: bytes, lengths and ends. */
struct seen {
	char text[ROOM];
	size_t n;
};

/* Takes the piece behind what is kept, and answers what to keep then. */
static struct span
take(struct framing *f, struct span kept, struct span piece, struct seen *seen)
{
	static char buffers[2][ROOM];
	static unsigned turn;
	char *buffer = buffers[turn++ % 2];
	struct framing_frame frame;
	size_t used, keep;
	struct span in = span_of(buffer, kept.n + piece.n);

	if (kept.n > 0)
		memcpy(buffer, kept.p, kept.n);
	if (piece.n > 0)
		memcpy(buffer + kept.n, piece.p, piece.n);
	while (framing_next(f, in, &frame, &used, &keep) == FRAMING_FRAME) {
		seen->n += (size_t)snprintf(seen->text + seen->n,
		    sizeof seen->text - seen->n, "[%.*s|%llu]",
		    (int)frame.bytes.n, frame.bytes.p,
		    (unsigned long long)frame.length);
		in = span_skip(in, used);
	}
	return span_of(in.p + used, keep);
}

static struct span
stream_of(int i)
{
	/* One of them has a NUL inside. */
	static const size_t nul = 8 + 8;

	return i == 1 ? span_of(streams[i].stream, nul)
		      : span_str(streams[i].stream);
}

/* Cut at any byte and handed over there, the same frames come out. */
START_TEST(streams_go_on_where_they_were)
{
	struct span stream = stream_of(_i);
	static struct seen whole, cut;
	struct framing f;

	whole.n = 0;
	framing_init(&f, MAX);
	take(&f, SPAN(""), stream, &whole);
	for (size_t at = 0; at <= stream.n; at++) {
		struct handover_conn conn = some, later = {0};

		cut.n = 0;
		framing_init(&conn.framing, MAX);
		conn.kept =
		    take(&conn.framing, SPAN(""), span_take(stream, at), &cut);
		ck_assert_msg(read_file(file_of(&conn), &later),
		    "%s cut at %zu", streams[_i].name, at);
		take(&later.framing, later.kept, span_skip(stream, at), &cut);
		ck_assert_uint_eq(cut.n, whole.n);
		ck_assert_mem_eq(cut.text, whole.text, whole.n);
	}
}
END_TEST

/* clang-format off */
static const struct {
	const char *why;
	size_t kept;
	struct framing framing;
} impossible[] = {
	{ "no message could be kept",     0, { .max = 0 } },
	{ "max over any configuration's", 0, { .max = HANDOVER_MAX_MESSAGE + 1 } },
	{ "scanned more than kept",       4, { .max = 9, .scanned = 5 } },
	{ "a count without digits",       4, { .max = 9, .announced = 3 } },
	{ "a count of too many digits",  20, { .max = 9, .scanned = 20,
	                                       .header = 9, .announced = 30 } },
	{ "a count beyond what is kept",  2, { .max = 9, .scanned = 2,
	                                       .header = 3, .announced = 30 } },
	{ "a count over the largest",     9, { .max = 9, .scanned = 9,
	                                       .header = 8,
	                                       .announced = 10000000 } },
	{ "forgot before all was kept",   8, { .max = 9, .scanned = 8,
	                                       .skipped = 1 } },
	{ "forgot more than announced",  12, { .max = 9, .scanned = 12,
	                                       .header = 3, .announced = 10,
	                                       .skipped = 2 } },
	{ "forgot what fits",            12, { .max = 9, .scanned = 12,
	                                       .header = 3, .announced = 9,
	                                       .skipped = 1 } },
	{ "forgot beyond counting",       9, { .max = 9, .scanned = 9,
	                                       .skipped = UINT64_MAX } },
	{ "a CR that was not forgotten",  9, { .max = 9, .scanned = 9,
	                                       .skipped_cr = true } },
};
/* clang-format on */

START_TEST(an_impossible_state_is_refused)
{
	char bytes[32] = "12345678901234567890";
	struct handover_conn conn = some, later;

	conn.framing = impossible[_i].framing;
	conn.kept = span_of(bytes, impossible[_i].kept);
	ck_assert_msg(
	    !read_file(file_of(&conn), &later), "%s", impossible[_i].why);
}
END_TEST

static Suite *
handover_suite(void)
{
	Suite *suite = suite_create("handover");
	TCase *file = tcase_create("file");
	TCase *state = tcase_create("state");

	tcase_add_test(file, what_was_written_is_read);
	tcase_add_test(file, every_shorter_file_is_refused);
	tcase_add_test(file, every_altered_byte_is_noticed);
	tcase_add_test(file, a_file_that_is_longer_than_it_says_is_refused);
	suite_add_tcase(suite, file);
	tcase_add_loop_test(
	    state, streams_go_on_where_they_were, 0, (int)COUNT(streams));
	tcase_add_loop_test(
	    state, an_impossible_state_is_refused, 0, (int)COUNT(impossible));
	suite_add_tcase(suite, state);
	return suite;
}

int
main(void)
{
	return run_suite(handover_suite());
}
