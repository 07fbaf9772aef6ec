/*
 * gaps - the times in which a spool's ledger says that something was lost.
 *
 * What counts: datagrams that the kernel dropped; messages that were cut or
 * refused; segments that were skipped, put into quarantine/ or deleted to make
 * room; what a stop had to give up; and the time between a stop, or the last
 * whole minute before a crash, and the next start.
 */
#ifndef SEPMLOG_GAPS_H
#define SEPMLOG_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "known.h"
#include "record.h"

enum {
	GAPS_MAX = 100000,
	GAPS_MARGIN = 3600, /* s */
};

struct gaps;

/*
 * Reads the ledger of the daemon's spool. An event belongs to a gap when one
 * of its times is up to `margin` (s) before or after it: messages come late,
 * and clocks differ. NULL: `why` (of `size` bytes) says why, and what to do.
 */
struct gaps *gaps_new(
    const char *spool, int64_t margin, char *why, size_t size);
void gaps_free(struct gaps *gaps);

size_t gaps_count(const struct gaps *gaps);
/* A line for each. */
void gaps_print(const struct gaps *gaps, FILE *to);

enum gaps_answer {
	GAPS_INSIDE,
	GAPS_OUTSIDE,
	GAPS_NO_TIME, /* it has none */
};
enum gaps_answer gaps_hold(
    const struct gaps *gaps, const struct record *record);

/*
 * Files of ready/ that may hold events of the gaps, by the ledgers of all
 * writers, and are not among what is known: their number in *count and the
 * name of one in `name`. False: as with gaps_new.
 */
bool gaps_missing(const struct gaps *gaps, struct known *known, size_t *count,
    char *name, size_t name_size, char *why, size_t size);

#endif
