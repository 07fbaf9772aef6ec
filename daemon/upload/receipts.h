/*
 * receipts - what was delivered, written durably (delivered.h).
 *
 * Any thread may write. A line that was put is kept in memory until a sync
 * has made it durable; after a failed write or sync nothing of the file is
 * trusted, and all its lines go to a new one.
 */
#ifndef SEPMLOG_RECEIPTS_H
#define SEPMLOG_RECEIPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "delivered.h"

struct receipts_limits {
	uint64_t keep; /* ms: files that were last written longer ago ... */
	uint64_t size; /* ... and the oldest beyond so many bytes are removed */
};

struct receipts;

/* Goes on from `end` in the directory, which must stay open. `instance` is of
 * 8 hex digits. NULL: no memory. */
struct receipts *receipts_open(int dir, const char *instance,
    const struct delivered_end *end, const struct receipts_limits *limits);
void receipts_close(struct receipts *receipts);
void receipts_limit(
    struct receipts *receipts, const struct receipts_limits *limits);

/* Keeps a line. It waits for the disk only where a file of them is full. False:
 * too many wait, for no sync succeeds; errno. */
bool receipts_put(struct receipts *receipts, const struct ledger_text *line);
/* Makes all lines durable. False: errno; try again. */
bool receipts_sync(struct receipts *receipts);

#endif
