/*
 * arena - short-lived bytes of one message.
 *
 * One block, allocated once, handed out from the front and reset after each
 * message. It never grows: its size is the bound.
 */
#ifndef SEPMLOG_ARENA_H
#define SEPMLOG_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "span.h"

struct arena {
	char *base;
	size_t size; /* bytes */
	size_t used;
};

/* False when there is no memory; then *a is zeroed and clearing it is fine. */
bool arena_init(struct arena *a, size_t size);
void arena_clear(struct arena *a);

static inline void
arena_reset(struct arena *a)
{
	a->used = 0;
}

/* `n` bytes, unaligned, good until the next reset; NULL when it is full. */
static inline char *
arena_take(struct arena *a, size_t n)
{
	char *p;

	if (n > a->size - a->used)
		return NULL;
	p = a->base + a->used;
	a->used += n;
	return p;
}

#endif
