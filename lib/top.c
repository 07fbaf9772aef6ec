#include "top.h"

#include <stdlib.h>

/* Entries lie densely from the front; an index with open addressing, at most
 * half full, finds them. Both are rebuilt when keys are dropped. */

enum { FIRST = 1024 /* entries of an exact one to begin with */ };

struct slot {
	uint32_t tag; /* of the hash */
	uint32_t at;  /* entry + 1; 0: free */
};

struct top {
	struct hash_key key;
	bool exact;
	size_t limit, count; /* entries */
	struct top_entry *entries;
	size_t mask; /* slots - 1 */
	struct slot *slots;
	uint64_t *values; /* `limit` of them, to choose from */
	uint64_t floor, weight;
	uint64_t dice;
};

static uint64_t
plus(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static size_t
slots_for(size_t entries)
{
	size_t n = 4;

	while (n < 2 * entries)
		n *= 2;
	return n;
}

/* --- memory --- */

static bool
resize(struct top *top, size_t limit)
{
	size_t n = slots_for(limit);
	struct top_entry *entries =
	    reallocarray(top->entries, limit, sizeof *entries);
	struct slot *slots;
	uint64_t *values;

	if (entries == NULL)
		return false;
	top->entries = entries;
	values = reallocarray(top->values, limit, sizeof *values);
	if (values == NULL)
		return false;
	top->values = values;
	slots = reallocarray(NULL, n, sizeof *slots);
	if (slots == NULL)
		return false;
	free(top->slots);
	top->slots = slots;
	top->mask = n - 1;
	top->limit = limit;
	return true;
}

struct top *
top_new(size_t entries, struct hash_key key)
{
	struct top *top = calloc(1, sizeof *top);

	if (top == NULL)
		return NULL;
	top->key = key;
	top->exact = entries == 0;
	top->dice = key.a | 1;
	if (entries == 0)
		entries = FIRST;
	else if (entries < 2)
		entries = 2;
	if (!resize(top, entries)) {
		top_free(top);
		return NULL;
	}
	top_clear(top);
	return top;
}

void
top_free(struct top *top)
{
	if (top == NULL)
		return;
	free(top->entries);
	free(top->slots);
	free(top->values);
	free(top);
}

void
top_clear(struct top *top)
{
	top->count = 0;
	top->floor = top->weight = 0;
	memset(top->slots, 0, (top->mask + 1) * sizeof *top->slots);
}

/* --- keys --- */

static bool
is_key(const struct top_entry *e, uint64_t hash, struct span key)
{
	return e->hash == hash && e->length == key.n &&
	       span_eq(top_key(e), span_take(key, TOP_KEY));
}

/* The slot of the key, or the free one where it would be. */
static struct slot *
find(const struct top *top, uint64_t hash, struct span key)
{
	size_t i = hash & top->mask;
	uint32_t tag = (uint32_t)(hash >> 32);
	const struct slot *slot;

	for (;; i = (i + 1) & top->mask) {
		slot = &top->slots[i];
		if (slot->at == 0 ||
		    (slot->tag == tag &&
			is_key(&top->entries[slot->at - 1], hash, key)))
			return &top->slots[i];
	}
}

static void
index_all(struct top *top)
{
	memset(top->slots, 0, (top->mask + 1) * sizeof *top->slots);
	for (size_t at = 0; at < top->count; at++) {
		uint64_t hash = top->entries[at].hash;
		size_t i = hash & top->mask;

		while (top->slots[i].at != 0)
			i = (i + 1) & top->mask;
		top->slots[i] =
		    (struct slot){(uint32_t)(hash >> 32), (uint32_t)at + 1};
	}
}

/* --- making room --- */

/* The value that would be at `rank` if all were sorted (Wirth's selection). A
 * pivot that nobody can foresee: no stream makes this slow. */
static uint64_t
choose(uint64_t *v, int64_t n, int64_t rank, uint64_t *dice)
{
	int64_t low = 0, high = n - 1, i, j;
	uint64_t pivot, swap;

	while (low < high) {
		*dice = *dice * UINT64_C(6364136223846793005) + 1442695041;
		pivot = v[low + (int64_t)(*dice >> 33) % (high - low + 1)];
		for (i = low, j = high; i <= j;) {
			while (v[i] < pivot)
				i++;
			while (v[j] > pivot)
				j--;
			if (i > j)
				break;
			swap = v[i];
			v[i++] = v[j];
			v[j--] = swap;
		}
		if (j < rank)
			low = i;
		if (rank < i)
			high = j;
	}
	return v[rank];
}

static uint64_t
most(const struct top_entry *e)
{
	return plus(e->count, e->error);
}

/* Drops those that have at most the median, and raises the floor to it. */
static void
drop_half(struct top *top)
{
	size_t kept = 0;

	for (size_t i = 0; i < top->count; i++)
		top->values[i] = most(&top->entries[i]);
	top->floor = choose(top->values, (int64_t)top->count,
	    (int64_t)(top->count - 1) / 2, &top->dice);
	for (size_t i = 0; i < top->count; i++)
		if (most(&top->entries[i]) > top->floor)
			top->entries[kept++] = top->entries[i];
	top->count = kept;
	index_all(top);
}

static bool
make_room(struct top *top)
{
	if (top->count < top->limit)
		return true;
	if (!top->exact)
		drop_half(top);
	else if (top->limit > UINT32_MAX / 4 || !resize(top, 2 * top->limit))
		return false;
	else
		index_all(top);
	return true;
}

static struct top_entry *
insert(struct top *top, uint64_t hash, const struct top_entry *value)
{
	size_t i;
	struct top_entry *e;

	if (!make_room(top))
		return NULL;
	for (i = hash & top->mask; top->slots[i].at != 0;)
		i = (i + 1) & top->mask;
	e = &top->entries[top->count++];
	*e = *value;
	top->slots[i] =
	    (struct slot){(uint32_t)(hash >> 32), (uint32_t)top->count};
	return e;
}

static struct top_entry *
insert_key(struct top *top, uint64_t hash, struct span key)
{
	struct top_entry new = {.hash = hash, .length = key.n}, *e;

	memcpy(new.key, key.p, span_take(key, TOP_KEY).n);
	e = insert(top, hash, &new);
	if (e != NULL) /* the floor may have risen with it */
		e->error = top->floor;
	return e;
}

struct top_entry *
top_add(struct top *top, struct span key, uint64_t weight)
{
	uint64_t hash = hash_span(&top->key, key);
	const struct slot *slot = find(top, hash, key);
	struct top_entry *e = slot->at != 0 ? &top->entries[slot->at - 1]
					    : insert_key(top, hash, key);

	if (e == NULL)
		return NULL;
	e->count = plus(e->count, weight);
	top->weight = plus(top->weight, weight);
	return e;
}

/* --- two of them --- */

/*
 * What is in both adds up. A key that one of the two lacks may have had that
 * one's floor there. Making room on the way would mix the floors, so that the
 * floor of `from` is added to all first.
 */
bool
top_merge(struct top *top, const struct top *from)
{
	for (size_t i = 0; i < top->count; i++)
		top->entries[i].error =
		    plus(top->entries[i].error, from->floor);
	top->floor = plus(top->floor, from->floor);
	for (size_t i = 0; i < from->count; i++) {
		const struct top_entry *f = &from->entries[i];
		const struct slot *slot =
		    find(top, f->hash, (struct span){f->key, f->length});
		struct top_entry *e;

		if (slot->at == 0) {
			e = insert(top, f->hash, f);
			if (e == NULL)
				return false;
			/* the floor holds that of `from` already */
			e->error = plus(f->error, top->floor - from->floor);
			continue;
		}
		e = &top->entries[slot->at - 1];
		e->count = plus(e->count, f->count);
		e->error = plus(e->error - from->floor, f->error);
		for (size_t s = 0; s < TOP_SUMS; s++)
			e->sum[s] = plus(e->sum[s], f->sum[s]);
	}
	top->weight = plus(top->weight, from->weight);
	return true;
}

/* --- looking --- */

uint64_t
top_floor(const struct top *top)
{
	return top->floor;
}

uint64_t
top_weight(const struct top *top)
{
	return top->weight;
}

size_t
top_count(const struct top *top)
{
	return top->count;
}

struct span
top_key(const struct top_entry *e)
{
	return span_take((struct span){e->key, e->length}, TOP_KEY);
}

/* Equal ones by their keys, so that two reports of the same say the same. */
static bool
before(const struct top_entry *a, const struct top_entry *b)
{
	struct span x = top_key(a), y = top_key(b);
	int order;

	if (a->count != b->count)
		return a->count > b->count;
	order = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
	return order != 0 ? order < 0 : a->length < b->length;
}

/* The list so far is a heap with its last one on top. */
static void
sift(const struct top_entry **heap, size_t n, size_t i)
{
	const struct top_entry *moved = heap[i];
	size_t child;

	for (; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && before(heap[child], heap[child + 1]))
			child++;
		if (!before(moved, heap[child]))
			break;
		heap[i] = heap[child];
	}
	heap[i] = moved;
}

size_t
top_list(struct top *top, const struct top_entry **list, size_t max)
{
	size_t n = top->count < max ? top->count : max;
	const struct top_entry *swap;

	for (size_t i = 0; i < n; i++)
		list[i] = &top->entries[i];
	for (size_t i = n / 2; i-- > 0;)
		sift(list, n, i);
	for (size_t i = n; n > 0 && i < top->count; i++) {
		if (!before(&top->entries[i], list[0]))
			continue;
		list[0] = &top->entries[i];
		sift(list, n, 0);
	}
	for (size_t i = n; i-- > 1;) {
		swap = list[0];
		list[0] = list[i];
		list[i] = swap;
		sift(list, i, 0);
	}
	return n;
}
