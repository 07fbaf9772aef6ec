/*
 * clock - the time that timers and the spool go by.
 */
#ifndef SEPMLOG_CLOCK_H
#define SEPMLOG_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Microseconds; no change of the wall clock moves them. */
static inline uint64_t
clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The same in milliseconds. */
static inline uint64_t
clock_ms(void)
{
	return clock_us() / 1000;
}

/* UTC microseconds since 1970. */
static inline int64_t
clock_utc(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

#endif
