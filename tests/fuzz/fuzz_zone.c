/*
 * Two times, then a zone's file. Each instant shows a local time that leads
 * back to it, and what was looked up before makes no difference.
 */
#include <stdint.h>
#include <stdlib.h>

#include "zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TIMES = 2, TIME_SIZE = 8, HOUR = 3600, FAR = 26 * HOUR };

/* As large as a file's transitions may be. */
#define FURTHEST ((int64_t)1 << 59)

static int64_t
take_time(const uint8_t *p)
{
	uint64_t n = 0;

	for (int i = 0; i < TIME_SIZE; i++)
		n = n << 8 | p[i];
	return (int64_t)(n % (2 * (uint64_t)FURTHEST)) - FURTHEST;
}

static void
check_instant(const struct zone *zone, int64_t utc)
{
	int64_t local = zone_to_local(zone, utc), back;

	if (local - utc > FAR || utc - local > FAR)
		abort();
	if (zone_search(zone, NULL, local, utc, &back) == ZONE_NEVER ||
	    back != utc)
		abort();
}

/* A local time that is never shown has an instant, too, but not one that
 * shows it. */
static void
check_local(const struct zone *zone, struct zone_cache *cache, int64_t local,
    int64_t near)
{
	int64_t utc, again;
	enum zone_fit fit = zone_search(zone, NULL, local, near, &utc);

	if (zone_to_utc(zone, cache, local, near, &again) != fit ||
	    again != utc)
		abort();
	if ((zone_to_local(zone, utc) == local) == (fit == ZONE_NEVER))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zone_cache cache = {0};
	struct zone *zone;
	int64_t time[TIMES];

	if (size < sizeof(time))
		return 0;
	for (int i = 0; i < TIMES; i++)
		time[i] = take_time(data + i * TIME_SIZE);
	zone = zone_new(
	    span_of((const char *)data + sizeof(time), size - sizeof(time)));
	if (zone == NULL)
		return 0;
	for (int i = 0; i < TIMES; i++)
		for (int hours = -48; hours <= 48; hours++) {
			int64_t at = time[i] + hours * HOUR;

			check_instant(zone, at);
			check_local(zone, &cache, at, time[0]);
		}
	zone_free(zone);
	return 0;
}
