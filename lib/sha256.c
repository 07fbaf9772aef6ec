#include "sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct sha256 {
	EVP_MD *kind; /* found once: the search costs more than a short text */
	EVP_MD_CTX *context;
};

struct sha256 *
sha256_new(void)
{
	struct sha256 *sha = calloc(1, sizeof(*sha));

	if (!sha)
		return NULL;
	/* OpenSSL 3.0 uses it even where it had no memory to make one. */
	if (OSSL_LIB_CTX_get0_global_default())
		sha->kind = EVP_MD_fetch(NULL, "SHA256", NULL);
	sha->context = EVP_MD_CTX_new();
	/* What can fail fails here: later calls only work on what there is. */
	if (!sha->kind || !sha->context ||
	    EVP_DigestInit_ex2(sha->context, sha->kind, NULL) != 1) {
		sha256_free(sha);
		return NULL;
	}
	return sha;
}

void
sha256_free(struct sha256 *sha)
{
	if (!sha)
		return;
	EVP_MD_CTX_free(sha->context);
	EVP_MD_free(sha->kind);
	free(sha);
}

void
sha256_begin(struct sha256 *sha)
{
	EVP_DigestInit_ex2(sha->context, sha->kind, NULL);
}

void
sha256_add(struct sha256 *sha, struct span bytes)
{
	EVP_DigestUpdate(sha->context, bytes.p, bytes.n);
}

void
sha256_end(struct sha256 *sha, uint8_t sum[SHA256_SIZE])
{
	EVP_DigestFinal_ex(sha->context, sum, NULL);
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
