/* moment - seconds, of the clocks that the load tools report. */
#ifndef SEPMLOG_BENCH_MOMENT_H
#define SEPMLOG_BENCH_MOMENT_H

#include <time.h>

static inline double
moment_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Comparable with the time stamps of files. */
static inline double
moment_of_day(void)
{
	return moment_of(CLOCK_REALTIME);
}

static inline double
moment_steady(void)
{
	return moment_of(CLOCK_MONOTONIC);
}

/* Processor time of this process so far. */
static inline double
moment_cpu(void)
{
	return moment_of(CLOCK_PROCESS_CPUTIME_ID);
}

#endif
