/*
 * block - sixteen bytes at a time.
 *
 * The few operations that finding, checking and copying short text need, over
 * SSE2 (always there on x86-64), NEON (on arm64) or plain C. A comparison gives
 * a block with 0xff where it holds; block_mask makes a number of that, with a
 * bit for each byte, the lowest for the first. SEPMLOG_PORTABLE asks for plain
 * C, as the tests do to compare the two.
 */
#ifndef SEPMLOG_BLOCK_H
#define SEPMLOG_BLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK = 16 };

/* Does something watch over every byte that is read? */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BLOCK_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define BLOCK_WATCHED 1
#endif
#endif

#if defined(__SSE2__) && !defined(SEPMLOG_PORTABLE)

#include <emmintrin.h>

typedef __m128i block16;

static inline block16
block_load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline void
block_store(char *p, block16 b)
{
	_mm_storeu_si128((__m128i *)(void *)p, b);
}

static inline block16
block_equal(block16 b, unsigned char c)
{
	return _mm_cmpeq_epi8(b, _mm_set1_epi8((char)c));
}

static inline block16
block_same(block16 a, block16 b)
{
	return _mm_cmpeq_epi8(a, b);
}

/* From `low` up to `high`, both included, unsigned. */
static inline block16
block_between(block16 b, unsigned char low, unsigned char high)
{
	block16 from_low = _mm_sub_epi8(b, _mm_set1_epi8((char)low));
	block16 most = _mm_set1_epi8((char)(high - low));

	return _mm_cmpeq_epi8(_mm_min_epu8(from_low, most), from_low);
}

static inline block16
block_or(block16 a, block16 b)
{
	return _mm_or_si128(a, b);
}

static inline block16
block_and(block16 a, block16 b)
{
	return _mm_and_si128(a, b);
}

static inline block16
block_fill(unsigned char c)
{
	return _mm_set1_epi8((char)c);
}

/* The highest bit of each byte. */
static inline unsigned
block_mask(block16 b)
{
	return (unsigned)_mm_movemask_epi8(b);
}

#elif defined(__ARM_NEON) && defined(__aarch64__) && !defined(SEPMLOG_PORTABLE)

#include <arm_neon.h>

typedef uint8x16_t block16;

static inline block16
block_load(const char *p)
{
	/* To gcc this is a read of an array, which it warns of where it sees
	 * that the array is shorter (block_load_part). It must not see that. */
	__asm__("" : "+r"(p));
	return vld1q_u8((const uint8_t *)(const void *)p);
}

static inline void
block_store(char *p, block16 b)
{
	vst1q_u8((uint8_t *)(void *)p, b);
}

static inline block16
block_equal(block16 b, unsigned char c)
{
	return vceqq_u8(b, vdupq_n_u8(c));
}

static inline block16
block_same(block16 a, block16 b)
{
	return vceqq_u8(a, b);
}

static inline block16
block_between(block16 b, unsigned char low, unsigned char high)
{
	return vcleq_u8(
	    vsubq_u8(b, vdupq_n_u8(low)), vdupq_n_u8((uint8_t)(high - low)));
}

static inline block16
block_or(block16 a, block16 b)
{
	return vorrq_u8(a, b);
}

static inline block16
block_and(block16 a, block16 b)
{
	return vandq_u8(a, b);
}

static inline block16
block_fill(unsigned char c)
{
	return vdupq_n_u8(c);
}

static inline unsigned
block_mask(block16 b)
{
	static const uint8_t weight[BLOCK] = {
	    1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
	uint8x16_t bits =
	    vandq_u8(vcgeq_u8(b, vdupq_n_u8(0x80)), vld1q_u8(weight));

	return (unsigned)vaddv_u8(vget_low_u8(bits)) |
	       (unsigned)vaddv_u8(vget_high_u8(bits)) << 8;
}

#else

typedef struct {
	unsigned char byte[BLOCK];
} block16;

static inline block16
block_load(const char *p)
{
	block16 b;

	memcpy(b.byte, p, BLOCK);
	return b;
}

static inline void
block_store(char *p, block16 b)
{
	memcpy(p, b.byte, BLOCK);
}

static inline block16
block_between(block16 b, unsigned char low, unsigned char high)
{
	for (unsigned i = 0; i < BLOCK; i++)
		b.byte[i] = b.byte[i] >= low && b.byte[i] <= high ? 0xff : 0;
	return b;
}

static inline block16
block_equal(block16 b, unsigned char c)
{
	return block_between(b, c, c);
}

static inline block16
block_same(block16 x, block16 y)
{
	for (unsigned i = 0; i < BLOCK; i++)
		x.byte[i] = x.byte[i] == y.byte[i] ? 0xff : 0;
	return x;
}

static inline block16
block_or(block16 x, block16 y)
{
	for (unsigned i = 0; i < BLOCK; i++)
		x.byte[i] |= y.byte[i];
	return x;
}

static inline block16
block_and(block16 x, block16 y)
{
	for (unsigned i = 0; i < BLOCK; i++)
		x.byte[i] &= y.byte[i];
	return x;
}

static inline block16
block_fill(unsigned char c)
{
	block16 b;

	memset(b.byte, c, BLOCK);
	return b;
}

static inline unsigned
block_mask(block16 b)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < BLOCK; i++)
		mask |= (unsigned)(b.byte[i] >> 7) << i;
	return mask;
}

#endif

/* Index of the first byte of a mask; the mask is not 0. */
static inline unsigned
block_first(uint64_t mask)
{
	return (unsigned)__builtin_ctzll(mask);
}

/* The mask of the first n bytes, n at most 2 * BLOCK - 1. */
static inline unsigned
block_until(size_t n)
{
	return (1U << n) - 1;
}

/* block_load_part by a copy, for the end of a page. */
block16 block_load_copied(const char *p, size_t n);

/*
 * The n bytes at p, n at most BLOCK; the bytes behind them are anything, and
 * whoever looks at them has made a mistake. A load that stays inside the page
 * of the first byte cannot fail, so that all of BLOCK is read where that page
 * goes on. (Sanitizers know better, and get a copy.)
 */
static inline block16
block_load_part(const char *p, size_t n)
{
#ifdef BLOCK_WATCHED
	if (n == BLOCK)
		return block_load(p);
	return block_load_copied(p, n);
#else
	enum { PAGE = 4096 }; /* no machine has smaller ones */

	if (n > 0 && ((uintptr_t)p & (PAGE - 1)) <= PAGE - BLOCK)
		return block_load(p);
	return block_load_copied(p, n);
#endif
}

/* ASCII letters in lower case, any other byte as it is. */
static inline block16
block_lower(block16 b)
{
	return block_or(
	    b, block_and(block_between(b, 'A', 'Z'), block_fill(0x20)));
}

/* Index of the first c in the n bytes at p, or n. For short distances. */
static inline size_t
block_find(const char *p, size_t n, unsigned char c)
{
	size_t i = 0;
	unsigned mask;

	for (; n - i >= BLOCK; i += BLOCK)
		if ((mask = block_mask(block_equal(block_load(p + i), c))) != 0)
			return i + block_first(mask);
	if (i == n)
		return n;
	mask = block_mask(block_equal(block_load_part(p + i, n - i), c)) &
	       block_until(n - i);
	return mask != 0 ? i + block_first(mask) : n;
}

/* Are the n bytes at both places the same? For short text. */
static inline int
block_compare(const char *p, const char *q, size_t n)
{
	size_t i = 0;
	block16 same;

	for (; n - i >= BLOCK; i += BLOCK) {
		same = block_same(block_load(p + i), block_load(q + i));
		if (block_mask(same) != block_until(BLOCK))
			return 0;
	}
	if (i == n)
		return 1;
	same = block_same(
	    block_load_part(p + i, n - i), block_load_part(q + i, n - i));
	return (~block_mask(same) & block_until(n - i)) == 0;
}

/*
 * Copies n bytes and answers the end of them. Up to BLOCK - 1 bytes behind the
 * copy are written, too.
 */
static inline char *
block_copy(const char *p, size_t n, char *out)
{
	size_t i = 0;

	for (; n - i >= BLOCK; i += BLOCK)
		block_store(out + i, block_load(p + i));
	block_store(out + i, block_load_part(p + i, n - i));
	return out + n;
}

#endif
