/*
 * s3_call - one signed request to a bucket: what an object of one PUT and one
 * of many parts have in common.
 */
#ifndef SEPMLOG_UPLOAD_S3_CALL_H
#define SEPMLOG_UPLOAD_S3_CALL_H

#include <openssl/evp.h>

#include "s3.h"
#include "web.h"

enum {
	S3_PATH = 3 * 800,
	S3_QUERY = 1100,
	S3_BASE64 = 4 * ((SHA256_SIZE + 2) / 3),
	S3_MD5 = 16,
};

struct s3 {
	const struct s3_options *options;
	struct web web;
	EVP_MD_CTX *md5;
	bool has_md5; /* FIPS forbids it */
};

/* One delivery. */
struct s3_work {
	struct web_work web; /* first: see s3_sees_cb */
	struct s3 *s3;
	char path[S3_PATH]; /* /BUCKET/PREFIXNAME, encoded */
};

struct s3_call {
	const char *method;
	const char *path;       /* encoded */
	const char *query;      /* encoded and sorted; "": none */
	const uint8_t *payload; /* SHA-256 of the content */
	const char *sum;        /* that it is to keep, base64; NULL: none */
	bool asks_sums;         /* of the parts of the upload that begins */
};

/* SHA-256 of nothing. */
extern const uint8_t s3_nothing[SHA256_SIZE];

/* Sets the request but for its content. False: the result says why. */
bool s3_begin(struct s3_work *work, const struct s3_call *call);
/* The answer's status; 0: there is none, and the result says why. */
long s3_perform(struct s3_work *work);
/* It failed with this answer. */
void s3_failed(struct s3_work *work, const char *what, long status);

/* For web_work.sees: the MD5 of what is sent. */
void s3_sees_cb(struct web_work *web, const char *bytes, size_t n);
/* Of what was sent, once. False: there is none. */
bool s3_md5(struct s3_work *work, uint8_t md5[S3_MD5]);
/* Does an ETag of the answer have to be an MD5? Encryption with keys of a
 * service makes one that is not. */
bool s3_etag_is_md5(struct s3_work *work, const char *etag);
/* In lower case, with a NUL. */
void s3_hex(const uint8_t *bytes, size_t n, char *hex);

#endif
