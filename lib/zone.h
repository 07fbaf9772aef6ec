/*
 * zone - wall clock times of an IANA time zone, from its TZif data (RFC 8536).
 *
 * The caller brings the bytes of the zone's file; nothing is read or cached
 * behind the caller's back, so several zones live side by side and threads may
 * share one. All times are seconds since 1970; "local" ones count as if the
 * zone's wall clock were UTC.
 */
#ifndef SEPMLOG_ZONE_H
#define SEPMLOG_ZONE_H

#include <stdint.h>

#include "span.h"

struct zone;

enum zone_fit {
	ZONE_ONCE,  /* the wall clock shows this time once */
	ZONE_TWICE, /* clocks went back: it is shown twice */
	ZONE_NEVER, /* clocks went forward over it; the offset before holds */
};

/* The last unambiguous stretch of local time seen; zero it before first use.
 * Belongs to one zone and one thread. */
struct zone_cache {
	int64_t from, until; /* local, from <= t < until */
	int32_t offset;	     /* seconds east of UTC */
};

/*
 * A zone from TZif version 1 to 4 data, footer rule included. NULL: no
 * memory, or not TZif. Free with zone_free.
 */
struct zone *zone_new(struct span tzif);
void zone_free(struct zone *zone);

/* UTC, always there, never freed. */
const struct zone *zone_utc(void);

/*
 * The instant of a local time; where the clock shows it twice, the one nearest
 * to `near` (UTC). `cache` may be NULL.
 */
static inline enum zone_fit zone_to_utc(const struct zone *zone,
    struct zone_cache *cache, int64_t local, int64_t near, int64_t *utc);

/* The same, when the cache does not have it. */
enum zone_fit zone_search(const struct zone *zone, struct zone_cache *cache,
    int64_t local, int64_t near, int64_t *utc);

/* The local time of an instant. */
int64_t zone_to_local(const struct zone *zone, int64_t utc);

static inline enum zone_fit
zone_to_utc(const struct zone *zone, struct zone_cache *cache, int64_t local,
    int64_t near, int64_t *utc)
{
	if (cache != NULL && local >= cache->from && local < cache->until) {
		*utc = local - cache->offset;
		return ZONE_ONCE;
	}
	return zone_search(zone, cache, local, near, utc);
}

#endif
