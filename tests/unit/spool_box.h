/*
 * spool_box - a spool in a directory of its own, filled with numbered records
 * and read back like an uploader would.
 *
 * Whatever is read in ready/ must have its line in the ledger.
 *
 * Every record can be made again from its stream, number and id, so reading
 * checks each byte. Two streams: `traffic` (JSON lines) and `access` (CSV with
 * a header).
 */
#ifndef SEPMLOG_TEST_SPOOL_BOX_H
#define SEPMLOG_TEST_SPOOL_BOX_H

#include <check.h>
#include <stdio.h>

#include "account.h"
#include "spool/spool.h"

enum { BOX_STREAMS = 2, BOX_RECORDS = 1 << 15, BOX_FILES = 1024 };
enum { BOX_TRAFFIC, BOX_ACCESS };

#define BOX_HEADER "number,id,text\r\n"

struct box {
	char directory[64];
	struct spool_options options;
	struct spool_stream_options streams[BOX_STREAMS];
	struct spool *spool;
	uint64_t now;
	uint32_t sent[BOX_STREAMS];       /* records appended */
	unsigned char *seen[BOX_STREAMS]; /* how often each was read */
	uint32_t files;                   /* read so far */
	char names[BOX_FILES][96];        /* their names ... */
	uint64_t sums[BOX_FILES];         /* ... and what was in them */
	struct box_lines *ledger;         /* its lines of files */
	struct account *account;          /* the rest of it */
	uint64_t ledger_findings;         /* that are expected */
	bool renumbered; /* ids need not agree with file names */
	char why[256];
	char *reports; /* one a line */
	size_t reports_n;
	FILE *report_file;
};

/* A directory that does not exist yet, and options that fit a small test:
 * rotation at 4 KiB, no compression, no limits. */
void box_init(struct box *box);
/* Removes everything. */
void box_clear(struct box *box);

/* False: box->why says it. */
bool box_open(struct box *box);
void box_must_open(struct box *box);
/* As if killed. */
void box_kill(struct box *box);

/* Appends a record; false: no room. */
bool box_append(struct box *box, size_t stream);
/* `n` to each stream, working after each. */
void box_fill(struct box *box, size_t n);
/* Flushes and works until nothing is to be done at once, `ms` later. */
void box_work(struct box *box, uint64_t ms);
/* Every thousand ms for `seconds`. */
void box_pass(struct box *box, unsigned seconds);
struct spool_status box_status(const struct box *box);
void box_drain(struct box *box);

/* Reads ready/, checks every byte, and deletes if `take`. */
void box_read(struct box *box, bool take);
/* Adds up the ledger: nothing but `findings` may be wrong with it. Its totals
 * are good until the next call. */
const struct account_totals *box_ledger(struct box *box, uint64_t findings);
/* Each of the records sent was read exactly once. */
void box_expect_all(struct box *box);
/* Records of the stream read; they must be the first of those sent, each
 * once. */
uint32_t box_expect_first(struct box *box, size_t stream);
/* The record as it was sent, with its id. */
size_t box_record(char *line, size_t size, size_t stream, uint32_t number,
    uint64_t segment, uint64_t line_number);
/* Whether any report has the text. */
bool box_told(struct box *box, const char *text);

/* Files in a directory below the box's. */
size_t box_count(const struct box *box, const char *below);
void box_path(const struct box *box, char path[256], const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void box_put(
    const struct box *box, const char *below, const void *bytes, size_t n);
/* Allocated, NUL-terminated. */
char *box_get(const struct box *box, const char *below, size_t *n);

/* The main of a test program: a loop test for each, from `from` to `to`. */
struct box_test {
	const char *tcase;
	const TTest *test;
	int from, to;
};
int box_run(const char *suite, const struct box_test *tests, size_t n,
    SFun setup, SFun teardown);

#endif
