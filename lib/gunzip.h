/*
 * gunzip - the plain bytes of gzip files (RFC 1952), piece by piece.
 *
 * A file may hold several members, as rotated logs that were put together do;
 * their bytes follow one another. Each is checked against its length and CRC.
 * Memory does not depend on what the file says.
 */
#ifndef SEPMLOG_GUNZIP_H
#define SEPMLOG_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "span.h"

struct gunzip;

enum gunzip_status {
	GUNZIP_BYTES,  /* *n of them, more than none */
	GUNZIP_MORE,   /* feed the next piece */
	GUNZIP_BROKEN, /* see gunzip_why */
};

/* Does it begin like a gzip file? Three bytes tell. */
bool gunzip_is(struct span start);

/* NULL: no memory. */
struct gunzip *gunzip_new(void);
void gunzip_free(struct gunzip *gunzip);

/* The next piece, which must stay until gunzip_next wants more. */
void gunzip_feed(struct gunzip *gunzip, struct span piece);
/* Up to `size` plain bytes to `out`. */
enum gunzip_status gunzip_next(
    struct gunzip *gunzip, char *out, size_t size, size_t *n);
/* May the file end here? */
bool gunzip_ends(const struct gunzip *gunzip);
/* In a few words. */
const char *gunzip_why(const struct gunzip *gunzip);

#endif
