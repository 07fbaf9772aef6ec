/*
 * The calls of libcrypto that OpenSSL 3 calls low-level: the others allocate in
 * some releases (3.0.19) at each begin, and so can fail there.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "sha256.h"

#include <openssl/sha.h>
#include <stdlib.h>

struct sha256 {
	SHA256_CTX context;
};

struct sha256 *
sha256_new(void)
{
	struct sha256 *sha = calloc(1, sizeof(*sha));

	if (sha)
		sha256_begin(sha);
	return sha;
}

void
sha256_free(struct sha256 *sha)
{
	free(sha);
}

void
sha256_begin(struct sha256 *sha)
{
	SHA256_Init(&sha->context);
}

void
sha256_add(struct sha256 *sha, struct span bytes)
{
	SHA256_Update(&sha->context, bytes.p, bytes.n);
}

void
sha256_end(struct sha256 *sha, uint8_t sum[SHA256_SIZE])
{
	SHA256_Final(sum, &sha->context);
}

void
sha256_hex(const uint8_t sum[SHA256_SIZE], char hex[SHA256_HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < SHA256_SIZE; i++) {
		hex[2 * i] = digits[sum[i] >> 4];
		hex[2 * i + 1] = digits[sum[i] & 15];
	}
}

static int
digit_of(int c)
{
	if (span_isdigit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
sha256_read(struct span hex, uint8_t sum[SHA256_SIZE])
{
	int high, low;

	if (hex.n != SHA256_HEX)
		return false;
	for (size_t i = 0; i < SHA256_SIZE; i++) {
		high = digit_of(span_at(hex, 2 * i));
		low = digit_of(span_at(hex, 2 * i + 1));
		if (high < 0 || low < 0)
			return false;
		sum[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
