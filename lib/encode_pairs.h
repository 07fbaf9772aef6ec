/*
 * encode_pairs - a record as `key=value` pairs; of the encoders of CEF and LEEF
 * only.
 *
 * Control characters become blanks, in both formats: a line stays a line. A
 * value that is longer than its key allows is not cut; it is not written, and
 * pairs_rest writes it under the record's own key. Nothing is written for an
 * absent or empty value.
 */
#ifndef SEPMLOG_ENCODE_PAIRS_H
#define SEPMLOG_ENCODE_PAIRS_H

#include "event.h"
#include "record.h"
#include "timestamp.h"

struct pairs {
	const struct record *record;
	struct timestamp_days *days;
	char *out;
	char separator; /* before each pair but the first */
	bool escapes;   /* CEF's backslashes; LEEF has none */
	bool fresh;     /* no pair yet */
	uint64_t done[RECORD_WORDS];
};

/* Behind a header. Nothing is marked but `type`, which is in it. */
void pairs_start(struct pairs *p, const struct record *record,
    struct timestamp_days *days, char separator, bool escapes, char *out);

void pairs_mark(struct pairs *p, enum record_field f);
bool pairs_done(const struct pairs *p, enum record_field f);
/* Writes `key=`; the value is to be written at p->out. */
void pairs_key(struct pairs *p, struct span key);
void pairs_text(struct pairs *p, struct span key, struct span text);
void pairs_number(struct pairs *p, struct span key, int64_t number);
/* The field, if it has at most `max` bytes, and marked then. False: there is
 * none, or it has more. */
bool pairs_field(
    struct pairs *p, struct span key, enum record_field f, size_t max);
/* A time as milliseconds since 1970, marked. */
bool pairs_ms(struct pairs *p, struct span key, enum record_field f);
/* The value of any field in one line: lists have `; ` between their members. */
void pairs_value(struct pairs *p, enum record_field f);
/* Is there one? */
bool pairs_has(const struct pairs *p, enum record_field f);

/* `TCP` for a protocol of the IANA, else SEPM's word. */
void pairs_protocol(struct pairs *p, struct span key, size_t max);
/* The client's address: at its end of a connection, else its own. */
enum record_field pairs_own_ip(const struct record *r);

#endif
