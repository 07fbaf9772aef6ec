/*
 * latency - how long records wait until they are durable.
 *
 * One observation for each commit: what the record that waited longest of it
 * had waited, from the wake-up that appended it to the spool's buffer to the
 * return of fdatasync. They are counted in fixed buckets, by the spool's
 * thread; any thread reads them.
 */
#ifndef SEPMLOGD_LATENCY_H
#define SEPMLOGD_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

enum { LATENCY_BUCKETS = 19 };

/* The longest of each bucket, in us; the last one has no end. */
extern const uint64_t latency_bound[LATENCY_BUCKETS - 1];

/* Zero it before first use. */
struct latency {
	_Atomic uint64_t count[LATENCY_BUCKETS];
	_Atomic uint64_t sum; /* us */
};

void latency_note(struct latency *latency, uint64_t us);

/* What was counted: since the start, or within some time. */
struct latency_counts {
	uint64_t count[LATENCY_BUCKETS];
	uint64_t sum; /* us */
};

struct latency_counts latency_read(const struct latency *latency);
uint64_t latency_total(const struct latency_counts *counts);

/*
 * Microseconds that `share` (0 to 1) of them took at most, as if they were
 * spread evenly over each bucket; beyond the last bound it is that. 0: there
 * are none.
 */
uint64_t latency_quantile(const struct latency_counts *counts, double share);

#endif
