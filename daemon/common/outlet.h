/*
 * outlet - records to lines in the buffers of a spool's streams.
 *
 * Each record goes to every configured stream whose conditions it meets, in
 * the stream's format, as its policy lets it be seen, and with an id of its
 * own. Who writes asks outlet_room
 * before each record: then the record always finds its place.
 */
#ifndef SEPMLOG_OUTLET_H
#define SEPMLOG_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "record.h"
#include "spool/spool.h"

struct outlet;

/* Bytes of the longest line that this configuration can give for messages of
 * at most `n` bytes (encode_bound). */
size_t outlet_line(const struct config *config, size_t n);

/* For messages of at most `n` bytes. Borrows the configuration. NULL: `why`
 * (of `size` bytes) says why: no memory, or no key for private streams. */
struct outlet *outlet_new(
    const struct config *config, size_t n, char *why, size_t size);
void outlet_free(struct outlet *outlet);

/* The spool's streams are the configuration's; counts of streams with the same
 * name go on from those of `before` (may be NULL). */
void outlet_attach(
    struct outlet *outlet, struct spool *spool, const struct outlet *before);

/* Forgets the room it has found: others may have used the spool since. */
void outlet_forget(struct outlet *outlet);
/* Is there room for one more record in each stream? */
bool outlet_room(struct outlet *outlet);
/* Takes a record, exactly one per answer `true` of outlet_room; `now` is the
 * spool's. Answers the number of streams that it went to. */
size_t outlet_put(struct outlet *outlet, const struct record *record,
    const struct message_source *source, uint64_t now);

/* The streams that the last record went to: a bit for each, the lowest for the
 * first (there are 32 at most). */
uint32_t outlet_taken(const struct outlet *outlet);
/* Records appended to the stream at an index of the configuration. */
uint64_t outlet_stored(const struct outlet *outlet, size_t index);
/* Bytes of all lines that it has written. */
uint64_t outlet_bytes(const struct outlet *outlet);
/* `traffic 12, events 3`: records appended to each stream. Cut to fit. */
void outlet_text(const struct outlet *outlet, char *out, size_t size);

#endif
