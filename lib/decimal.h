/*
 * decimal - numbers as digits, two at a time.
 *
 * Each function writes at out and answers the end of what it wrote; no NUL.
 */
#ifndef SEPMLOG_DECIMAL_H
#define SEPMLOG_DECIMAL_H

#include <stdint.h>
#include <string.h>

enum { DECIMAL_MAX = 20 }; /* digits of UINT64_MAX */

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

static inline unsigned
decimal_digits(uint64_t n)
{
	unsigned digits = 1;

	for (; n >= 10000; n /= 10000)
		digits += 4;
	return digits + (n >= 10) + (n >= 100) + (n >= 1000);
}

/* As many digits as the number has. */
static inline char *
decimal_put(uint64_t n, char *out)
{
	char *end = out + decimal_digits(n), *p = end;

	for (; n >= 100; n /= 100)
		decimal_put2((unsigned)(n % 100), p -= 2);
	if (n >= 10)
		decimal_put2((unsigned)n, p - 2);
	else
		p[-1] = (char)('0' + n);
	return end;
}

#endif
