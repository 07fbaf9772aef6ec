/*
 * sha256 - SHA-256 of bytes that come in pieces (FIPS 180-4), by libcrypto.
 */
#ifndef SEPMLOG_SHA256_H
#define SEPMLOG_SHA256_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"

enum {
	SHA256_SIZE = 32,
	SHA256_HEX = 2 * SHA256_SIZE,
};

struct sha256;

/* One that can be used again and again, and has begun. NULL: no memory. */
struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *sha);

/* Forgets what came before. */
void sha256_begin(struct sha256 *sha);
void sha256_add(struct sha256 *sha, struct span bytes);
/* Then sha256_begin comes first again. */
void sha256_end(struct sha256 *sha, uint8_t sum[SHA256_SIZE]);

/* In lower case; no NUL. */
void sha256_hex(const uint8_t sum[SHA256_SIZE], char hex[SHA256_HEX]);
/* False: not exactly such digits; *sum is then anything. */
bool sha256_read(struct span hex, uint8_t sum[SHA256_SIZE]);

#endif
