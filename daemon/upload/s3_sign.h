/*
 * s3_sign - AWS Signature Version 4 of a request, by libcrypto.
 *
 * As in "Signature Calculations for the Authorization Header: Transferring
 * Payload in a Single Chunk" of the Amazon S3 API reference. Pure: the time
 * comes in.
 */
#ifndef SEPMLOG_UPLOAD_S3_SIGN_H
#define SEPMLOG_UPLOAD_S3_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "sha256.h"

enum {
	S3_HEADERS = 16,
	S3_DATE = sizeof "20130524T000000Z",
	S3_AUTHORIZATION = 1024,
};

struct s3_header {
	const char *name; /* lower case */
	const char *value;
};

struct s3_request {
	const char *method;
	const char *path;  /* as it is sent: encoded, from the first / on */
	const char *query; /* as it is sent: encoded and sorted; "" for none */
	/* All that are signed, sorted by name; `host`, `x-amz-date` and
	 * `x-amz-content-sha256` are among them. */
	const struct s3_header *headers;
	size_t header_count;
	uint8_t payload[SHA256_SIZE];
	const char *region, *service;
	const char *date; /* that of `x-amz-date` */
};

struct s3_keys {
	const char *id, *secret;
};

/* UTC, as `x-amz-date` has it. */
void s3_date(time_t now, char date[S3_DATE]);

/* Percent-encodes all but A-Z a-z 0-9 - . _ ~, and slashes too unless
 * `keep_slashes`. False: `size` is too small. */
bool s3_encode(const char *text, bool keep_slashes, char *out, size_t size);

/* The value of `Authorization`. False: no memory, or something is too long. */
bool s3_sign(const struct s3_request *request, const struct s3_keys *keys,
    char authorization[S3_AUTHORIZATION]);

#endif
