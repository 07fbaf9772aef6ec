/*
 * delivered - the receipts of delivered files, read and checked.
 *
 * <spool>/upload/receipts/ holds files of chained lines (ledger.h), each of
 * which begins with a line of type `ledger`. Types of the others:
 *
 *   receipt  file, target, size, sha256 (of the file's bytes as they are),
 *            sha256_by (who says so: `ledger`, or `reading` of the file),
 *            remote, check (what the target said of it), tries, started,
 *            ended: the target has the file
 *   refused  file, target, reason, tries: it will never take the file
 *   freed    file, as (`deleted`, `kept`, `quarantined`): all targets are
 *            done with the file; written before it leaves ready/
 *
 * A line that is not in its place in the chain is not believed.
 */
#ifndef SEPMLOG_DELIVERED_H
#define SEPMLOG_DELIVERED_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger.h"

#define DELIVERED_KIND "receipts" /* of the files' names */

struct delivered_options {
	/* A line of one of the types above. */
	void (*entry)(void *arg, const struct ledger_entry *entry);
	/* What is wrong with the files; may be NULL. */
	void (*say)(void *arg, const char *text);
	void *arg;
};

/* What is known at the end. */
struct delivered_end {
	uint64_t lines;
	uint8_t chain[SHA256_SIZE]; /* what the next file goes on from */
	uint64_t number; /* the highest of a file; 0: there is none */
};

/* Reads all in the directory. False: errno. `end` may be NULL. */
bool delivered_read(int dir, const struct delivered_options *options,
    struct delivered_end *end);

#endif
