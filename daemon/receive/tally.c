#include "tally.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

enum { BUCKETS = 1024 };

struct tally_entry {
	LIST_ENTRY(tally_entry) others;
	struct in6_addr address;
	unsigned count;
};

LIST_HEAD(bucket, tally_entry);

struct tally {
	uint64_t seed; /* senders must not choose their bucket */
	struct bucket buckets[BUCKETS];
};

struct tally *
tally_new(void)
{
	struct tally *tally = calloc(1, sizeof *tally);

	if (tally == NULL)
		return NULL;
	/* Without randomness it is only easier to guess. */
	if (getrandom(&tally->seed, sizeof tally->seed, GRND_NONBLOCK) < 0)
		tally->seed = (uintptr_t)tally;
	return tally;
}

void
tally_free(struct tally *tally)
{
	free(tally);
}

static struct bucket *
bucket_of(struct tally *tally, const struct in6_addr *address)
{
	uint64_t half[2], hash;

	memcpy(half, address, sizeof half);
	hash = (half[0] ^ tally->seed) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ hash >> 32 ^ half[1]) * UINT64_C(0xd6e8feb86659fd93);
	return &tally->buckets[(hash ^ hash >> 32) % BUCKETS];
}

struct tally_entry *
tally_add(struct tally *tally, const struct in6_addr *address)
{
	struct bucket *bucket = bucket_of(tally, address);
	struct tally_entry *entry;

	LIST_FOREACH(entry, bucket, others)
	if (memcmp(&entry->address, address, sizeof *address) == 0)
		break;
	if (entry == NULL) {
		entry = calloc(1, sizeof *entry);
		if (entry == NULL)
			return NULL;
		entry->address = *address;
		LIST_INSERT_HEAD(bucket, entry, others);
	}
	entry->count++;
	return entry;
}

unsigned
tally_count(const struct tally_entry *entry)
{
	return entry->count;
}

void
tally_drop(struct tally_entry *entry)
{
	if (--entry->count > 0)
		return;
	LIST_REMOVE(entry, others);
	free(entry);
}
