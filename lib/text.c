#include "text.h"

#include <string.h>

#define EIGHT(n) n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7
#define THIRTY_TWO(n) EIGHT(n), EIGHT(n + 8), EIGHT(n + 16), EIGHT(n + 24)

/* Latin-1, but for 0x80 to 0x9f; the five bytes that Windows leaves open are
 * the control characters they are in Latin-1. */
/* clang-format off */
const struct text_codepage text_windows_1252 = {
	.name = "windows-1252",
	.single = {
		THIRTY_TWO(0x00), THIRTY_TWO(0x20),
		THIRTY_TWO(0x40), THIRTY_TWO(0x60),
		0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
		0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008d, 0x017d, 0x008f,
		0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
		0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178,
		THIRTY_TWO(0xa0), THIRTY_TWO(0xc0), THIRTY_TWO(0xe0),
	},
};
/* clang-format on */

/* Bytes of ASCII at the start. */
static size_t
ascii_run(struct span in)
{
	size_t n = 0;

	for (; in.n - n >= 4 * BLOCK; n += 4 * BLOCK) {
		block16 a = block_or(block_load(in.p + n),
		    block_load(in.p + n + BLOCK));
		block16 b = block_or(block_load(in.p + n + 2 * BLOCK),
		    block_load(in.p + n + 3 * BLOCK));

		if (block_mask(block_or(a, b)) != 0)
			break;
	}
	while (n < in.n) {
		size_t most = in.n - n < BLOCK ? in.n - n : BLOCK;
		unsigned high = block_mask(block_load_part(in.p + n, most)) &
				block_until(most);

		if (high != 0)
			return n + block_first(high);
		n += most;
	}
	return n;
}

/* Length of the sequence that a lead byte begins (RFC 3629 section 4), and the
 * range of the byte after it; 0 when it cannot be a lead. */
static size_t
lead(unsigned char c, unsigned char *low, unsigned char *high)
{
	*low = 0x80;
	*high = 0xbf;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	if (c < 0xe0)
		return 2;
	if (c == 0xe0)
		*low = 0xa0; /* below: overlong */
	else if (c == 0xed)
		*high = 0x9f; /* above: surrogates */
	else if (c == 0xf0)
		*low = 0x90; /* below: overlong */
	else if (c == 0xf4)
		*high = 0x8f; /* above: past U+10FFFF */
	return c < 0xf0 ? 3 : 4;
}

/* Length of the valid sequence at the start of text that is not ASCII there;
 * 0 when there is none. */
static size_t
sequence(struct span in)
{
	const unsigned char *p = (const unsigned char *)in.p;
	unsigned char low, high;
	size_t n = lead(p[0], &low, &high);

	if (n == 0 || n > in.n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

size_t
text_valid_utf8(struct span in)
{
	struct span rest = in;
	size_t n;

	for (;;) {
		rest = span_skip(rest, ascii_run(rest));
		if (rest.n == 0)
			return in.n;
		n = sequence(rest);
		if (n == 0)
			return in.n - rest.n;
		rest = span_skip(rest, n);
	}
}

size_t
text_put_utf8(uint32_t code, char *out)
{
	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		code = 0xfffd;
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* Decodes the first character of `in` to out (room for 4 bytes), which is
 * *written bytes then; answers the bytes it took. */
static size_t
decode_one(struct span in, const struct text_codepage *codepage, char *out,
    size_t *written)
{
	unsigned char c = (unsigned char)in.p[0];
	uint16_t code = 0;
	size_t n = 1;

	if (codepage->pairs == NULL) {
		n = c < 0x80 ? 1 : sequence(in);
		if (n > 0) {
			memcpy(out, in.p, n);
			*written = n;
			return n;
		}
		n = 1;
	} else if (in.n > 1) {
		code = codepage->pairs[c << 8 | (unsigned char)in.p[1]];
		n = code != 0 ? 2 : 1;
	}
	*written = text_put_utf8(code != 0 ? code : codepage->single[c], out);
	return n;
}

/* Bytes of the decoded text, which goes to out if that is not NULL. */
static size_t
decode_all(struct span in, const struct text_codepage *codepage, char *out)
{
	size_t total = 0, n;
	char c[4];

	while (in.n > 0) {
		in = span_skip(in, decode_one(in, codepage, c, &n));
		if (out != NULL)
			memcpy(out + total, c, n);
		total += n;
	}
	return total;
}

/* Measured first: it is rare, and an arena sized for what texts come to need
 * not have room for the worst. */
bool
text_decode(struct span in, const struct text_codepage *codepage,
    struct arena *arena, struct span *out)
{
	size_t n = decode_all(in, codepage, NULL);
	char *p = arena_take(arena, n);

	if (p == NULL)
		return false;
	decode_all(in, codepage, p);
	*out = span_of(p, n);
	return true;
}

void
text_base64(struct span in, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";

	for (; in.n > 0; in = span_skip(in, 3), out += 4) {
		uint32_t bits = 0;

		for (size_t i = 0; i < 3; i++)
			bits =
			    bits << 8 | (i < in.n ? (unsigned char)in.p[i] : 0);
		out[0] = digits[bits >> 18];
		out[1] = digits[bits >> 12 & 63];
		out[2] = in.n > 1 ? digits[bits >> 6 & 63] : '=';
		out[3] = in.n > 2 ? digits[bits & 63] : '=';
	}
}
