#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "run.h"
#include "text.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* UTF-8 by its definition: decode, and see whether encoding gives the same
 * bytes. Bytes of the character at p, 0 when it is none. */
static size_t
character(const unsigned char *p, size_t n)
{
	uint32_t code;
	size_t length = p[0] < 0x80       ? 1
			: p[0] >> 5 == 6  ? 2
			: p[0] >> 4 == 14 ? 3
			: p[0] >> 3 == 30 ? 4
					  : 0;
	char again[4];

	if (length == 0 || length > n)
		return 0;
	code = length == 1 ? p[0] : p[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (text_put_utf8(code, again) != length ||
	    memcmp(again, p, length) != 0)
		return 0;
	return length;
}

static size_t
valid_prefix(struct span in)
{
	size_t at = 0, n = 1;

	while (at < in.n && n > 0) {
		n = character((const unsigned char *)in.p + at, in.n - at);
		at += n;
	}
	return at;
}

static const struct {
	const char *text;
	size_t n, valid;
} prefixes[] = {
    {"", 0, 0},
    {"plain text, longer than sixteen bytes", 37, 37},
    {"\0", 1, 1},
    {"\xc3\xa9", 2, 2},
    {"\xc3", 1, 0},
    {"a\xe9z", 3, 1},
    {"\xc0\x80", 2, 0},         /* overlong */
    {"\xc1\xbf", 2, 0},         /* overlong */
    {"\xe0\x9f\xbf", 3, 0},     /* overlong */
    {"\xe0\xa0\x80", 3, 3},     /* U+0800 */
    {"\xed\x9f\xbf", 3, 3},     /* U+D7FF */
    {"\xed\xa0\x80", 3, 0},     /* surrogate */
    {"\xef\xbf\xbf", 3, 3},     /* U+FFFF */
    {"\xf0\x8f\xbf\xbf", 4, 0}, /* overlong */
    {"\xf0\x90\x80\x80", 4, 4}, /* U+10000 */
    {"\xf4\x8f\xbf\xbf", 4, 4}, /* U+10FFFF */
    {"\xf4\x90\x80\x80", 4, 0}, /* past the end */
    {"\xf5\x80\x80\x80", 4, 0},
    {"\x80", 1, 0},
    {"ab\xf0\x9f\x98", 5, 2},
    {"0123456789abcdef\xff", 17, 16},
    {"0123456789abcde\xff", 16, 15},
    {"0123456789abcdef01234567\xff", 25, 24},
};

START_TEST(a_prefix_is_measured)
{
	struct span text = span_of(prefixes[_i].text, prefixes[_i].n);

	ck_assert_uint_eq(text_valid_utf8(text), prefixes[_i].valid);
	ck_assert_uint_eq(valid_prefix(text), prefixes[_i].valid);
}
END_TEST

START_TEST(every_code_point_is_valid)
{
	char out[4];

	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		size_t n = text_put_utf8(code, out);

		if (text_valid_utf8(span_of(out, n)) != n)
			ck_abort_msg("U+%04X", code);
		if (n > 1 && text_valid_utf8(span_of(out, n - 1)) != 0)
			ck_abort_msg("U+%04X cut", code);
	}
}
END_TEST

START_TEST(what_is_no_code_point_is_replaced)
{
	static const uint32_t codes[] = {
	    0xd800, 0xdbff, 0xdc00, 0xdfff, 0x110000, UINT32_MAX};
	char out[4];

	for (size_t i = 0; i < COUNT(codes); i++) {
		ck_assert_uint_eq(text_put_utf8(codes[i], out), 3);
		ck_assert_mem_eq(out, "\xef\xbf\xbd", 3);
	}
}
END_TEST

/* All pairs of bytes, at the end of readable memory and behind ASCII of every
 * alignment. */
START_TEST(validation_stays_inside)
{
	struct guard guard;
	char text[40];

	guard_open(&guard, sizeof(text));
	for (unsigned pair = 0; pair < 0x10000; pair++) {
		size_t n = pair % 37;
		struct span s;

		memset(text, 'a', n);
		text[n] = (char)(pair >> 8);
		text[n + 1] = (char)pair;
		s = guard_place(&guard, span_of(text, n + 2));
		if (text_valid_utf8(s) != valid_prefix(s))
			ck_abort_msg("%04x behind %zu", pair, n);
	}
	guard_close(&guard);
}
END_TEST

/* Bytes in which sequences, whole and broken, are frequent. */
static size_t
random_bytes(uint64_t *state, char *out, size_t room)
{
	static const unsigned char likely[] = {0xc2, 0xc3, 0xe0, 0xe2, 0xed,
	    0xef, 0xf0, 0xf4, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xbf, 'a'};
	size_t n;

	*state = *state * 6364136223846793005U + 1442695040888963407U;
	n = (*state >> 40) % room;
	for (size_t i = 0; i < n; i++) {
		*state = *state * 6364136223846793005U + 1442695040888963407U;
		out[i] = (char)((*state >> 60) < 12 ? likely[*state >> 50 & 15]
						    : *state >> 40);
	}
	return n;
}

START_TEST(hostile_bytes_are_measured_alike)
{
	uint64_t state = 11;
	char text[64];

	for (int i = 0; i < 500000; i++) {
		struct span s =
		    span_of(text, random_bytes(&state, text, sizeof(text)));

		if (text_valid_utf8(s) != valid_prefix(s))
			ck_abort_msg("round %d", i);
	}
}
END_TEST

/* Decoding */

static struct span
decode(struct arena *arena, const char *text, const struct text_codepage *page)
{
	struct span out;

	arena_reset(arena);
	ck_assert(text_decode(span_str(text), page, arena, &out));
	return out;
}

static const struct {
	const char *in, *out;
} decoded[] = {
    {"caf\xe9", "caf\xc3\xa9"},
    {"\x80 5", "\xe2\x82\xac 5"},
    {"\x81\x8d\x8f\x90\x9d", "\xc2\x81\xc2\x8d\xc2\x8f\xc2\x90\xc2\x9d"},
    {"\xff", "\xc3\xbf"},
    {"\xc3\xa9 and \xe9", "\xc3\xa9 and \xc3\xa9"},
    {"\xe9\xe9", "\xc3\xa9\xc3\xa9"},
    {"\xe2\x82\xac\x80", "\xe2\x82\xac\xe2\x82\xac"},
    {"\xe2\x82", "\xc3\xa2\xe2\x80\x9a"},
    {"\xed\xa0\x80", "\xc3\xad\xc2\xa0\xe2\x82\xac"},
    {"", ""},
};

START_TEST(other_bytes_are_looked_up)
{
	struct arena arena;
	struct span out;

	ck_assert(arena_init(&arena, 100));
	out = decode(&arena, decoded[_i].in, &text_windows_1252);
	ck_assert_uint_eq(out.n, strlen(decoded[_i].out));
	ck_assert_mem_eq(out.p, decoded[_i].out, out.n);
	arena_clear(&arena);
}
END_TEST

/* A page with one pair, 0x81 0x2c, whose second byte alone is a comma. */
START_TEST(double_bytes_are_looked_up)
{
	uint16_t *pairs = calloc(0x10000, sizeof(*pairs));
	struct text_codepage page = {"test", {0}, pairs};
	struct arena arena;
	struct span out;

	ck_assert_ptr_nonnull(pairs);
	for (unsigned i = 0; i < 256; i++)
		page.single[i] = (uint16_t)(i < 0x80 ? i : 0xe000 + i);
	pairs[0x812c] = 0x3042;
	ck_assert(arena_init(&arena, 100));
	out = decode(&arena, "a\x81,,\x81", &page);
	ck_assert_uint_eq(out.n, 8);
	ck_assert_mem_eq(out.p, "a\xe3\x81\x82,\xee\x82\x81", 8);
	/* What would be UTF-8 is the code page's, too. */
	out = decode(&arena, "\xc3\xa9", &page);
	ck_assert_mem_eq(out.p, "\xee\x83\x83\xee\x82\xa9", 6);
	arena_clear(&arena);
	free(pairs);
}
END_TEST

START_TEST(a_full_arena_is_told)
{
	struct span text = SPAN("\x80\x80"), out;
	struct arena arena;

	ck_assert(arena_init(&arena, 5));
	ck_assert(!text_decode(text, &text_windows_1252, &arena, &out));
	arena_clear(&arena);
	ck_assert(arena_init(&arena, 6));
	ck_assert(text_decode(text, &text_windows_1252, &arena, &out));
	ck_assert_uint_eq(out.n, 6);
	arena_clear(&arena);
}
END_TEST

START_TEST(decoded_text_is_valid)
{
	uint64_t state = 12;
	struct arena arena;
	struct span out;
	char text[64];

	ck_assert(arena_init(&arena, 4 * sizeof(text)));
	for (int i = 0; i < 200000; i++) {
		size_t n = random_bytes(&state, text, sizeof(text));

		arena_reset(&arena);
		if (!text_decode(
			span_of(text, n), &text_windows_1252, &arena, &out) ||
		    out.n > 3 * n || text_valid_utf8(out) != out.n)
			ck_abort_msg("round %d", i);
	}
	arena_clear(&arena);
}
END_TEST

START_TEST(latin_letters_are_themselves)
{
	for (unsigned i = 0; i < 256; i++)
		if (i < 0x80 || i >= 0xa0)
			ck_assert_uint_eq(text_windows_1252.single[i], i);
	ck_assert_uint_eq(text_windows_1252.single[0x80], 0x20ac);
	ck_assert_uint_eq(text_windows_1252.single[0x9f], 0x0178);
	ck_assert_str_eq(text_windows_1252.name, "windows-1252");
}
END_TEST

/* RFC 4648 section 10. */
static const struct {
	const char *in, *out;
} base64[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xff\xef\xbe\xfb", "/++++w=="},
};

START_TEST(base64_is_padded)
{
	struct guard in, out;
	struct span text = span_str(base64[_i].in), room;

	guard_open(&in, 100);
	guard_open(&out, 100);
	/* Both end at the unreadable page. */
	room = guard_place(&out, span_str(base64[_i].out));
	ck_assert_uint_eq(TEXT_BASE64_SIZE(text.n), room.n);
	memset(out.base + out.room - room.n, 0, room.n);
	text_base64(guard_place(&in, text), out.base + out.room - room.n);
	ck_assert(span_eq(room, span_str(base64[_i].out)));
	guard_close(&in);
	guard_close(&out);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("text");
	TCase *utf8 = tcase_create("utf8"), *pages = tcase_create("codepages"),
	      *base = tcase_create("base64");

	tcase_set_timeout(utf8, 60);
	tcase_add_loop_test(utf8, a_prefix_is_measured, 0, COUNT(prefixes));
	tcase_add_test(utf8, every_code_point_is_valid);
	tcase_add_test(utf8, what_is_no_code_point_is_replaced);
	tcase_add_test(utf8, validation_stays_inside);
	tcase_add_test(utf8, hostile_bytes_are_measured_alike);
	tcase_set_timeout(pages, 60);
	tcase_add_loop_test(
	    pages, other_bytes_are_looked_up, 0, COUNT(decoded));
	tcase_add_test(pages, double_bytes_are_looked_up);
	tcase_add_test(pages, a_full_arena_is_told);
	tcase_add_test(pages, decoded_text_is_valid);
	tcase_add_test(pages, latin_letters_are_themselves);
	tcase_add_loop_test(base, base64_is_padded, 0, COUNT(base64));
	suite_add_tcase(s, utf8);
	suite_add_tcase(s, pages);
	suite_add_tcase(s, base);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
