/*
 * zip - the plain bytes of a zip archive's members, one after the other.
 *
 * Reads the central directory (APPNOTE.TXT 4.3, zip64 included) and members
 * that are stored or deflated; each is checked against its size and CRC. The
 * names in an archive are text for people and never become paths. Memory does
 * not depend on what the archive says, and members cannot overlap, so an
 * archive gives at most 1032 times its own size.
 */
#ifndef SEPMLOG_ZIP_H
#define SEPMLOG_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span.h"

/* Exactly `n` bytes from offset `at` of the archive; false: they cannot be
 * read. */
typedef bool zip_read_cb(void *arg, uint64_t at, char *to, size_t n);

struct zip;

struct zip_member {
	struct span name; /* as it stands there, cut; until zip_next */
	uint64_t size;    /* plain bytes */
	int64_t
	    modified; /* its wall clock, as seconds since 1970; 0: unknown */
};

enum zip_status {
	ZIP_MEMBER, /* *member is set */
	ZIP_END,
	ZIP_BROKEN, /* see zip_why */
};

/* Does it begin like a zip archive? Four bytes tell. */
bool zip_is(struct span start);

/* An archive of `size` bytes. NULL: no memory. */
struct zip *zip_new(zip_read_cb *read, void *arg, uint64_t size);
void zip_free(struct zip *zip);

/* The next member that is no directory. What was not read of the one before is
 * skipped, unchecked. */
enum zip_status zip_next(struct zip *zip, struct zip_member *member);
/* Up to `size` plain bytes of the member to `out`; *n is 0 at its end. False:
 * broken. */
bool zip_data(struct zip *zip, char *out, size_t size, size_t *n);

/* Bytes of the archive that were read for members so far. */
uint64_t zip_done(const struct zip *zip);
/* In a few words. */
const char *zip_why(const struct zip *zip);

#endif
