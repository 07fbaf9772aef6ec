/*
 * outlet - records to lines in the buffers of a spool's streams.
 *
 * Each record goes to every configured stream whose conditions it meets, in
 * the stream's format, as its policy lets it be seen, and with an id of its
 * own. Who writes asks outlet_room
 * before each record: then the record always finds its place.
 *
 * A stream that rolls up (rollup.h) gets its records later: when its interval
 * is over, when there is no room for one more group, or when all are wanted.
 * They are written by outlet_room, which answers false until all of them have
 * found room. So between two records nothing is ever half written.
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

/* Tokens are noted there with their values from now on (vault.h); NULL:
 * nowhere. Borrowed. */
void outlet_seal(struct outlet *outlet, struct vault_notes *notes);

/* The spool's streams are the configuration's; counts of streams with the same
 * name go on from those of `before` (may be NULL). */
void outlet_attach(
    struct outlet *outlet, struct spool *spool, const struct outlet *before);

/* Forgets the room it has found: others may have used the spool since. */
void outlet_forget(struct outlet *outlet);
/* What time it is; intervals are measured by it. */
void outlet_clock(struct outlet *outlet, uint64_t now);
/* Is there room for one more record in each stream, and in the vault? */
bool outlet_room(struct outlet *outlet);
/* From now on, all that was rolled up goes out; outlet_room says when it has,
 * and until then takes nothing. */
void outlet_close(struct outlet *outlet);
/* Records that wait in streams that roll up. */
uint64_t outlet_waiting(const struct outlet *outlet);
/* Takes a record, exactly one per answer `true` of outlet_room. Answers the
 * number of streams that it went to, those that roll it up included. `source`
 * is good as long as the configuration. */
size_t outlet_put(struct outlet *outlet, const struct record *record,
    const struct message_source *source);

/* The streams that the last record was written to: a bit for each, the lowest
 * for the first (there are 32 at most). */
uint32_t outlet_taken(const struct outlet *outlet);

/* What streams that roll up have taken and written, of all time. */
struct outlet_rolled {
	uint64_t records_in,
	    occurrences_in; /* a record counts in each stream */
	uint64_t records_out, occurrences_out;
	uint64_t represented; /* records in, of those that are out */
};
const struct outlet_rolled *outlet_rolled(const struct outlet *outlet);
/* Does the stream roll up? */
bool outlet_rolls(const struct outlet *outlet, size_t index);

/* Records appended to the stream at an index of the configuration. */
uint64_t outlet_stored(const struct outlet *outlet, size_t index);
/* Their bytes. */
uint64_t outlet_written(const struct outlet *outlet, size_t index);
/* Bytes of all lines that it has written, and one for each record that it has
 * rolled up: there is something, even if it is not written yet. */
uint64_t outlet_bytes(const struct outlet *outlet);
/* `traffic 12, events 3`: records appended to each stream. Cut to fit. */
void outlet_text(const struct outlet *outlet, char *out, size_t size);

#endif
