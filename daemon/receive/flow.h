/*
 * flow - how fast something comes, of late.
 */
#ifndef SEPMLOGD_FLOW_H
#define SEPMLOGD_FLOW_H

#include <stdint.h>

/* Something that only grows, and its rate a second. All 0: nothing was seen. */
struct flow {
	uint64_t sum;
	double rate;
};

/* Looks at the sum `seconds` after the last look (0: there was none); once a
 * second, as half of a rate is of the last five looks. A sum that became less
 * has begun anew. */
void flow_look(struct flow *flow, uint64_t sum, double seconds);

#endif
