/*
 * reader - the texts in a file, unpacked where they are packed.
 *
 * A plain file is one text, and so is a gzip or zstd file; a zip archive has
 * one for each member. Told apart by content. Memory does not depend on the
 * file, but for the window of zstd, 128 MiB at most.
 */
#ifndef SEPMLOG_READER_H
#define SEPMLOG_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"

enum reader_kind { READER_PLAIN, READER_GZIP, READER_ZSTD, READER_ZIP };

enum reader_status {
	READER_TEXT,   /* another text begins */
	READER_BYTES,  /* some of it */
	READER_END,    /* of the file */
	READER_BROKEN, /* see reader_why */
};

struct reader;

/* By the first bytes, four of them or all there are. */
enum reader_kind reader_kind(struct span start);

/*
 * Reads the first `size` bytes of a regular file, or, with UINT64_MAX, a pipe
 * or the like up to its end. The descriptor stays the caller's. NULL: no
 * memory.
 */
struct reader *reader_new(int fd, uint64_t size);
void reader_free(struct reader *reader);

/* *bytes are good until the next call. */
enum reader_status reader_next(struct reader *reader, struct span *bytes);
/* Bytes of the file that have been read. */
uint64_t reader_done(const struct reader *reader);
/* What the archive says about the time of this text (UTC seconds, the zone
 * unknown); 0: nothing. */
int64_t reader_modified(const struct reader *reader);
/* In a few words. */
const char *reader_why(const struct reader *reader);

#endif
