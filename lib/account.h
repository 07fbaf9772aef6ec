/*
 * account - adds up a ledger, line by line, and names what does not add up.
 *
 * Fed with the files of one ledger in order. Memory does not depend on how
 * long the ledger is, but on the number of streams, and of holes in the
 * numbers of their segments.
 *
 * What is checked: the chain; that each line is one; that in every minute
 * what was received went to a stream or was filtered; that minutes follow
 * each other; that each number of a segment is accounted for; that a file's
 * line that is there twice says the same; and, for each life of the writer,
 * from one `start` to the next, that the records of its minutes are the
 * records of its files and of its live segments. After a life without a `stop`
 * (a crash) its files may hold more: what came after its last whole minute.
 */
#ifndef SEPMLOG_ACCOUNT_H
#define SEPMLOG_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger.h"

enum account_level {
	ACCOUNT_REMARK,  /* good to know, nothing is missing by it */
	ACCOUNT_FINDING, /* something is missing, or not as it was written */
};

/* A `file` line that counts. */
struct account_file {
	struct span name, stream, compression;
	struct span time; /* when the line was written */
	uint64_t segment, records, bytes;
	bool has_sum;
	uint8_t sum[SHA256_SIZE];
	bool has_file; /* the line says what the file in ready/ is */
	struct ledger_file file;
	bool repeated; /* it was there before, and is not added again */
};

/* Text without newline; good until the callback returns. */
typedef void account_say_cb(
    void *arg, enum account_level level, const char *text);
typedef void account_file_cb(void *arg, const struct account_file *file);
/* A line of type `dropped`. */
typedef void account_dropped_cb(void *arg, struct span name);
/* Files of these segments, both included, were thrown away by their writer. */
typedef void account_discarded_cb(
    void *arg, struct span stream, uint64_t from, uint64_t to);

struct account_options {
	account_say_cb *say; /* any may be NULL */
	account_file_cb *file;
	account_dropped_cb *dropped;
	account_discarded_cb *discarded;
	void *arg;
};

enum {
	ACCOUNT_STREAMS = 64,
	ACCOUNT_NAME = 40,
	ACCOUNT_CAUSES = 32,
};

/* A number with its name. */
struct account_sum {
	char name[ACCOUNT_NAME];
	uint64_t value;
};

struct account_stream {
	char name[ACCOUNT_NAME];
	uint64_t minutes;               /* records by minutes' lines */
	uint64_t files, records, bytes; /* by files' lines */
	uint64_t live;                  /* records, see account_live */
};

struct account_totals {
	uint64_t lines, starts, crashes;
	size_t streams;
	struct account_stream stream[ACCOUNT_STREAMS];
	uint64_t received, stored, filtered; /* messages */
	uint64_t bytes;
	size_t causes; /* what came, and what became of it, by name: */
	struct account_sum cause[ACCOUNT_CAUSES]; /* `received.udp`, ... */
	uint64_t dropped, quarantined;            /* files; bytes */
	uint64_t findings;
	char last[SHA256_HEX + 1]; /* the end of the chain */
	char first_time[28], last_time[28];
};

struct account;

/* NULL: no memory. */
struct account *account_new(const struct account_options *options);
void account_free(struct account *account);

/*
 * A file begins; `name` stays good while it is read. `next` is the `before` of
 * the file behind it, 32 bytes; NULL: this is the last one.
 */
void account_begin_file(
    struct account *account, const char *name, const uint8_t *next);
/* A line of it without LF; `whole` if it had one. */
void account_line(struct account *account, struct span line, bool whole);
void account_end_file(struct account *account);

/* A segment in live/ holds so many records. After the last file. */
void account_live(struct account *account, struct span stream, uint64_t segment,
    uint64_t records);
/* All is known; `live` if account_live was told all. Says the rest. */
void account_end(struct account *account, bool live);

const struct account_totals *account_totals(const struct account *account);

/* Where the segment began that a file came from: before the first life that
 * the ledger knows? Then it has no line. Good after account_end. */
bool account_is_older(
    const struct account *account, struct span stream, uint64_t segment);

#endif
