/*
 * top - the keys with the largest sums of a stream, in constant memory.
 *
 * A Misra-Gries summary that drops keys in batches: each key that is known
 * has an exact sum since it came in; when there is no room for a new one, the
 * lower half goes. What a key may have had before it came in is its `error`:
 * the largest that was dropped until then, the *floor*.
 *
 *   - A key in the summary has, in truth, from `count` to `count + error`.
 *   - A key that is not in it has at most the floor.
 *   - The floor is at most 2 * W / N for a total weight of W and N entries,
 *     whatever comes in whatever order. (The sum over all entries of what they
 *     have above the floor grows by a weight with that weight, and falls by
 *     N / 2 times as much as the floor rises.)
 *
 * So a key with more than 2 * W / N is always there. As most streams are
 * skewed, the floor is far below that bound in practice; top_floor tells it.
 * Sums stop at UINT64_MAX.
 */
#ifndef SEPMLOG_TOP_H
#define SEPMLOG_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "span.h"

enum {
	TOP_KEY = 100, /* bytes of a key that are kept; all of it counts */
	TOP_SUMS = 2,  /* of the caller, with each key */
};

struct top_entry {
	uint64_t count;         /* at least; since it came in */
	uint64_t error;         /* and at most so much more */
	uint64_t sum[TOP_SUMS]; /* since it came in */
	uint64_t hash;
	size_t length; /* of the whole key */
	char key[TOP_KEY];
};

struct top;

/* A summary of `entries` keys, at least 2; 0: of all there are, exact, in
 * memory that grows. NULL: no memory. */
struct top *top_new(size_t entries, struct hash_key key);
void top_free(struct top *top);
/* As new. */
void top_clear(struct top *top);

/* Adds to a key and answers its entry, good until the next call. NULL: an
 * exact one has no memory left, and nothing was added. */
struct top_entry *top_add(struct top *top, struct span key, uint64_t weight);

/* Adds all of `from`, of the same key of the hash. The bounds are then those
 * of both together: floors and errors add up. False: no memory. */
bool top_merge(struct top *top, const struct top *from);

/* The most that a key which is not there may have; 0: none was dropped. */
uint64_t top_floor(const struct top *top);
/* The sum of all weights. */
uint64_t top_weight(const struct top *top);
/* Keys that are there. */
size_t top_count(const struct top *top);

/* The first `max` entries, largest count first, in *list of `max` places.
 * Answers how many. They are good until the next top_add. */
size_t top_list(struct top *top, const struct top_entry **list, size_t max);
/* The key, as far as it is kept. */
struct span top_key(const struct top_entry *entry);

#endif
