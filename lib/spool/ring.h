/*
 * ring - the bytes between the record side and the disk side of a stream.
 *
 * One producer, one consumer, no locks. Positions count bytes since the start
 * and never wrap; the ring's pages are mapped twice, one mapping behind the
 * other, so any run of up to `size` bytes is contiguous wherever it begins.
 *
 * The disk side frees late: bytes stay here until the pages of the file they
 * went to are known to be on the disk, since after a failed sync they are the
 * only good copy.
 */
#ifndef SEPMLOG_SPOOL_RING_H
#define SEPMLOG_SPOOL_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_LINE 64 /* keeps what the two sides write in different lines */

struct ring {
	char *base;
	size_t size; /* a power of two; 0: not mapped */
	/* record side */
	uint64_t head; /* end of what was appended */
	uint64_t room; /* may be filled up to here, as last seen */
	char pad1[RING_LINE];
	_Atomic uint64_t filled; /* end of what the disk side may read */
	char pad2[RING_LINE];
	_Atomic uint64_t tail; /* start of what must be kept */
	char pad3[RING_LINE];
};

/* At least `size` bytes; false: errno is set. */
bool ring_init(struct ring *ring, size_t size);
void ring_clear(struct ring *ring);
/* Moves what is in use to a ring of the other size; both sides at rest. False:
 * no memory, or it does not fit, and nothing has changed. */
bool ring_resize(struct ring *ring, size_t size);

static inline char *
ring_at(const struct ring *ring, uint64_t position)
{
	return ring->base + (position & (ring->size - 1));
}

/* --- record side --- */

static inline char *
ring_reserve(struct ring *ring, size_t n)
{
	if (n > ring->room - ring->head) {
		ring->room =
		    atomic_load_explicit(&ring->tail, memory_order_acquire) +
		    ring->size;
		if (n > ring->room - ring->head)
			return NULL;
	}
	return ring_at(ring, ring->head);
}

/* Goes on at the start of a page of `page` bytes, if there is room so far. */
static inline void
ring_align(struct ring *ring, uint64_t page)
{
	uint64_t gap = -ring->head & (page - 1);

	if (gap <= ring->room - ring->head)
		ring->head += gap;
}

/* Was anything appended since the last flush? */
static inline bool
ring_is_new(struct ring *ring)
{
	return atomic_load_explicit(&ring->filled, memory_order_relaxed) !=
	       ring->head;
}

/* Answers whether there was anything new. */
static inline bool
ring_flush(struct ring *ring)
{
	if (!ring_is_new(ring))
		return false;
	atomic_store_explicit(&ring->filled, ring->head, memory_order_release);
	return true;
}

/* --- disk side --- */

static inline uint64_t
ring_filled(struct ring *ring)
{
	return atomic_load_explicit(&ring->filled, memory_order_acquire);
}

static inline void
ring_free_to(struct ring *ring, uint64_t position)
{
	atomic_store_explicit(&ring->tail, position, memory_order_release);
}

#endif
