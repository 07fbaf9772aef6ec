#include "latency.h"

/* Closer where a commit is due as a rule (spool.commit.interval). */
const uint64_t latency_bound[LATENCY_BUCKETS - 1] = {1000, 2000, 5000, 10000,
    20000, 50000, 100000, 105000, 110000, 120000, 150000, 200000, 300000,
    500000, 1000000, 2000000, 5000000, 10000000};

void
latency_note(struct latency *l, uint64_t us)
{
	unsigned i = 0;

	while (i < LATENCY_BUCKETS - 1 && us > latency_bound[i])
		i++;
	atomic_fetch_add_explicit(&l->count[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&l->sum, us, memory_order_relaxed);
}

struct latency_counts
latency_read(const struct latency *l)
{
	struct latency_counts c;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		c.count[i] =
		    atomic_load_explicit(&l->count[i], memory_order_relaxed);
	c.sum = atomic_load_explicit(&l->sum, memory_order_relaxed);
	return c;
}

uint64_t
latency_total(const struct latency_counts *c)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		total += c->count[i];
	return total;
}

uint64_t
latency_quantile(const struct latency_counts *c, double share)
{
	double left = share * (double)latency_total(c), part;
	uint64_t from = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS - 1; i++) {
		if (c->count[i] > 0 && left <= (double)c->count[i]) {
			part = left / (double)c->count[i];
			return from +
			       (uint64_t)(part *
					  (double)(latency_bound[i] - from));
		}
		left -= (double)c->count[i];
		from = latency_bound[i];
	}
	return latency_total(c) > 0 ? from : 0;
}
