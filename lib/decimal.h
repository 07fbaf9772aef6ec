/*
 * decimal - numbers as digits, two at a time.
 *
 * Each function writes at out and answers the end of what it wrote; no NUL.
 */
#ifndef SEPMLOG_DECIMAL_H
#define SEPMLOG_DECIMAL_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

enum {
	DECIMAL_MAX = 20, /* digits of UINT64_MAX */
	DECIMAL_ROOM =
	    8, /* at bytes that decimal_put may write, and more digits */
};

/* Exactly two digits of a number below 100. */
static inline char *
decimal_put2(unsigned n, char *out)
{
	static const char pairs[] = "00010203040506070809"
				    "10111213141516171819"
				    "20212223242526272829"
				    "30313233343536373839"
				    "40414243444546474849"
				    "50515253545556575859"
				    "60616263646566676869"
				    "70717273747576777879"
				    "80818283848586878889"
				    "90919293949596979899";

	memcpy(out, pairs + 2 * n, 2);
	return out + 2;
}

/* Exactly four digits of a number below 10000. */
static inline char *
decimal_put4(unsigned n, char *out)
{
	return decimal_put2(n % 100, decimal_put2(n / 100, out));
}

/*
 * Eight digits of a number below 100000000, the first one in the lowest byte:
 * halves, quarters and eighths side by side in one word.
 */
static inline uint64_t
decimal_split8(uint32_t n)
{
	uint64_t w = n / 10000 | (uint64_t)(n % 10000) << 32;
	uint64_t hundreds = (w * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
	uint64_t tens;

	w = hundreds | (w - hundreds * 100) << 16;
	tens = (w * 103 >> 10) & UINT64_C(0x000f000f000f000f);
	return tens | (w - tens * 10) << 8;
}

/* As many digits as the number has. DECIMAL_ROOM bytes are written whatever it
 * is: how many of them count is chance, and a loop would guess it wrongly. */
static inline char *
decimal_put_small(uint32_t n, char *out)
{
	uint64_t digits = decimal_split8(n);
	unsigned zeros = /* at the start; the last digit always counts */
	    (unsigned)__builtin_ctzll(digits | UINT64_C(1) << 56) & ~7U;
	uint64_t text =
	    htole64((digits | UINT64_C(0x3030303030303030)) >> zeros);

	memcpy(out, &text, sizeof(text));
	return out + 8 - zeros / 8;
}

/* The same for any number; DECIMAL_ROOM holds for it, too. */
static inline char *
decimal_put(uint64_t n, char *out)
{
	char digits[DECIMAL_MAX], *p = digits + sizeof(digits);
	size_t length;

	if (n < 100000000)
		return decimal_put_small((uint32_t)n, out);
	for (; n >= 100; n /= 100)
		decimal_put2((unsigned)(n % 100), p -= 2);
	if (n >= 10)
		decimal_put2((unsigned)n, p -= 2);
	else
		*--p = (char)('0' + n);
	length = (size_t)(digits + sizeof(digits) - p);
	memcpy(out, p, length);
	return out + length;
}

#endif
