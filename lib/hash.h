/*
 * hash - a keyed hash of short texts, for tables in memory.
 *
 * Words of 8 bytes are folded in by the two halves of a product, as wyhash
 * does. Whoever does not know the key cannot choose texts that meet in a
 * table. Not the same on machines of different byte order, nor meant to be
 * kept.
 */
#ifndef SEPMLOG_HASH_H
#define SEPMLOG_HASH_H

#include <stdint.h>
#include <string.h>

#include "span.h"

/* Random, from the caller. */
struct hash_key {
	uint64_t a, b;
};

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 hash_wide;
#endif

/* Both halves of the product, one upon the other. */
static inline uint64_t
hash_fold(uint64_t x, uint64_t y)
{
#ifdef __SIZEOF_INT128__
	hash_wide product = (hash_wide)x * y;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
	uint64_t xl = (uint32_t)x, xh = x >> 32, yl = (uint32_t)y, yh = y >> 32;
	uint64_t low = xl * yl, a = xh * yl, b = xl * yh, high = xh * yh;
	uint64_t middle = (low >> 32) + (uint32_t)a + (uint32_t)b;

	return ((low & UINT32_MAX) | middle << 32) ^
	       (high + (a >> 32) + (b >> 32) + (middle >> 32));
#endif
}

static inline uint64_t
hash_span(const struct hash_key *key, struct span text)
{
	uint64_t h = key->a ^ text.n, word;

	for (; text.n >= sizeof word; text = span_skip(text, sizeof word)) {
		memcpy(&word, text.p, sizeof word);
		h = hash_fold(h ^ word, key->b);
	}
	word = 0;
	if (text.n > 0)
		memcpy(&word, text.p, text.n);
	return hash_fold(h ^ word, key->b ^ UINT64_C(0x9e3779b97f4a7c15));
}

#endif
