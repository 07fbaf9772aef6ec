/*
 * ledger - the lines that say what came in and what became of it.
 *
 * One JSON object a line, of text and numbers, and of objects of numbers one
 * level down. All text is printable ASCII without quotes and backslashes, so
 * that nothing is ever escaped: what a name or reason has besides is written
 * as `?`. Each line ends in its place in a chain:
 *
 *   {"type":"stop","time":"2026-11-25T17:00:00.000000Z",...,"chain":"<hex>"}
 *
 * `chain` is the SHA-256 of the chain value before it (32 bytes) and of the
 * line up to, not including, `,"chain"`. So a line that was changed, removed,
 * added or moved shows at the next one. Each file begins with a line of type
 * `ledger` whose `before` is the value that it goes on from; the first of all
 * goes on from 32 zero bytes.
 *
 * A file whose sync failed is given up, and what was not confirmed of it is
 * written again at the start of the next one. The next file's `before` then is
 * not the last value of the file before it but an earlier one, and the lines
 * behind that do not count.
 *
 * Types, each with `type` and `time` (UTC; when it was written):
 *
 *   ledger   instance, number, before: the first line of a file
 *   start    program, version, pid, boot, uptime, source (if not the network);
 *            segments: where each stream begins in this life
 *   committed  segments: for those who write without a daemon, the last of
 *            each stream that holds of the lives before; what is beyond was
 *            thrown away
 *   streams  segments: of streams that a reload brought
 *   minute   from, to, and source (an address, or `other`): received by
 *            transport, bytes, stored (records that went to a stream), filtered
 *            (that went to none), streams (records by stream), rolled_in and
 *            rolled_out (records and occurrences that streams which roll up
 *            have taken, and of that have written), unparsed, truncated,
 *            oversize, unterminated, refused by cause; or listener:
 *            kernel_drops, accept_pauses
 *   file     name, stream, segment, records, bytes, sha256 (of the plain
 *            content), first_id, last_id, first_time, last_time, compression,
 *            packed_bytes, packed_sha256 (of the file, if it is
 *            compressed); written before the name appears in ready/
 *   dropped  name: deleted in ready/ to make room
 *   skipped  stream, segment, reason: a number that no file will have
 *   renumbered  stream, segment, to, records: the same under another number
 *   quarantined stream, segment, bytes, records: what was no whole record
 *   removed  name: a ledger file that was too old
 *   stop     lost: by cause
 */
#ifndef SEPMLOG_LEDGER_H
#define SEPMLOG_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sha256.h"
#include "span.h"

enum {
	LEDGER_LINE = 8192, /* bytes of the longest line, LF included */
	LEDGER_TAIL = sizeof ",\"chain\":\"\"}\n" - 1 + SHA256_HEX,
	LEDGER_MEMBERS = 160, /* in a line, those of inner objects included */
};

/* --- writing --- */

/* A line in the making. What does not fit is left out as a whole. */
struct ledger_text {
	size_t n;
	bool inner;    /* in an inner object */
	bool empty;    /* nothing in it yet */
	bool left_out; /* the inner object */
	char bytes[LEDGER_LINE];
};

/* Begins a line; `us` is UTC microseconds since 1970. */
void ledger_begin(struct ledger_text *text, const char *type, int64_t us);
void ledger_put_text(
    struct ledger_text *text, const char *key, struct span value);
void ledger_put_number(
    struct ledger_text *text, const char *key, uint64_t value);
void ledger_put_time(struct ledger_text *text, const char *key, int64_t us);
/* An object of numbers: puts between the two go into it. Left out if empty. */
void ledger_open(struct ledger_text *text, const char *key);
void ledger_close(struct ledger_text *text);
/* The line without its end: what is hashed. Good as long as the text. */
struct span ledger_body(const struct ledger_text *text);

/* The chain value of a line that follows *chain, in its place. */
void ledger_chain(
    struct sha256 *sha, uint8_t chain[SHA256_SIZE], struct span body);
/* The end of a line: exactly LEDGER_TAIL bytes. */
void ledger_tail(const uint8_t chain[SHA256_SIZE], char out[LEDGER_TAIL]);

/* --- reading --- */

struct ledger_member {
	struct span in; /* the object that it is in; empty: the line's own */
	struct span key;
	struct span text; /* if it is text */
	uint64_t number;
	bool is_number;
};

/* A line, pointing into its bytes. */
struct ledger_entry {
	struct span type;
	struct span body;
	uint8_t chain[SHA256_SIZE];
	size_t count;
	struct ledger_member member[LEDGER_MEMBERS];
};

/* `line` is without its LF. False: it is no line of a ledger. */
bool ledger_parse(struct span line, struct ledger_entry *entry);
/* A member of the line's own, or NULL. */
const struct ledger_member *ledger_find(
    const struct ledger_entry *entry, const char *key);
/* Its text, or the empty span. */
struct span ledger_text(const struct ledger_entry *entry, const char *key);
/* Its number, or 0. */
uint64_t ledger_number(const struct ledger_entry *entry, const char *key);
/* The sum of the numbers of an inner object. */
uint64_t ledger_sum(const struct ledger_entry *entry, const char *in);

/* A file as it is in ready/, by a line of type `file`. */
struct ledger_file {
	uint64_t size;
	uint8_t sum[SHA256_SIZE];
	struct span time; /* of the line: TIMESTAMP_RFC3339_US bytes */
};

/* False: the line has no digest of it. */
bool ledger_file(const struct ledger_entry *entry, struct ledger_file *file);

/* --- ids: <instance>-<stream>-<segment>-<line> --- */

struct ledger_id {
	uint64_t segment, line;
};

/* The last id in a line of any format that begins with `prefix`
 * (`3fa94c1e-traffic-`). False: there is none. */
bool ledger_find_id(struct span line, struct span prefix, struct ledger_id *id);

#endif
