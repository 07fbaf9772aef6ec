/*
 * crew - the threads that deliver, `parallel` of them for each target, and one
 * that finds the digests of what comes next.
 *
 * Each takes the next file from the outbox, delivers it, and writes the
 * receipt, which the caller makes durable when something has `changed`. What
 * fails is tried again without limit, after a time that grows from 1 s to 5
 * min; a target that is down gets no file meanwhile, which holds up no other.
 */
#ifndef SEPMLOG_CREW_H
#define SEPMLOG_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deliveries.h"
#include "depot.h"
#include "outbox.h"
#include "plan.h"
#include "progress.h"
#include "receipts.h"

struct crew;

struct crew_options {
	const struct plan *plan;
	const struct depot *depot;
	struct receipts *receipts;
	bool once;
	int changed;               /* eventfd: something is finished, or gone */
	struct progress *progress; /* NULL: none is drawn */
};

/* Opens all targets. All must live as long. NULL: `why` (of `size` bytes). */
struct crew *crew_new(
    const struct crew_options *options, char *why, size_t size);
/* After crew_stop, or if it was never started. */
void crew_free(struct crew *crew);

struct outbox *crew_outbox(struct crew *crew);

/* False: there are no threads, errno. */
bool crew_start(struct crew *crew);
/* What is in work is given up, within seconds. */
void crew_stop(struct crew *crew);
/* With `once`: have all threads ended, since there is nothing more to do? */
bool crew_is_done(struct crew *crew);

/* How each target does. */
void crew_deliveries(struct crew *crew, struct deliveries *deliveries);

/* Logs, past the progress. */
void crew_tell(struct crew *crew, bool warning, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void crew_draw(struct crew *crew);

/* ms to wait after so many failures in a row, 1 or more: doubles, and then a
 * part of it at random, so that many do not come back all at once. */
uint64_t crew_delay(unsigned failures, uint32_t random);

#endif
