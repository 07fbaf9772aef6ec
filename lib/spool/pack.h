/*
 * pack - compresses a segment, piece by piece, into a file.
 *
 * The same pieces always give the same bytes: no time, no name, no threads.
 */
#ifndef SEPMLOG_SPOOL_PACK_H
#define SEPMLOG_SPOOL_PACK_H

#include "../sha256.h"
#include "spool.h"

struct pack;

/* `.gz`, `.zst` or nothing. */
const char *pack_extension(enum spool_compress kind);
/* For SPOOL_GZIP or SPOOL_ZSTD; NULL: no memory. */
struct pack *pack_new(enum spool_compress kind);
void pack_free(struct pack *pack);
/* Writes what `in` gives to `fd`; `last` ends it. False: errno is set. */
bool pack_feed(struct pack *pack, struct span in, bool last, int fd);
/* Of all that was written, behind the last piece; once. */
void pack_sum(struct pack *pack, uint8_t sum[SHA256_SIZE]);

#endif
