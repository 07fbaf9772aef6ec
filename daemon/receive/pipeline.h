/*
 * pipeline - messages to lines in the spool's buffers.
 *
 * Listeners bracket what they do in a wake-up by pipeline_begin and _end, and
 * ask pipeline_room before they take a message out of its socket's bytes: a
 * message that has been taken always finds its place. When one of the two
 * answers false the listener leaves its socket alone until it is resumed, so
 * nothing waits in our memory but what has been read.
 */
#ifndef SEPMLOGD_PIPELINE_H
#define SEPMLOGD_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit.h"
#include "busiest.h"
#include "config.h"
#include "counters.h"
#include "message.h"
#include "recent.h"
#include "spooler.h"

struct pipeline;

/* Bytes of the longest line that this configuration can give. */
size_t pipeline_line(const struct config *config);

/* A pipeline that lacks its spool. Borrows all three. NULL: `why` (of `size`
 * bytes) says why: no memory, or no key for private streams. */
struct pipeline *pipeline_new(const struct config *config,
    struct counters *counters, struct audit *audit, char *why, size_t size);
void pipeline_free(struct pipeline *pipeline);
/* The spool's streams are the configuration's; counts of streams with the same
 * name go on from those of `before` (may be NULL). */
void pipeline_attach(struct pipeline *pipeline, struct spooler *spooler,
    const struct pipeline *before);

/* Where messages that cannot be parsed are shown, and what is busiest (may be
 * NULL: nobody wants to know); borrowed. With a private stream the bytes are
 * not shown, nor are those of before any more, and nothing is busiest. */
void pipeline_show(
    struct pipeline *pipeline, struct recent *recent, struct busiest *busiest);

/* Takes the time for all messages of this wake-up. False: not now. */
bool pipeline_begin(struct pipeline *pipeline);
/* Is there room for one more message? */
bool pipeline_room(struct pipeline *pipeline);
/*
 * Takes a message; its times are set here. Exactly one per answer `true` of
 * pipeline_room. What becomes of it is added to the row of its source.
 */
void pipeline_put(struct pipeline *pipeline, struct message *message,
    const struct message_source *source, struct audit_row *row);
/* Hands what is new to the disk side. */
void pipeline_end(struct pipeline *pipeline);

/*
 * Writes what streams have rolled up (outlet.h), as far as there is room.
 * False: there is more, try again when the disk side has worked. Between two
 * messages only.
 */
bool pipeline_finish(struct pipeline *pipeline);
/* Records that are rolled up and not written. */
uint64_t pipeline_waiting(const struct pipeline *pipeline);

/* Monotonic milliseconds of pipeline_begin. */
uint64_t pipeline_now(const struct pipeline *pipeline);

/* Nothing is taken while it rests. */
void pipeline_rest(struct pipeline *pipeline, bool rest);
/* Since when there has been no room (monotonic ms); 0: there is. */
uint64_t pipeline_full_since(const struct pipeline *pipeline);
/* Is there enough room now to go on? Then listeners may be resumed. */
bool pipeline_retry(struct pipeline *pipeline);

/* Records appended to the stream at an index of the configuration. */
uint64_t pipeline_stored(const struct pipeline *pipeline, size_t index);
/* Their bytes. */
uint64_t pipeline_written(const struct pipeline *pipeline, size_t index);
/* `traffic 12, events 3`: records appended to each stream. Cut to fit. */
void pipeline_text(const struct pipeline *pipeline, char *out, size_t size);

#endif
