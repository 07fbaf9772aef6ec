#include "sha1.h"

#include <stdint.h>

enum {
	CHUNK = 64,
	LENGTH = 8, /* bytes of the length at the end of the last chunk */
	ROUNDS = 80,
};

static uint32_t
rotate(uint32_t word, int n)
{
	return word << n | word >> (32 - n);
}

static uint32_t
load32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static void
expand(const unsigned char chunk[CHUNK], uint32_t w[ROUNDS])
{
	for (int i = 0; i < 16; i++)
		w[i] = load32(chunk + 4 * i);
	for (int i = 16; i < ROUNDS; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
}

/* The function and the constant of a round (6.1.1 and 4.2.1). */
static uint32_t
mix(int round, uint32_t b, uint32_t c, uint32_t d)
{
	if (round < 20)
		return ((b & c) | (~b & d)) + 0x5a827999;
	if (round < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (round < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

static void
add(uint32_t h[5], const unsigned char chunk[CHUNK])
{
	uint32_t w[ROUNDS], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	expand(chunk, w);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t t = rotate(a, 5) + mix(i, b, c, d) + e + w[i];

		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void
sha1(struct span text, unsigned char digest[SHA1_SIZE])
{
	uint32_t h[5] = {
	    0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	unsigned char last[2 * CHUNK] = {0};
	uint64_t bits = (uint64_t)text.n * 8;
	size_t n;

	for (; text.n >= CHUNK; text = span_skip(text, CHUNK))
		add(h, (const unsigned char *)text.p);
	if (text.n > 0)
		memcpy(last, text.p, text.n);
	last[text.n] = 0x80;
	n = text.n + 1 + LENGTH <= CHUNK ? CHUNK : 2 * CHUNK;
	for (size_t i = 1; i <= LENGTH; i++, bits >>= 8)
		last[n - i] = (unsigned char)bits;
	for (size_t at = 0; at < n; at += CHUNK)
		add(h, last + at);
	for (size_t i = 0; i < SHA1_SIZE; i++)
		digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}
