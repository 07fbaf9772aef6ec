#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "input.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define HEADER                                                                 \
	"Time Stamp,Host Name,Local Port,Remote Port,Rule Name,User Name,"     \
	"Begin Time,End Time,Alert"
#define BYTES(literal)                                                         \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}

enum { MAX = 64 };

/* What comes out, drawn: `line:bytes[cells];` and a mark for what is odd. */
static const struct {
	struct span in;
	const char *out;
} cases[] = {
    {BYTES(""), ""},
    {BYTES("\n\n\r\n"), ""},
    {BYTES("one\ntwo\n"), "1:one;2:two;"},
    {BYTES("one\r\n\r\ntwo"), "1:one;3:two;~"},
    {BYTES("\xef\xbb\xbfone\n"), "1:one;"},
    {BYTES("\xff\xfeo\0n\0e\0\n\0"), "1:one;"},
    {BYTES("\xfe\xff\0o\0n\0e\0\n"), "1:one;"},
    {BYTES("\xff\xfe\x3d\xd8\x00\xde\n\0"), "1:\xf0\x9f\x98\x80;"},
    {BYTES("7 <54>one2 <"), "1:<54>one;1:2 <;~"},
    {BYTES(HEADER "\r\n1,2,3,4,5,6,7,8,9\r\n"), "2:1,2,3,4,5,6,7,8,9[9];"},
    {BYTES(HEADER "\n1,\"a,\"\"b\"\"\",3,4,5,6,7,8,9"),
	"2:1,\"a,\"\"b\"\"\",3,4,5,6,7,8,9[9];~"},
    {BYTES(HEADER "\n1,\"a\nb\",3,4,5,6,7,8,9\nx\n"),
	"2:1,\"a\nb\",3,4,5,6,7,8,9[9];4:x!;"},
    {BYTES(HEADER "\n1,\"open,3\n1,2,3,4,5,6,7,8,9\n"),
	"2:1,\"open,3!;3:1,2,3,4,5,6,7,8,9[9];"},
};

static char drawn[4096];

static void
draw(struct input *input)
{
	struct input_item item;
	size_t n = strlen(drawn);

	while (input_next(input, &item)) {
		n += (size_t)snprintf(drawn + n, sizeof(drawn) - n, "%d:%.*s",
		    (int)item.line, (int)item.bytes.n, item.bytes.p);
		if (item.broken != NULL)
			n +=
			    (size_t)snprintf(drawn + n, sizeof(drawn) - n, "!");
		else if (item.cells > 0)
			n += (size_t)snprintf(
			    drawn + n, sizeof(drawn) - n, "[%zu]", item.cells);
		n += (size_t)snprintf(drawn + n, sizeof(drawn) - n, ";%s",
		    item.unterminated ? "~" : "");
	}
}

static void
read_in_pieces(struct span in, size_t size)
{
	struct input *input = input_new(MAX);

	ck_assert_ptr_nonnull(input);
	drawn[0] = '\0';
	for (; in.n > 0; in = span_skip(in, size)) {
		struct span piece = span_take(in, size);
		char *exact = malloc(piece.n);

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, piece.p, piece.n);
		input_feed(input, span_of(exact, piece.n));
		draw(input);
		free(exact);
	}
	input_end(input);
	draw(input);
	input_free(input);
}

START_TEST(the_same_messages_come_out_in_pieces_of_any_size)
{
	for (size_t size = 1; size <= cases[_i].in.n + 1; size++) {
		read_in_pieces(cases[_i].in, size);
		ck_assert_str_eq(drawn, cases[_i].out);
	}
}
END_TEST

START_TEST(a_long_line_keeps_its_head_and_its_length)
{
	char text[301];
	struct input *input = input_new(MAX);
	struct input_item item;

	memset(text, 'x', 300);
	text[300] = '\n';
	ck_assert_ptr_nonnull(input);
	input_feed(input, span_of(text, sizeof(text)));
	ck_assert(input_next(input, &item));
	ck_assert_uint_eq(item.bytes.n, MAX);
	ck_assert_uint_eq(item.length, 300);
	ck_assert(!input_next(input, &item));
	input_free(input);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("input");
	TCase *t = tcase_create("input");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, the_same_messages_come_out_in_pieces_of_any_size,
	    0, COUNT(cases));
	tcase_add_test(t, a_long_line_keeps_its_head_and_its_length);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
