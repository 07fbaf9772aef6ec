/*
 * unzstd - the plain bytes of zstd files (RFC 8878), piece by piece.
 *
 * A file may hold several frames; their bytes follow one another. Memory is
 * limited by the window that we accept, 128 MiB at most.
 */
#ifndef SEPMLOG_UNZSTD_H
#define SEPMLOG_UNZSTD_H

#include <stdbool.h>
#include <stddef.h>

#include "span.h"

struct unzstd;

enum unzstd_status {
	UNZSTD_BYTES,  /* *n of them, more than none */
	UNZSTD_MORE,   /* feed the next piece */
	UNZSTD_BROKEN, /* see unzstd_why */
};

/* Does it begin like a zstd file? Four bytes tell. */
bool unzstd_is(struct span start);

/* NULL: no memory. */
struct unzstd *unzstd_new(void);
void unzstd_free(struct unzstd *unzstd);

/* The next piece, which must stay until unzstd_next wants more. */
void unzstd_feed(struct unzstd *unzstd, struct span piece);
/* Up to `size` plain bytes to `out`. */
enum unzstd_status unzstd_next(
    struct unzstd *unzstd, char *out, size_t size, size_t *n);
/* May the file end here? */
bool unzstd_ends(const struct unzstd *unzstd);
/* In a few words. */
const char *unzstd_why(const struct unzstd *unzstd);

#endif
