/*
 * records - the records of a file of ready/, one by one, and what a target
 * wants to know of each.
 *
 * Plain, gzip and zstd, by the file's name. Memory is that of the longest line
 * asked for, and of zstd's window.
 */
#ifndef SEPMLOG_UPLOAD_RECORDS_H
#define SEPMLOG_UPLOAD_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "encode.h"
#include "span.h"
#include "spool/names.h"

enum { RECORDS_ID = 128 };

/* What a file is, by its name. */
struct records_name {
	char stream[SPOOL_NAME_MAX + 1];
	char instance[SPOOL_INSTANCE + 1];
	uint64_t segment;
	/* ENCODE_FORMAT_COUNT: the extension is that of no format. */
	enum encode_format format;
	enum { RECORDS_PLAIN, RECORDS_GZIP, RECORDS_ZSTD } packed;
};

/* False: it is no name of a file of ready/. */
bool records_name(const char *name, struct records_name *out);

struct record_line {
	struct span text; /* without its line end; its first `max` bytes */
	uint64_t length;  /* > text.n: longer than max */
	uint64_t number;  /* of the record in the file, from 1 */
	uint64_t end;     /* offset in the plain content, behind its line end */
};

enum records_status {
	RECORDS_LINE,
	RECORDS_END,
	RECORDS_FAILED, /* it cannot be read now: records_why */
	RECORDS_BROKEN, /* it is not what its name says, and never will be */
};

struct records;

/* Reads with pread; the descriptor stays the caller's. NULL: no memory. */
struct records *records_new(
    int fd, const struct records_name *name, size_t max);
void records_free(struct records *records);

/* The next record; the header of a CSV is none, and neither is an empty line.
 * The text is good until the next call. */
enum records_status records_next(
    struct records *records, struct record_line *line);
/* Bytes of the file, as it is, that were read. */
uint64_t records_done(const struct records *records);
const char *records_why(const struct records *records);

/* --- of one record --- */

/* The id that it carries, else the one of its place in the file; a NUL comes
 * after it. Answers its length. */
size_t record_id(const struct records_name *name,
    const struct record_line *line, char id[RECORDS_ID + 1]);
/* The SEPM that it came from, else its sender's address, as the record writes
 * them; n == 0: it does not say. */
struct span record_source(enum encode_format format, struct span text);
/* When it happened, UTC microseconds; false: it does not say. */
bool record_time(enum encode_format format, struct span text, int64_t *us);

#endif
