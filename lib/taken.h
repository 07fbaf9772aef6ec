/*
 * taken - which rows of a table were taken already, and up to where.
 *
 * Rows are known by their serial number (USN) and the site that gave it. The
 * numbers of a site are kept as intervals, so a table read in order costs next
 * to nothing, and a row that shows up late, between others, is still new. A row
 * without such a number is known by a hash of its content.
 *
 * What is added is pending until taken_settle, once for many rows.
 *
 * Memory is bounded: beyond TAKEN_INTERVALS of them in all, the lowest of the
 * site that has most are forgotten. A row below what a site remembers is
 * neither known to be taken nor to be new: TAKEN_FORGOTTEN.
 */
#ifndef SEPMLOG_TAKEN_H
#define SEPMLOG_TAKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span.h"

enum {
	TAKEN_SITES = 256,   /* rows of more are known by their content */
	TAKEN_SITE_MAX = 64, /* bytes of a site's name; so are longer ones */
	TAKEN_INTERVALS = 1 << 19,
};

struct taken_key {
	unsigned site;
	uint64_t number;
};

/* The last row in the order of the table that was taken. */
struct taken_marker {
	bool set;
	int64_t time; /* ms since 1970 UTC */
	uint64_t usn;
};

enum taken_answer { TAKEN_NEW, TAKEN_YES, TAKEN_FORGOTTEN };

struct taken;

/* Empty, for at most `pending` rows between settlements and `intervals` (2 at
 * least) in all. NULL: no memory. */
struct taken *taken_new(size_t pending, size_t intervals);
void taken_free(struct taken *taken);

/* The key of a row: `usn` in decimal, and all of its content. */
struct taken_key taken_key(
    struct taken *taken, struct span site, struct span usn, struct span row);

enum taken_answer taken_look(const struct taken *taken, struct taken_key key);
/* For a key that is not taken; false: taken_settle is due. */
bool taken_add(struct taken *taken, struct taken_key key);
size_t taken_pending(const struct taken *taken);
/* Pending rows become intervals. False: no memory; then *taken is good for
 * taken_free only. */
bool taken_settle(struct taken *taken);
/* Was anything forgotten since taken_new? */
bool taken_forgets(const struct taken *taken);

/* For the caller; taken_write keeps them. `source` is a number for the table
 * that the rows come from. */
struct taken_marker *taken_marker(struct taken *taken);
uint64_t *taken_source(struct taken *taken);

/* The text of a state with nothing pending: at most taken_bound bytes. */
size_t taken_bound(const struct taken *taken);
size_t taken_write(const struct taken *taken, char *out);
/* Into an empty one. False: it is no such text, or no memory; then *taken is
 * good for taken_free only. An empty text is the empty state. */
bool taken_read(struct taken *taken, struct span text);

/* A hash of bytes that stays the same, FNV-1a with its bits mixed. */
uint64_t taken_hash(struct span bytes);

#endif
