/*
 * s3 - files as objects of a bucket: Amazon S3 and what speaks like it.
 *
 * Each file is one PUT to https://ENDPOINT/BUCKET/PREFIXNAME, or many of its
 * parts if it is larger than `multipart` (see s3_multi.h), signed with
 * Signature Version 4 over the SHA-256 of what is sent, so that the server
 * takes those bytes or none. What it says that it has - x-amz-checksum-sha256,
 * or an ETag that is an MD5 - is compared. An object appears whole or not at
 * all; one of the same name is replaced, as names are never used twice.
 */
#ifndef SEPMLOG_UPLOAD_S3_H
#define SEPMLOG_UPLOAD_S3_H

#include <stdint.h>

#include "target.h"
#include "web.h"

/* NULL where not said. */
struct s3_options {
	char *endpoint; /* https://HOST[:PORT], no path */
	char *bucket;
	char *prefix; /* before the name, such as `sepm/` */
	char *region;
	char *key_id;
	uint64_t multipart; /* bytes: larger files go in parts; at most 5 GiB */
	uint64_t part_size; /* bytes, 5 MiB to 5 GiB */
	struct web_access access; /* the password is the secret key */
};

extern const struct target_kind target_s3;

#endif
