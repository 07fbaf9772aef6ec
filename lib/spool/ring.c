#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "ring.h"

#define RING_MIN ((size_t)64 << 10) /* no smaller than any usual page */
#define RING_MAX ((size_t)1 << 40)

static size_t
ring_round(size_t size)
{
	size_t rounded = RING_MIN;

	while (rounded < size && rounded < RING_MAX)
		rounded *= 2;
	return rounded;
}

#ifdef RING_SHM
/* For memcheck, which refuses the other way. Pages of this kind count for
 * kernel.shmmax and outlive a process killed in here. */
static char *
ring_map(size_t size)
{
	int id = shmget(IPC_PRIVATE, size, 0600);
	char *base = mmap(NULL, 2 * size, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	bool ok = id >= 0 && base != MAP_FAILED &&
		  shmat(id, base, SHM_REMAP) == base &&
		  shmat(id, base + size, SHM_REMAP) == base + size;

	shmctl(id, IPC_RMID, NULL);
	if (ok)
		return base;
	if (base != MAP_FAILED)
		munmap(base, 2 * size);
	return NULL;
}
#else
/*
 * Two mappings of the same pages, side by side. An old size of 0 asks mremap
 * for a second mapping of a shared one. (A memfd would do as well, but counts
 * as a file for RLIMIT_FSIZE.)
 */
static char *
ring_map(size_t size)
{
	char *base = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		return NULL;
	if (mremap(base, 0, size, MREMAP_MAYMOVE | MREMAP_FIXED, base + size) !=
	    MAP_FAILED)
		return base;
	munmap(base, 2 * size);
	return NULL;
}
#endif

bool
ring_init(struct ring *ring, size_t size)
{
	memset(ring, 0, sizeof(*ring));
	size = ring_round(size);
	ring->base = ring_map(size);
	if (!ring->base)
		return false;
	ring->size = size;
	return true;
}

void
ring_clear(struct ring *ring)
{
	if (ring->base)
		munmap(ring->base, 2 * ring->size);
	ring->base = NULL;
	ring->size = 0;
}

bool
ring_resize(struct ring *ring, size_t size)
{
	uint64_t tail = atomic_load(&ring->tail);
	size_t used = (size_t)(ring->head - tail);
	struct ring from = *ring;
	char *base;

	size = ring_round(size);
	if (size == ring->size)
		return true;
	if (used > size || !(base = ring_map(size)))
		return false;
	ring->base = base;
	ring->size = size;
	ring->room = tail + size;
	memcpy(ring_at(ring, tail), ring_at(&from, tail), used);
	ring_clear(&from);
	return true;
}
