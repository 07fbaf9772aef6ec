/*
 * rollup - records of traffic that say the same, as one.
 *
 * Records are grouped by who (host, its address, user and domain), with what
 * (application), to where (remote name, or the address of what has none, and
 * port), how (protocol, direction) and what became of it (action, rule). A
 * group has the sum of the occurrences, the number of records, and the first
 * and last time. Nothing is estimated.
 *
 * When there is no room for one more group, those that are there have to be
 * taken out before the next record, and nothing is merged that differs
 * (ROLLUP_EARLY); or records of further groups are added up in one that says
 * so: it has their sums and times, the flag RECORD_OVERFLOW, and nothing else
 * (ROLLUP_BUCKET).
 *
 * Memory is fixed: so many groups, and so many bytes for their texts. A text
 * counts with its first ROLLUP_TEXT bytes.
 */
#ifndef SEPMLOG_ROLLUP_H
#define SEPMLOG_ROLLUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "message.h"
#include "record.h"

enum {
	ROLLUP_TEXT = 1024, /* bytes of a text, at most */
	/* Bytes of the texts of a group, at most. */
	ROLLUP_GROUP = 12 * (ROLLUP_TEXT + 2),
};

enum rollup_overflow { ROLLUP_EARLY, ROLLUP_BUCKET };

struct rollup;

/* `bytes` is at least ROLLUP_GROUP. NULL: no memory. */
struct rollup *rollup_new(size_t groups, size_t bytes, struct hash_key key,
    enum rollup_overflow overflow);
void rollup_free(struct rollup *rollup);

/* Is there room for any record? */
bool rollup_has_room(const struct rollup *rollup);
/* Adds a record, of traffic; there is room. `source` must be good until its
 * group is taken out. */
void rollup_add(struct rollup *rollup, const struct record *record,
    const struct message_source *source);

/* Groups that are there, that of the overflow included. */
size_t rollup_count(const struct rollup *rollup);

/* One group. */
struct rollup_group {
	const struct message_source *source; /* of its first record */
	uint64_t records, occurrences;
};

/*
 * The next group as a record, which borrows until it is taken out; they come
 * in the order of their first records, that of the overflow last. False: there
 * is none.
 */
bool rollup_peek(const struct rollup *rollup, struct record *record,
    struct rollup_group *group);
/* Takes it out. Its room is there again when all are. */
void rollup_drop(struct rollup *rollup);

/* The occurrences that a record stands for: one at least, and at most so many
 * (UINT32_MAX) that sums of all the records of a lifetime do not overflow. */
uint64_t rollup_weight(const struct record *record);

#endif
