/*
 * event_key - the same event, whichever way it came.
 *
 * SEPM's traffic log reaches us as a message, in a dump file, as a row of its
 * CSV export and as a row of its database. What all of these carry is hashed
 * into 32 hex digits, so that a reader can see that two records are one event.
 * It is the first half of a SHA-256: nobody can make one event pass for
 * another by choosing names.
 *
 * Traffic: host, addresses, protocol, direction, begin, occurrences,
 * application, rule and action; ports with TCP and UDP, the two numbers with
 * ICMP. Letters of host and application are compared without case, `\` is `/`
 * in the latter, and every protocol that the database calls "others" is the
 * same. Other logs: all fields of the body. An unparsed record has none.
 *
 * Two events can be alike in all of that; whoever drops records by their key
 * must count how often each source has it.
 */
#ifndef SEPMLOG_EVENT_KEY_H
#define SEPMLOG_EVENT_KEY_H

#include "record.h"

enum { EVENT_KEY_DIGITS = 32 };

struct event_key;

/* Working memory; NULL: no memory. One per thread. */
struct event_key *event_key_new(void);
void event_key_free(struct event_key *key);

/* Sets RECORD_F_EVENT_KEY, good until the next call. */
void event_key_set(struct event_key *key, struct record *record);

#endif
