/*
 * published - what a file of ready/ holds, read to its end.
 */
#ifndef SEPMLOG_PUBLISHED_H
#define SEPMLOG_PUBLISHED_H

#include <stdbool.h>
#include <stdint.h>

#include "sha256.h"
#include "spool/names.h"

enum {
	PUBLISHED_GAPS = 16, /* that are named */
};

/* Ids that are missing, or there again, between two lines of a file. */
struct published_gap {
	uint64_t line;     /* of the file, from 1 */
	uint64_t expected; /* line of the id */
	uint64_t segment, found;
};

struct published {
	uint64_t bytes, lines; /* of the plain content; LFs */
	uint64_t records;      /* without a header */
	uint8_t sum[SHA256_SIZE];
	bool whole;   /* the last line ends in LF */
	bool has_ids; /* its lines carry them */
	uint64_t gaps;
	struct published_gap gap[PUBLISHED_GAPS];
};

/* The name of a file of ready/ taken apart. */
struct published_name {
	char stream[SPOOL_NAME_MAX + 1];
	char prefix[SPOOL_PATH]; /* of its ids: `3fa94c1e-traffic-` */
	uint64_t segment;
	size_t plain; /* length of the name without `.gz` or `.zst` */
	bool header;  /* its first line is none of a record */
};

/* False: it is no such name. */
bool published_name(const char *name, struct published_name *out);

/* False: `why` (of `size` bytes) says why it cannot be read; errno is ENOENT
 * if it is not there. */
bool published_read(
    int dir, const char *name, struct published *out, char *why, size_t size);

#endif
