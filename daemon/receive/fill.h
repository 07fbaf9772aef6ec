/*
 * fill - how full a receive buffer was at its fullest, over the last hour.
 *
 * Whoever reads the socket notes how many bytes wait when a wake-up's first
 * batch was full: that is a burst. It lasts until a batch is not, and its
 * highest mark is what is kept.
 */
#ifndef SEPMLOGD_FILL_H
#define SEPMLOGD_FILL_H

#include <stdbool.h>
#include <stdint.h>

enum { FILL_MINUTES = 60 };

/* Bytes as the kernel counts them, with its own part of each datagram. */
struct fill_mark {
	uint32_t used, size; /* size 0: there is none */
	uint64_t at;         /* monotonic ms */
};

/* Zero it before first use. */
struct fill {
	struct fill_mark minute[FILL_MINUTES]; /* the highest of each */
	struct fill_mark burst;                /* so far; size 0: none */
	uint64_t bursts;                       /* since the start */
};

/* A batch was full, and so much waits. */
void fill_burst(struct fill *fill, const struct fill_mark *mark);
/* A batch was not: the queue is empty. */
void fill_calm(struct fill *fill);
/* Datagrams were dropped for want of room: a burst that was seen too late. */
void fill_over(struct fill *fill, uint32_t size, uint64_t now);

/* The highest of the last hour. */
struct fill_mark fill_highest(const struct fill *fill, uint64_t now);
unsigned fill_percent(const struct fill_mark *mark);

#endif
