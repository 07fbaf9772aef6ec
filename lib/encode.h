/*
 * encode - a record to one line of text.
 *
 * Each encoder appends to room that the caller has made (encode_bound) and
 * answers the end of what it wrote. No line holds a byte below 0x20 but its
 * final LF and the tabs between LEEF's pairs, except `raw`, which is the
 * message byte for byte.
 */
#ifndef SEPMLOG_ENCODE_H
#define SEPMLOG_ENCODE_H

#include <stddef.h>

#include "message.h"
#include "record.h"
#include "timestamp.h"

enum encode_format {
	ENCODE_JSONL, /* the native record */
	ENCODE_CSV,   /* SEPM's 31-column export; see encode_csv */
	ENCODE_RAW,   /* the original message */
	ENCODE_ECS,   /* Elastic Common Schema 8.11, as JSON */
	ENCODE_OCSF,  /* Open Cybersecurity Schema Framework 1.3, as JSON */
	ENCODE_CEF,   /* ArcSight's Common Event Format */
	ENCODE_LEEF,  /* QRadar's Log Event Extended Format 2.0 */
	ENCODE_FORMAT_COUNT
};

/* `jsonl`, `csv`, ...: name of the format and extension of its files. */
extern const struct span encode_format_name[ENCODE_FORMAT_COUNT];
enum encode_format encode_format_find(struct span name);
/* Is a line of it a JSON object? */
bool encode_is_json(enum encode_format format);

/* What encode_bound gives: for a byte of the message, and for a value that is
 * not of the message but made anew. */
enum { ENCODE_PER_BYTE = 12, ENCODE_REWRITTEN = 128 };

/*
 * Bytes that are always enough for one line of any format from a message of
 * `n` bytes, its id and the strings of its source included. For a row of a
 * table, `n` is the row and the names of its columns; an id and a peer have at
 * most 128 bytes and nothing to escape.
 */
size_t encode_bound(size_t n, const struct message_source *source);

/*
 * A line in two parts, so that several streams of a format share the first and
 * differ in their id: encode_body up to the place of the id, encode_end the id
 * (nothing for an empty one, or where the format has no place for it) and the
 * end of the line. `source` is for CSV, `days` for times as text.
 */
char *encode_body(enum encode_format format, const struct record *record,
    const struct message_source *source, struct timestamp_days *days,
    char *out);
char *encode_end(enum encode_format format, struct span id, char *out);

/* --- each format by itself --- */

/*
 * The record as a JSON object without its closing brace; encode_jsonl_end adds
 * `,"id":"..."` (nothing for an empty id), `}` and LF. Strict JSON, valid
 * UTF-8; control characters, DEL, C1 and U+2028/2029 are escaped.
 */
char *encode_jsonl(
    const struct record *record, struct timestamp_days *days, char *out);
char *encode_jsonl_end(struct span id, char *out);

/*
 * A row of the 31 columns, CR LF at its end. Times are the source's wall clock
 * as `MM/dd/yyyy HH:mm:ss`. What syslog does not carry is filled by the rules
 * in sepmlogctl(1).
 */
char *encode_csv(const struct record *record,
    const struct message_source *source, char *out);

/* The header row, CR LF included. */
extern const struct span encode_csv_header;

/* The original bytes and LF. Trailing CR, LF and NUL are left out; a LF inside
 * is written `#012`, so that a line stays a message. */
char *encode_raw(const struct record *record, char *out);

/*
 * An event of the Elastic Common Schema, as one nested JSON object; what is
 * said of escapes above holds. The body ends inside the object `event`.
 */
char *encode_ecs(
    const struct record *record, struct timestamp_days *days, char *out);
char *encode_ecs_end(struct span id, char *out);

/* An event of the OCSF; the same holds. The body ends inside `metadata`. */
char *encode_ocsf(
    const struct record *record, struct timestamp_days *days, char *out);
char *encode_ocsf_end(struct span id, char *out);

/* A line of CEF or LEEF, without a syslog header. Control characters in values
 * become blanks, but for the line breaks that CEF can write. */
char *encode_cef(
    const struct record *record, struct timestamp_days *days, char *out);
char *encode_cef_end(struct span id, char *out);
char *encode_leef(
    const struct record *record, struct timestamp_days *days, char *out);
char *encode_leef_end(struct span id, char *out);

#endif
