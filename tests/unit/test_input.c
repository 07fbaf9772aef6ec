#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "input.h"
#include "memory.h"
#include "run.h"
#include "testing.h"
#include "text.h"

/* --- items as text --- */

enum { KEPT = 96 }; /* max_message of the tests */

static void
add_item(struct testing_text *t, const struct input_item *item)
{
	testing_add_number(t, item->line);
	for (size_t i = 0; i < item->cells; i++) {
		testing_add(t, i == 0 ? SPAN("<") : SPAN("|"));
		testing_add(t, item->cell[i]);
	}
	if (item->cells > 0) {
		testing_add(t, SPAN(">"));
	} else {
		testing_add(t, SPAN("["));
		testing_add(t, item->bytes);
		testing_add(t, SPAN("]"));
	}
	if (item->length != item->bytes.n) {
		ck_assert_uint_gt(item->length, item->bytes.n);
		ck_assert_uint_eq(item->bytes.n, KEPT);
		testing_add(t, SPAN("+"));
		testing_add_number(t, item->length);
	}
	if (item->broken != NULL) {
		testing_add(t, SPAN("!"));
		testing_add(t, span_str(item->broken));
	}
	if (item->unterminated)
		testing_add(t, SPAN("~"));
	testing_add(t, SPAN("\n"));
}

static const char *
items_text(struct span bytes, size_t piece, struct testing_text *t)
{
	struct input *input = input_new(KEPT);
	struct input_item item;
	struct guard guard;

	ck_assert_ptr_nonnull(input);
	guard_open(&guard, bytes.n);
	*t = (struct testing_text){.n = 0};
	for (; bytes.n > 0; bytes = span_skip(bytes, piece)) {
		input_feed(input, guard_place(&guard, span_take(bytes, piece)));
		while (input_next(input, &item))
			add_item(t, &item);
	}
	input_end(input);
	while (input_next(input, &item))
		add_item(t, &item);
	ck_assert(!input_next(input, &item));
	input_free(input);
	guard_close(&guard);
	return t->p;
}

/* The same items, whatever the size of the pieces. */
static void
check_items(struct span bytes, const char *expected)
{
	static struct testing_text got;

	ck_assert_str_eq(items_text(bytes, SIZE_MAX, &got), expected);
	for (size_t piece = 1; piece < bytes.n; piece++)
		ck_assert_msg(
		    strcmp(items_text(bytes, piece, &got), expected) == 0,
		    "in pieces of %zu: %s", piece, got.p);
}

/* --- lines --- */

struct row {
	struct span bytes;
	const char *items;
};

#define BYTES(literal)                                                         \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}
#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN
#define FULL SIXTY TEN TEN TEN "012345"

static const struct row lines[] = {
    {BYTES(""), ""},
    {BYTES("\n"), ""},
    {BYTES("\n\r\n\n"), ""},
    {BYTES("a"), "1[a]~\n"},
    {BYTES("a\n"), "1[a]\n"},
    {BYTES("a\r\n"), "1[a]\n"},
    {BYTES("a\nb"), "1[a]\n2[b]~\n"},
    {BYTES("a\r\nb\r\n"), "1[a]\n2[b]\n"},
    {BYTES("\n\na\n\r\n\nb\n\n"), "3[a]\n6[b]\n"},
    {BYTES("a\0b\n"), "1[a]\n1[b]\n"},
    {BYTES("a \"b\nc\n"), "1[a \"b]\n2[c]\n"},
    {BYTES("\"\n\"\n"), "1[\"]\n2[\"]\n"},
    {BYTES(" a \t\n"), "1[ a \t]\n"},
    /* BOM, code page, bytes that are no text */
    {BYTES("\xef\xbb\xbf"), ""},
    {BYTES("\xef\xbb\xbf"
	   "a\n"),
	"1[a]\n"},
    {BYTES("\xef\xbb"), "1[\xef\xbb]~\n"},
    {BYTES("caf\xe9\n\xff\x01\n"), "1[caf\xe9]\n2[\xff\x01]\n"},
    {BYTES("\xe9\n"), "1[\xe9]\n"},
    /* longer than is kept */
    {BYTES(FULL "\nx\n"), "1[" FULL "]\n2[x]\n"},
    {BYTES(FULL "\r\nx\n"), "1[" FULL "]\n2[x]\n"},
    {BYTES(FULL "abc\nx\n"), "1[" FULL "]+99\n2[x]\n"},
    {BYTES(FULL SIXTY SIXTY "\r\nx"), "1[" FULL "]+216\n2[x]~\n"},
    {BYTES(FULL "a"), "1[" FULL "]+97~\n"},
    /* the header of a CSV is not one when it has too few of the names */
    {BYTES("Time Stamp,Event Type,Severity,x,y,z\na,b\n"),
	"1[Time Stamp,Event Type,Severity,x,y,z]\n2[a,b]\n"},
};

START_TEST(lines_come_out_alike_in_pieces_of_every_size)
{
	check_items(lines[_i].bytes, lines[_i].items);
}
END_TEST

/* --- UTF-16 --- */

/* The text in UTF-16; what is not valid UTF-8 in it becomes a lone unit. */
static struct span
utf16(struct span text, bool big, char *out)
{
	size_t n = 0;

	while (text.n > 0) {
		static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 7};
		unsigned char c = (unsigned char)text.p[0];
		size_t used = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		uint32_t code = c & mask[used], units[2];
		size_t count = 1;

		for (size_t i = 1; i < used; i++)
			code = code << 6 | ((unsigned char)text.p[i] & 0x3f);
		units[0] = code;
		if (code > 0xffff) {
			units[0] = 0xd800 + ((code - 0x10000) >> 10);
			units[1] = 0xdc00 + ((code - 0x10000) & 0x3ff);
			count = 2;
		}
		for (size_t i = 0; i < count; i++) {
			out[n++] = (char)(big ? units[i] >> 8 : units[i]);
			out[n++] = (char)(big ? units[i] : units[i] >> 8);
		}
		text = span_skip(text, used);
	}
	return span_of(out, n);
}

#define COLUMNS                                                                \
	"Time Stamp,Event Type,Event Time,Severity,Host Name,Local Port,"      \
	"Remote Port,ACTION"

static const struct row wide[] = {
    {BYTES("\xef\xbb\xbf"), ""},
    {BYTES("\xef\xbb\xbf"
	   "a\r\nb"),
	"1[a]\n2[b]~\n"},
    {BYTES("\xef\xbb\xbf"
	   "é€\U0001f600\n"),
	"1[é€\U0001f600]\n"},
    {BYTES("<54>May\n"), "1[<54>May]\n"}, /* known without a BOM */
    {BYTES("\xef\xbb\xbf" COLUMNS "\r\n1,2,3,4,\"5\r\né\",6,7,8\r\n"),
	"2<1|2|3|4|5\r\né|6|7|8>\n"},
    {BYTES(COLUMNS "\n1,2,3,4,5,6,7,8\n"), "2<1|2|3|4|5|6|7|8>\n"},
};

START_TEST(utf16_of_either_order_becomes_utf8)
{
	char out[512];

	check_items(utf16(wide[_i].bytes, false, out), wide[_i].items);
	check_items(utf16(wide[_i].bytes, true, out), wide[_i].items);
}
END_TEST

/* What is no UTF-16 is not lost. */
static const struct row halves[] = {
    {BYTES("\xff\xfe"
	   "a\0\x00\xd8"
	   "b\0\n\0"),
	"1[a\ufffdb]\n"},
    {BYTES("\xff\xfe"
	   "a\0\x00\xdc"
	   "b\0\n\0"),
	"1[a\ufffdb]\n"},
    {BYTES("\xff\xfe"
	   "a\0\x00\xd8\x00\xd8\x00\xdc\n\0"),
	"1[a\ufffd\U00010000]\n"},
    {BYTES("\xff\xfe"
	   "a\0\x00\xd8"),
	"1[a\ufffd]~\n"},
    {BYTES("\xff\xfe"
	   "a\0b"),
	"1[a\ufffd]~\n"},
    {BYTES("\xfe\xff\0"
	   "a\xd8\0\0\n\0"),
	"1[a\ufffd]\n2[\ufffd]~\n"},
    {BYTES("\xff\xfe\n"), "1[\ufffd]~\n"},
};

START_TEST(half_a_character_is_kept_as_one)
{
	check_items(halves[_i].bytes, halves[_i].items);
}
END_TEST

/* --- rows --- */

#define HEADER COLUMNS "\r\n"
#define GOOD "1,2,3,4,5,6,7,8"
#define CELLS "<1|2|3|4|5|6|7|8>"
#define ROW(last) "1,2,3,4,5,6,7," last /* KEPT bytes with TAIL */
#define TAIL SIXTY TEN TEN "01"
#define UNCLOSED "!a quote that is never closed"
#define LONG "!a row longer than max_message"

static const struct row rows[] = {
    {BYTES(COLUMNS), ""},
    {BYTES(HEADER), ""},
    {BYTES(HEADER GOOD), "2" CELLS "~\n"},
    {BYTES(HEADER GOOD "\r\n"), "2" CELLS "\n"},
    {BYTES(COLUMNS "\n" GOOD "\n" GOOD "\n"), "2" CELLS "\n3" CELLS "\n"},
    {BYTES("\xef\xbb\xbf" HEADER GOOD "\r\n"), "2" CELLS "\n"},
    /* any case, quotes, blanks, an order of its own */
    {BYTES("time stamp,\"EVENT TYPE\", Event Time ,Severity,Action,Local Port,"
	   "Remote Port,Host Name\r\n" GOOD "\r\n"),
	"2" CELLS "\n"},
    /* other delimiters */
    {BYTES("Time Stamp;Event Type;Event Time;Severity;Host Name;Local Port;"
	   "Remote Port;ACTION\n1;2,2;3;4;\"5;5\";6;7;8\n"),
	"2<1|2,2|3|4|5;5|6|7|8>\n"},
    {BYTES("Time Stamp\tEvent Type\tEvent Time\tSeverity\tHost Name\t"
	   "Local Port\tRemote Port\tACTION\n1\t2\t3\t4\t5\t6\t7\t8\n"),
	"2" CELLS "\n"},
    /* cells: empty, quoted, with doubled quotes, with text behind quotes */
    {BYTES(HEADER ",,,,,,,\n"), "2<|||||||>\n"},
    {BYTES(HEADER "\"\",2,3,4,5,6,7,\"\"\n"), "2<|2|3|4|5|6|7|>\n"},
    {BYTES(HEADER "\"a, b\",\"say \"\"x\"\"\",3,4,5,6,7,\"\"\"\"\n"),
	"2<a, b|say \"x\"|3|4|5|6|7|\">\n"},
    {BYTES(HEADER "\"a\"b,x\"y,3,4,5\",6,7,8\n"), "2<ab|x\"y|3|4|5\"|6|7|8>\n"},
    {BYTES(HEADER " 1 ,2,3,4,5,6,7,8 \n"), "2< 1 |2|3|4|5|6|7|8 >\n"},
    {BYTES(HEADER "a\\b,2,3,4,5,6,7,\"c\\\"\n"), "2<a\\b|2|3|4|5|6|7|c\\>\n"},
    {BYTES(HEADER "caf\xe9,2,3,4,5,6,7,8\n"), "2<caf\xe9|2|3|4|5|6|7|8>\n"},
    /* line breaks in a cell */
    {BYTES(HEADER "1,\"2\r\n2\n\n2\",3,4,5,6,7,8\n" GOOD "\n"),
	"2<1|2\r\n2\n\n2|3|4|5|6|7|8>\n6" CELLS "\n"},
    /* blank rows, and the header once more */
    {BYTES(HEADER "\r\n\n" GOOD "\n  \t\n" GOOD "\n\n"),
	"4" CELLS "\n6" CELLS "\n"},
    {BYTES(HEADER GOOD "\n" HEADER GOOD "\n"), "2" CELLS "\n4" CELLS "\n"},
    /* another number of cells than the header has */
    {BYTES(HEADER "1,2\n" GOOD "\n"),
	"2[1,2]!2 cells where the header has 8\n3" CELLS "\n"},
    {BYTES(HEADER GOOD ",9\n"),
	"2[" GOOD ",9]!9 cells where the header has 8\n"},
    {BYTES(HEADER ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,"
		  ",,,,\n"),
	"2[,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,]"
	"!65 cells where the header has 8\n"},
    /* a quote that is never closed does not swallow what is behind it */
    {BYTES(HEADER "\"1,2,3,4,5,6,7,8\r\n" GOOD "\n" GOOD "\n" GOOD "\n" GOOD
		  "\n"),
	"2[\"1,2,3,4,5,6,7,8]" UNCLOSED "\n3" CELLS "\n4" CELLS "\n5" CELLS
	"\n6" CELLS "\n"},
    {BYTES(HEADER GOOD "\n\"1,2\n" GOOD),
	"2" CELLS "\n3[\"1,2]" UNCLOSED "\n4" CELLS "~\n"},
    {BYTES(HEADER "1,2,3,4,5,6,7,\"8"), "2" CELLS "~\n"},
    {BYTES("\"" HEADER GOOD "\n"), "1[\"" COLUMNS "]\n2[" GOOD "]\n"},
    /* longer than is kept */
    {BYTES(HEADER ROW(TAIL) "\r\n" GOOD "\n"),
	"2<1|2|3|4|5|6|7|" TAIL ">\n3" CELLS "\n"},
    {BYTES(HEADER ROW(TAIL) "x\n" GOOD "\n"),
	"2[" ROW(TAIL) "]+97" LONG "\n3" CELLS "\n"},
    {BYTES(HEADER ROW(TAIL) SIXTY "\r\n" GOOD "\n"),
	"2[" ROW(TAIL) "]+156" LONG "\n3" CELLS "\n"},
    {BYTES(HEADER ROW(TAIL) SIXTY), "2[" ROW(TAIL) "]+156" LONG "~\n"},
    {BYTES(HEADER ROW(TAIL) "\r\r\n" GOOD "\n"),
	"2[" ROW(TAIL) "]+97" LONG "\n3" CELLS "\n"},
    {BYTES(HEADER "\"" ROW(TAIL) "\n" GOOD "\n"),
	"2[\"1,2,3,4,5,6,7," SIXTY TEN TEN "0]+97" LONG "\n3" CELLS "\n"},
};

START_TEST(rows_come_out_alike_in_pieces_of_every_size)
{
	check_items(rows[_i].bytes, rows[_i].items);
}
END_TEST

/* A row and its cells stay in their places while other bytes move. */
START_TEST(a_stream_longer_than_the_buffer_loses_nothing)
{
	enum { ROWS = 20000 };
	static char text[ROWS * sizeof(GOOD) + sizeof(HEADER)];
	struct input *input = input_new(KEPT);
	struct input_item item;
	struct span rest;
	size_t items = 0, n = sizeof(HEADER) - 1;

	memcpy(text, HEADER, n);
	for (size_t i = 0; i < ROWS; i++, n += sizeof(GOOD))
		memcpy(text + n, GOOD "\n", sizeof(GOOD));
	for (rest = span_of(text, n); rest.n > 0;
	     rest = span_skip(rest, 100000)) {
		input_feed(input, span_take(rest, 100000));
		while (input_next(input, &item)) {
			items++;
			ck_assert_uint_eq(item.line, items + 1);
			ck_assert(span_eq(item.bytes, SPAN(GOOD)));
			ck_assert_uint_eq(item.cells, 8);
			ck_assert(span_eq(item.columns[7], SPAN("ACTION")));
		}
	}
	ck_assert_uint_eq(items, ROWS);
	input_free(input);
}
END_TEST

/* As much as can be a header, and one byte more. */
START_TEST(a_header_has_a_limit)
{
	static char text[INPUT_MAX_HEADER + 64];
	size_t head = sizeof(COLUMNS) - 1;
	struct input *input = input_new(KEPT);
	struct input_item item;

	memset(text, 'x', sizeof(text));
	memcpy(text, COLUMNS ",", head + 1);
	memcpy(
	    text + INPUT_MAX_HEADER + _i, "\n" GOOD ",9\n", sizeof(GOOD) + 3);
	input_feed(input,
	    span_of(text, (size_t)INPUT_MAX_HEADER + _i + sizeof(GOOD) + 3));
	ck_assert(input_next(input, &item));
	ck_assert_uint_eq(item.cells, _i == 0 ? 9 : 0);
	ck_assert_uint_eq(item.line, _i == 0 ? 2 : 1);
	input_free(input);
}
END_TEST

START_TEST(without_memory_there_is_none)
{
	struct input *input;

	for (size_t n = 1; n <= 3; n++) {
		allocations = 0;
		failing = n;
		input = input_new(KEPT);
		failing = 0;
		ck_assert_ptr_null(input);
	}
	allocations = 0;
	input = input_new(KEPT);
	ck_assert_uint_eq(allocations, 3);
	input_free(input);
	input_free(NULL);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("input");
	TCase *tc = tcase_create("lines"), *csv = tcase_create("rows");
	TCase *limits = tcase_create("limits");

	tcase_add_loop_test(
	    tc, lines_come_out_alike_in_pieces_of_every_size, 0, COUNT(lines));
	tcase_add_loop_test(
	    tc, utf16_of_either_order_becomes_utf8, 0, COUNT(wide));
	tcase_add_loop_test(
	    tc, half_a_character_is_kept_as_one, 0, COUNT(halves));
	suite_add_tcase(s, tc);
	tcase_add_loop_test(
	    csv, rows_come_out_alike_in_pieces_of_every_size, 0, COUNT(rows));
	suite_add_tcase(s, csv);
	tcase_add_test(limits, a_stream_longer_than_the_buffer_loses_nothing);
	tcase_add_loop_test(limits, a_header_has_a_limit, 0, 2);
	if (MEMORY_CAN_FAIL)
		tcase_add_test(limits, without_memory_there_is_none);
	suite_add_tcase(s, limits);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
