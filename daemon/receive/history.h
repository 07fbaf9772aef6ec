/*
 * history - how much came in and was lost, over the last minutes and the last
 * day, in constant memory.
 */
#ifndef SEPMLOGD_HISTORY_H
#define SEPMLOGD_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "latency.h"

enum {
	HISTORY_SECONDS = 600,
	HISTORY_MINUTES = 24 * 60,
};

/* What is drawn: in a sample sums since the start, in a point what was added
 * to them within its time. */
#define HISTORY_TABLE(ROW)                                                     \
	ROW(messages)                                                          \
	ROW(bytes)                                                             \
	ROW(stored)                                                            \
	ROW(unparsed)                                                          \
	ROW(drops)    /* by the kernel */                                      \
	ROW(losses)   /* of all causes */                                      \
	ROW(cut)      /* longer than max_message */                            \
	ROW(unended)  /* messages without an end */                            \
	ROW(no_ports) /* datagrams to ports where nobody listens */

struct history_point {
#define ROW(name) uint64_t name;
	HISTORY_TABLE(ROW)
#undef ROW
	uint32_t commits[LATENCY_BUCKETS]; /* right over their wrap, too */
};

/* Points of `step` seconds each; the newest is in the making. */
struct history_series {
	unsigned step;
	size_t size;
	uint64_t begun; /* monotonic seconds in which the newest begins */
	size_t count;   /* that were ever begun */
	struct history_point *points;
};

struct history {
	struct history_point last;
	struct history_series fine, coarse;
	struct history_point seconds[HISTORY_SECONDS];
	struct history_point minutes[HISTORY_MINUTES];
};

void history_init(struct history *history);
/* Sums at a time (monotonic ms). Call about once a second. */
void history_add(
    struct history *history, const struct history_point *sums, uint64_t now);
/* How many points there are, and one of them, the oldest first. */
size_t history_count(const struct history_series *series);
const struct history_point *history_get(
    const struct history_series *series, size_t index);
/* What was added within the last `points` of them. */
struct history_point history_sum(
    const struct history_series *series, size_t points);
/* The commits of a point; their sum of time is not known. */
struct latency_counts history_commits(const struct history_point *point);

#endif
