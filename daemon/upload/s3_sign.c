#include "s3_sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CANONICAL = 8 * 1024,
	DAY = 8, /* digits of a date */
	SECRET = 256,
};

/* --- text that grows in a bounded place --- */

struct text {
	char *p;
	size_t n, size;
	bool good; /* all of it had room */
};

__attribute__((format(printf, 2, 3))) static void
add(struct text *text, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->p + text->n, text->size - text->n, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= text->size - text->n)
		text->good = false;
	else
		text->n += (size_t)n;
}

static void
add_hex(struct text *text, const uint8_t sum[SHA256_SIZE])
{
	char hex[SHA256_HEX];

	sha256_hex(sum, hex);
	add(text, "%.*s", SHA256_HEX, hex);
}

/* --- what the values are --- */

void
s3_date(time_t now, char date[S3_DATE])
{
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(date, S3_DATE, "%Y%m%dT%H%M%SZ", &tm);
}

static bool
is_plain(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

bool
s3_encode(const char *text, bool keep_slashes, char *out, size_t size)
{
	struct text t = {.p = out, .size = size, .good = size > 0};

	if (size > 0)
		out[0] = '\0';
	for (; *text != '\0' && t.good; text++) {
		if (is_plain(*text) || (keep_slashes && *text == '/'))
			add(&t, "%c", *text);
		else
			add(&t, "%%%02X", (unsigned char)*text);
	}
	return t.good;
}

static void
add_names(struct text *text, const struct s3_request *r)
{
	for (size_t i = 0; i < r->header_count; i++)
		add(text, "%s%s", i > 0 ? ";" : "", r->headers[i].name);
}

static void
add_request(struct text *text, const struct s3_request *r)
{
	add(text, "%s\n%s\n%s\n", r->method, r->path, r->query);
	for (size_t i = 0; i < r->header_count; i++)
		add(text, "%s:%s\n", r->headers[i].name, r->headers[i].value);
	add(text, "\n");
	add_names(text, r);
	add(text, "\n");
	add_hex(text, r->payload);
}

static void
add_scope(struct text *text, const struct s3_request *r)
{
	add(text, "%.*s/%s/%s/aws4_request", DAY, r->date, r->region,
	    r->service);
}

/* --- the signature --- */

static bool
hmac(const void *key, size_t key_n, const char *data, size_t n,
    uint8_t sum[SHA256_SIZE])
{
	return HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)data,
		   n, sum, NULL) != NULL;
}

static bool
derive_key(const struct s3_request *r, const struct s3_keys *keys,
    uint8_t key[SHA256_SIZE])
{
	char first[SECRET];
	int n = snprintf(first, sizeof first, "AWS4%s", keys->secret);
	bool good =
	    n > 0 && (size_t)n < sizeof first &&
	    hmac(first, (size_t)n, r->date, DAY, key) &&
	    hmac(key, SHA256_SIZE, r->region, strlen(r->region), key) &&
	    hmac(key, SHA256_SIZE, r->service, strlen(r->service), key) &&
	    hmac(key, SHA256_SIZE, "aws4_request", 12, key);

	OPENSSL_cleanse(first, sizeof first);
	return good;
}

static bool
hash_request(const struct s3_request *r, uint8_t sum[SHA256_SIZE])
{
	struct text text = {.p = malloc(CANONICAL), .size = CANONICAL};

	if (text.p == NULL)
		return false;
	text.good = true;
	add_request(&text, r);
	text.good = text.good && EVP_Digest(text.p, text.n, sum, NULL,
				     EVP_sha256(), NULL) == 1;
	free(text.p);
	return text.good;
}

bool
s3_sign(const struct s3_request *r, const struct s3_keys *keys,
    char authorization[S3_AUTHORIZATION])
{
	char to_sign[512];
	struct text text = {to_sign, 0, sizeof to_sign, true};
	struct text out = {authorization, 0, S3_AUTHORIZATION, true};
	uint8_t sum[SHA256_SIZE], key[SHA256_SIZE];
	bool good;

	if (strlen(r->date) != S3_DATE - 1 || !hash_request(r, sum))
		return false;
	add(&text, "AWS4-HMAC-SHA256\n%s\n", r->date);
	add_scope(&text, r);
	add(&text, "\n");
	add_hex(&text, sum);
	good = text.good && derive_key(r, keys, key) &&
	       hmac(key, sizeof key, text.p, text.n, sum);
	OPENSSL_cleanse(key, sizeof key);
	if (!good)
		return false;
	add(&out, "AWS4-HMAC-SHA256 Credential=%s/", keys->id);
	add_scope(&out, r);
	add(&out, ",SignedHeaders=");
	add_names(&out, r);
	add(&out, ",Signature=");
	add_hex(&out, sum);
	return out.good;
}
