#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "framing.h"
#include "run.h"

enum { MAX = 20, STREAM = 4096 };

/* What came out of a stream, as one text: `[bytes|length]`, `~` behind what
 * was unterminated. Two streams gave the same frames if these are equal. */
struct seen {
	char text[64 * STREAM];
	size_t n;
};

static void
seen_add(struct seen *seen, const char *p, size_t n, uint64_t length,
    bool unterminated)
{
	char tail[32];
	int m = snprintf(tail, sizeof tail, "|%llu]%s",
	    (unsigned long long)length, unterminated ? "~" : "");

	ck_assert_uint_lt(seen->n + n + (size_t)m + 1, sizeof seen->text);
	seen->text[seen->n++] = '[';
	memcpy(seen->text + seen->n, p, n);
	seen->n += n;
	memcpy(seen->text + seen->n, tail, (size_t)m);
	seen->n += (size_t)m;
}

static void
seen_frame(struct seen *seen, const struct framing_frame *frame)
{
	seen_add(seen, frame->bytes.p, frame->bytes.n, frame->length,
	    frame->unterminated);
}

/* A receiver: what it keeps stands in front of what it reads next. */
struct reader {
	struct framing framing;
	char *buffer;
	size_t kept;
	struct seen *seen;
};

static void
reader_init(struct reader *r, size_t max, struct seen *seen)
{
	seen->n = 0;
	framing_init(&r->framing, max);
	r->buffer = malloc(max + 16 + STREAM);
	ck_assert_ptr_nonnull(r->buffer);
	r->kept = 0;
	r->seen = seen;
}

static void
reader_take(struct reader *r, struct span piece)
{
	struct framing_frame frame;
	struct span in;
	size_t used, keep;

	memcpy(r->buffer + r->kept, piece.p, piece.n);
	in = span_of(r->buffer, r->kept + piece.n);
	while (framing_next(&r->framing, in, &frame, &used, &keep) ==
	       FRAMING_FRAME) {
		ck_assert_uint_le(used, in.n);
		seen_frame(r->seen, &frame);
		in = span_skip(in, used);
	}
	ck_assert_uint_le(keep, r->framing.max + 16);
	ck_assert_uint_le(used + keep, in.n);
	memmove(r->buffer, in.p + used, keep);
	r->kept = keep;
}

static void
reader_end(struct reader *r)
{
	struct framing_frame frame;

	if (framing_finish(&r->framing, span_of(r->buffer, r->kept), &frame) ==
	    FRAMING_FRAME)
		seen_frame(r->seen, &frame);
	free(r->buffer);
}

/* The frames of a stream read in pieces of `step` bytes. */
static void
read_in_steps(struct span in, size_t max, size_t step, struct seen *seen)
{
	struct reader r;

	reader_init(&r, max, seen);
	for (; in.n > 0; in = span_skip(in, step))
		reader_take(&r, span_take(in, step));
	reader_end(&r);
}

/* The same in two reads. */
static void
read_cut(struct span in, size_t max, size_t cut, struct seen *seen)
{
	struct reader r;

	reader_init(&r, max, seen);
	reader_take(&r, span_take(in, cut));
	reader_take(&r, span_skip(in, cut));
	reader_end(&r);
}

static struct seen got, want;

static void
assert_same(size_t cut)
{
	ck_assert_msg(
	    got.n == want.n && memcmp(got.text, want.text, got.n) == 0,
	    "cut at %zu: got %.*s, want %.*s", cut, (int)got.n, got.text,
	    (int)want.n, want.text);
}

#define FILL "abcdefghijklmnopqrstuvwxyz"

static const struct {
	struct span in;
	struct span out;
} cases[] = {
    /* ends */
    {SPAN(""), SPAN("")},
    {SPAN("<13>one\n<13>two\n"), SPAN("[<13>one|7][<13>two|7]")},
    {SPAN("one\r\ntwo\r\n"), SPAN("[one|3][two|3]")},
    {SPAN("one\0two\0"), SPAN("[one|3][two|3]")},
    {SPAN("one\n\0two\0\r\nthree\r\n\0\n\n\r\n\0four\n"),
	SPAN("[one|3][two|3][three|5][four|4]")},
    {SPAN("a\rb\n"), SPAN("[a\rb|3]")},
    {SPAN("a\r\r\n"), SPAN("[a\r|2]")},
    {SPAN("a\r\0b\n"), SPAN("[a\r|2][b|1]")},
    {SPAN("\r\n\n\0"), SPAN("")},
    {SPAN("one\ntw"), SPAN("[one|3][tw|2]~")},
    {SPAN("tw\r"), SPAN("[tw\r|3]~")},
    /* counts */
    {SPAN("7 <13>one8 <13>four"), SPAN("[<13>one|7][<13>four|8]")},
    {SPAN("7 <13>one\n7 <13>two\r\n"), SPAN("[<13>one|7][<13>two|7]")},
    {SPAN("9 <1>a\n\0bcx\n"), SPAN("[<1>a\n\0bcx|9]")},
    {SPAN("7 <13>onetwo\n7 <13>two"), SPAN("[<13>one|7][two|3][<13>two|7]")},
    {SPAN("4 <13>x\n"), SPAN("[<13>|4][x|1]")},
    {SPAN("7 <13>on"), SPAN("[<13>on|6]~")},
    /* digits that are no count */
    {SPAN("0 <13>one\nx\n"), SPAN("[0 <13>one|9][x|1]")},
    {SPAN("007 <13>one\nx\n"), SPAN("[007 <13>one|11][x|1]")},
    {SPAN("3 <13>one\nx\n"), SPAN("[3 <13>one|9][x|1]")},
    {SPAN("7 one\n<13>x\n"), SPAN("[7 one|5][<13>x|5]")},
    {SPAN("7  <13>one\n"), SPAN("[7  <13>one|10]")},
    {SPAN("7\t<13>one\n"), SPAN("[7\t<13>one|9]")},
    {SPAN("7 <>one\n"), SPAN("[7 <>one|7]")},
    {SPAN("7 <1234>x\n"), SPAN("[7 <1234>x|9]")},
    {SPAN("7 <1x>y\n"), SPAN("[7 <1x>y|7]")},
    {SPAN("12345678 <13>\nx\n"), SPAN("[12345678 <13>|13][x|1]")},
    {SPAN("2147483648 <13>\nx\n"), SPAN("[2147483648 <13>|15][x|1]")},
    {SPAN("4294967301 <13>\nx\n"), SPAN("[4294967301 <13>|15][x|1]")},
    {SPAN("99999999999999999999 <13>\nx\n"),
	SPAN("[99999999999999999999|25][x|1]")},
    {SPAN("12\n13\n"), SPAN("[12|2][13|2]")},
    {SPAN("12"), SPAN("[12|2]~")},
    {SPAN("1234567 <19"), SPAN("[1234567 <19|11]~")},
    /* the largest that fits, one less, one more; the next is whole */
    {SPAN("abcdefghijklmnopqrs\nx\n"), SPAN("[abcdefghijklmnopqrs|19][x|1]")},
    {SPAN("abcdefghijklmnopqrst\nx\n"), SPAN("[abcdefghijklmnopqrst|20][x|1]")},
    {SPAN("abcdefghijklmnopqrst\r\nx\n"),
	SPAN("[abcdefghijklmnopqrst|20][x|1]")},
    {SPAN("abcdefghijklmnopqrstu\nx\n"),
	SPAN("[abcdefghijklmnopqrst|21][x|1]")},
    {SPAN("abcdefghijklmnopqrstu\r\nx\n"),
	SPAN("[abcdefghijklmnopqrst|21][x|1]")},
    {SPAN("abcdefghijklmnopqrst\rv\nx\n"),
	SPAN("[abcdefghijklmnopqrst|22][x|1]")},
    {SPAN("19 <1>defghijklmnopqrsx\n"), SPAN("[<1>defghijklmnopqrs|19][x|1]")},
    {SPAN("20 <1>defghijklmnopqrstx\n"),
	SPAN("[<1>defghijklmnopqrst|20][x|1]")},
    {SPAN("21 <1>defghijklmnopqrstux\n"),
	SPAN("[<1>defghijklmnopqrst|21][x|1]")},
    {SPAN("29 <1>" FILL "7 <13>two\n"),
	SPAN("[<1>"
	     "abcdefghijklmnopq|29][<13>two|7]")},
    {SPAN(FILL FILL "\r\n7 <13>two"),
	SPAN("[abcdefghijklmnopqrst|52][<13>two|7]")},
    {SPAN(FILL "\0"
	       "\n<1>b\n"),
	SPAN("[abcdefghijklmnopqrst|26][<1>b|4]")},
    {SPAN(FILL "\r"), SPAN("[abcdefghijklmnopqrst|27]~")},
    {SPAN("99 <1>" FILL), SPAN("[<1>abcdefghijklmnopq|29]~")},
};

enum { CASES = sizeof cases / sizeof cases[0] };

static void
want_text(struct span out)
{
	memcpy(want.text, out.p, out.n);
	want.n = out.n;
}

START_TEST(frames_are_these)
{
	want_text(cases[_i].out);
	read_in_steps(cases[_i].in, MAX, STREAM, &got);
	assert_same(0);
}
END_TEST

START_TEST(every_cut_gives_the_same)
{
	struct span in = cases[_i].in;

	want_text(cases[_i].out);
	for (size_t cut = 0; cut <= in.n; cut++) {
		read_cut(in, MAX, cut, &got);
		assert_same(cut);
	}
	for (size_t step = 1; step <= 7; step++) {
		read_in_steps(in, MAX, step, &got);
		assert_same(step);
	}
}
END_TEST

START_TEST(an_empty_read_changes_nothing)
{
	struct span in = cases[_i].in;
	struct reader r;

	want_text(cases[_i].out);
	reader_init(&r, MAX, &got);
	for (; in.n > 0; in = span_skip(in, 1)) {
		reader_take(&r, span_of("", 0));
		reader_take(&r, span_take(in, 1));
	}
	reader_take(&r, span_of("", 0));
	reader_end(&r);
	assert_same(0);
}
END_TEST

/* Every prefix, right before a page that must not be touched. */
START_TEST(nothing_past_the_end_is_read)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct span in = cases[_i].in;

	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(mprotect(map + page, page, PROT_NONE), 0);
	for (size_t n = 0; n <= in.n; n++) {
		struct framing f;
		struct framing_frame frame;
		struct span rest = span_of(map + page - n, n);
		size_t used, keep;

		memcpy(map + page - n, in.p, n);
		framing_init(&f, MAX);
		while (framing_next(&f, rest, &frame, &used, &keep) ==
		       FRAMING_FRAME)
			rest = span_skip(rest, used);
		rest = span_take(span_skip(rest, used), keep);
		(void)framing_finish(&f, rest, &frame);
	}
	munmap(map, 2 * page);
}
END_TEST

/* --- a model that sees all of the stream at once --- */

/* The count at `p`, or 0. */
static size_t
model_count(const char *p, const char *end, const char **body)
{
	char head[16];
	unsigned long n;
	unsigned pri;
	int at = 0, past = 0;
	size_t have = (size_t)(end - p);

	if (have > sizeof head - 1)
		have = sizeof head - 1;
	memcpy(head, p, have);
	head[have] = '\0';
	if (head[0] < '1' || head[0] > '9')
		return 0;
	if (sscanf(head, "%lu%n", &n, &at) != 1 || at > 7 || head[at] != ' ')
		return 0;
	if (head[at + 1] != '<' || !span_isdigit(head[at + 2]))
		return 0;
	if (sscanf(head + at + 2, "%u>%n", &pri, &past) != 1 || past < 2 ||
	    past > 4 || head[at + 1 + past] != '>')
		return 0;
	if (n < (unsigned long)past + 1)
		return 0;
	*body = p + at + 1;
	return n;
}

static void
model_add(const char *p, size_t n, size_t max, bool unterminated)
{
	if (n > 0)
		seen_add(&want, p, n < max ? n : max, n, unterminated);
}

static void
model(struct span in, size_t max)
{
	const char *p = in.p, *end = span_end(in), *body;

	want.n = 0;
	while (p < end) {
		size_t n = model_count(p, end, &body), line = 0;
		size_t here = n > 0 ? (size_t)(end - body) : 0;

		if (n > 0) {
			model_add(body, n < here ? n : here, max, n > here);
			p = n < here ? body + n : end;
			continue;
		}
		while (p + line < end && p[line] != '\n' && p[line] != '\0')
			line++;
		if (p + line == end) {
			model_add(p, line, max, true);
			return;
		}
		model_add(p,
		    line - (p[line] == '\n' && line > 0 && p[line - 1] == '\r'),
		    max, false);
		p += line + 1;
	}
}

/* Pieces that streams are thrown together from. */
static const struct span pieces[] = {
    SPAN("\n"),
    SPAN("\r\n"),
    SPAN("\r"),
    SPAN("\0"),
    SPAN(" "),
    SPAN("0"),
    SPAN("1"),
    SPAN("7"),
    SPAN("12"),
    SPAN("30"),
    SPAN("5 <1>x"),
    SPAN("<13>"),
    SPAN("<"),
    SPAN("3>"),
    SPAN("abc"),
    SPAN("10 <13>"),
    SPAN("1234567 <1>"),
    SPAN("<13>text\n"),
    SPAN("25 <191>"),
    SPAN(FILL),
};

static size_t
throw_together(unsigned *seed, char *out, size_t room)
{
	size_t n = 0, count = (size_t)(rand_r(seed) % 30);

	while (count-- > 0) {
		size_t i =
		    (size_t)rand_r(seed) % (sizeof pieces / sizeof pieces[0]);

		if (pieces[i].n > room - n)
			break;
		memcpy(out + n, pieces[i].p, pieces[i].n);
		n += pieces[i].n;
	}
	return n;
}

START_TEST(random_streams_match_the_model)
{
	unsigned seed = (unsigned)_i + 1;
	char stream[1024];

	for (int round = 0; round < 400; round++) {
		size_t n = throw_together(&seed, stream, sizeof stream);
		size_t max = (size_t)(rand_r(&seed) % 40) + 1;
		struct span in = span_of(stream, n);
		struct reader r;

		model(in, max);
		reader_init(&r, max, &got);
		while (in.n > 0) {
			size_t step = (size_t)(rand_r(&seed) % 24) + 1;

			reader_take(&r, span_take(in, step));
			in = span_skip(in, step);
		}
		reader_end(&r);
		assert_same((size_t)round);
	}
}
END_TEST

/* --- streams without an end --- */

START_TEST(an_endless_line_is_counted_not_kept)
{
	enum { PIECE = 1000, PIECES = 100000 };
	static char piece[PIECE];
	struct framing_frame frame;
	struct framing f;
	static char buffer[MAX + 16 + PIECE];
	size_t used, keep, kept = 0;

	memset(piece, 'x', sizeof piece);
	framing_init(&f, MAX);
	for (int i = 0; i < PIECES; i++) {
		memcpy(buffer + kept, piece, PIECE);
		ck_assert_int_eq(framing_next(&f, span_of(buffer, kept + PIECE),
				     &frame, &used, &keep),
		    FRAMING_MORE);
		ck_assert_uint_eq(used, 0);
		ck_assert_uint_eq(keep, MAX);
		kept = keep;
	}
	memcpy(buffer + kept, "\n<13>b\n", 7);
	ck_assert_int_eq(
	    framing_next(&f, span_of(buffer, kept + 7), &frame, &used, &keep),
	    FRAMING_FRAME);
	ck_assert_uint_eq(frame.bytes.n, MAX);
	ck_assert_uint_eq(frame.length, (uint64_t)PIECE * PIECES);
	ck_assert_int_eq(
	    framing_next(&f, span_skip(span_of(buffer, kept + 7), used), &frame,
		&used, &keep),
	    FRAMING_FRAME);
	ck_assert(span_eq(frame.bytes, SPAN("<13>b")));
}
END_TEST

/* With bytes of a frame still unread, each call looks at the new ones only:
 * a line of n single bytes would take n * n / 2 steps otherwise. */
START_TEST(a_dripping_line_is_looked_at_once)
{
	enum { LINE = 60000 };
	static char line[LINE + 1];
	struct framing_frame frame;
	struct framing f;
	size_t used, keep;

	memset(line, 'x', LINE);
	line[LINE] = '\n';
	framing_init(&f, LINE);
	for (size_t n = 1; n <= LINE; n++) {
		ck_assert_int_eq(
		    framing_next(&f, span_of(line, n), &frame, &used, &keep),
		    FRAMING_MORE);
		ck_assert_uint_eq(f.scanned, n);
	}
	ck_assert_int_eq(
	    framing_next(&f, span_of(line, LINE + 1), &frame, &used, &keep),
	    FRAMING_FRAME);
	ck_assert_uint_eq(frame.length, LINE);
}
END_TEST

START_TEST(max_may_change_between_frames)
{
	struct framing_frame frame;
	struct framing f;
	size_t used, keep;
	struct span in = SPAN("abcdef\nabcdef\n");

	framing_init(&f, 3);
	framing_next(&f, in, &frame, &used, &keep);
	ck_assert_uint_eq(frame.bytes.n, 3);
	f.max = 100;
	framing_next(&f, span_skip(in, used), &frame, &used, &keep);
	ck_assert_uint_eq(frame.bytes.n, 6);
}
END_TEST

static Suite *
framing_suite(void)
{
	Suite *s = suite_create("framing");
	TCase *t = tcase_create("frames");

	tcase_add_loop_test(t, frames_are_these, 0, CASES);
	tcase_add_loop_test(t, every_cut_gives_the_same, 0, CASES);
	tcase_add_loop_test(t, an_empty_read_changes_nothing, 0, CASES);
	tcase_add_loop_test(t, nothing_past_the_end_is_read, 0, CASES);
	suite_add_tcase(s, t);

	t = tcase_create("model");
	tcase_add_loop_test(t, random_streams_match_the_model, 0, 50);
	suite_add_tcase(s, t);

	t = tcase_create("bounds");
	tcase_add_test(t, an_endless_line_is_counted_not_kept);
	tcase_add_test(t, a_dripping_line_is_looked_at_once);
	tcase_add_test(t, max_may_change_between_frames);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return run_suite(framing_suite());
}
