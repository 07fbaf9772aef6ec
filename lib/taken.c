/*
 * Pending numbers stand in a hash table, which grows up to what taken_new was
 * told. Settling sorts them and merges them into each site's array: cost goes
 * with rows and intervals, whatever the order of the rows.
 *
 * The text:
 *
 *   taken 1
 *   source <number>
 *   marker <time> <usn>              when there is one
 *   site <bytes of name> <lowest number remembered> <intervals>
 *   <name>                           that of CONTENT, the first, is empty
 *   <gap>[+<more>] ...               gap from the last end; more than one
 */
#include "taken.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "decimal.h"

enum {
	CONTENT = 0, /* the site of rows without a number of their own */
	SLOTS_MIN = 256,
	LINE = 96,          /* bytes of a line but for names and intervals */
	INTERVAL_TEXT = 43, /* two numbers, their signs */
};

#define MAGIC SPAN("taken 1\n")

struct interval {
	uint64_t first, last;
};

struct site {
	char name[TAKEN_SITE_MAX];
	size_t n;
	uint64_t floor; /* below it everything is forgotten */
	struct interval *intervals;
	size_t count;
};

struct slot {
	uint64_t number;
	uint32_t site; /* plus 1; 0: empty */
};

struct taken {
	size_t max, intervals_max;
	struct site sites[TAKEN_SITES + 1];
	size_t site_count;
	struct slot *slots; /* a power of two of them */
	size_t slot_count, pending;
	bool forgets;
	struct taken_marker marker;
	uint64_t source;
};

struct taken *
taken_new(size_t pending, size_t intervals)
{
	struct taken *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->max = pending;
	t->intervals_max = intervals;
	t->site_count = 1;
	t->slot_count = SLOTS_MIN;
	t->slots = calloc(t->slot_count, sizeof(*t->slots));
	if (t->slots == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

void
taken_free(struct taken *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->site_count; i++)
		free(t->sites[i].intervals);
	free(t->slots);
	free(t);
}

struct taken_marker *
taken_marker(struct taken *t)
{
	return &t->marker;
}

uint64_t *
taken_source(struct taken *t)
{
	return &t->source;
}

size_t
taken_pending(const struct taken *t)
{
	return t->pending;
}

bool
taken_forgets(const struct taken *t)
{
	return t->forgets;
}

/* --- keys --- */

static uint64_t
mix(uint64_t h)
{
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

uint64_t
taken_hash(struct span bytes)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < bytes.n; i++)
		h = (h ^ (unsigned char)bytes.p[i]) * UINT64_C(1099511628211);
	return mix(h);
}

/* At most INT64_MAX, so that one more is always a number, too. */
static bool
read_number(struct span digits, uint64_t *number)
{
	uint64_t n = 0;

	for (size_t i = 0; i < digits.n; i++) {
		unsigned digit = (unsigned char)digits.p[i] - (unsigned)'0';

		if (digit > 9 || n > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*number = n;
	return digits.n > 0;
}

/* The index of the site, which is made if there is room; 0: there is none. */
static unsigned
site_index(struct taken *t, struct span name)
{
	struct site *site;

	for (size_t i = 1; i < t->site_count; i++)
		if (span_eq(span_of(t->sites[i].name, t->sites[i].n), name))
			return (unsigned)i;
	if (t->site_count == TAKEN_SITES + 1 || name.n > TAKEN_SITE_MAX)
		return 0;
	site = &t->sites[t->site_count];
	if (name.n > 0)
		memcpy(site->name, name.p, name.n);
	site->n = name.n;
	return (unsigned)t->site_count++;
}

struct taken_key
taken_key(struct taken *t, struct span site, struct span usn, struct span row)
{
	struct taken_key key = {.site = CONTENT};

	if (read_number(usn, &key.number))
		key.site = site_index(t, site);
	if (key.site == CONTENT)
		key.number = taken_hash(row);
	return key;
}

/* --- pending --- */

static struct slot *
slot_of(struct slot *slots, size_t count, struct taken_key key)
{
	size_t i = (size_t)mix(key.number + key.site * UINT64_C(0x9e3779b9));

	for (;; i++) {
		struct slot *slot = &slots[i & (count - 1)];

		if (slot->site == 0 ||
		    (slot->number == key.number && slot->site == key.site + 1))
			return slot;
	}
}

static bool
grow(struct taken *t)
{
	size_t count = t->slot_count * 2;
	struct slot *slots = calloc(count, sizeof(*slots));

	if (slots == NULL)
		return false;
	for (size_t i = 0; i < t->slot_count; i++) {
		struct slot *slot = &t->slots[i];
		struct taken_key key = {slot->site - 1, slot->number};

		if (slot->site != 0)
			*slot_of(slots, count, key) = *slot;
	}
	free(t->slots);
	t->slots = slots;
	t->slot_count = count;
	return true;
}

bool
taken_add(struct taken *t, struct taken_key key)
{
	if (t->pending == t->max)
		return false;
	if (t->pending * 2 >= t->slot_count && !grow(t))
		return false;
	*slot_of(t->slots, t->slot_count, key) =
	    (struct slot){key.number, key.site + 1};
	t->pending++;
	return true;
}

/* The first interval that ends at the number or behind it. */
static size_t
interval_find(const struct site *site, uint64_t number)
{
	size_t low = 0, high = site->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (site->intervals[middle].last < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

enum taken_answer
taken_look(const struct taken *t, struct taken_key key)
{
	const struct site *site = &t->sites[key.site];
	size_t i = interval_find(site, key.number);

	if (i < site->count && site->intervals[i].first <= key.number)
		return TAKEN_YES;
	if (slot_of(t->slots, t->slot_count, key)->site != 0)
		return TAKEN_YES;
	/* hashes have no order that means anything */
	return key.site != CONTENT && key.number < site->floor ? TAKEN_FORGOTTEN
							       : TAKEN_NEW;
}

/* --- settling --- */

static int
compare(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* Appends to intervals in order; those that touch become one. */
static void
append(struct interval *to, size_t *count, struct interval next)
{
	struct interval *last = *count > 0 ? &to[*count - 1] : NULL;

	if (last != NULL &&
	    (next.first <= last->last || next.first - last->last == 1)) {
		if (next.last > last->last)
			last->last = next.last;
		return;
	}
	to[(*count)++] = next;
}

static void
merge(const struct site *site, const struct slot *slots, size_t n,
    struct interval *to, size_t *count)
{
	size_t i = 0;

	*count = 0;
	for (size_t k = 0; k < n; k++) {
		struct interval one = {slots[k].number, slots[k].number};

		while (i < site->count && site->intervals[i].first < one.first)
			append(to, count, site->intervals[i++]);
		append(to, count, one);
	}
	while (i < site->count)
		append(to, count, site->intervals[i++]);
}

/* One site's run of sorted slots; what is not needed of the memory stays: the
 * next run takes more. */
static bool
settle_site(struct site *site, const struct slot *slots, size_t n)
{
	struct interval *to = calloc(site->count + n, sizeof(*to)), *less;
	size_t count;

	if (to == NULL)
		return false;
	merge(site, slots, n, to, &count);
	free(site->intervals);
	less = reallocarray(to, count, sizeof(*to));
	site->intervals = less != NULL ? less : to;
	site->count = count;
	return true;
}

static size_t
intervals(const struct taken *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->site_count; i++)
		n += t->sites[i].count;
	return n;
}

static void
forget(struct site *site, size_t n)
{
	site->floor = site->intervals[n - 1].last + 1;
	site->count -= n;
	memmove(site->intervals, site->intervals + n,
	    site->count * sizeof(*site->intervals));
}

/* Some more than is over, so that it is not done again for every row. */
static void
keep_bound(struct taken *t)
{
	size_t n = intervals(t);

	while (n > t->intervals_max) {
		struct site *most = t->sites;
		size_t some = n - t->intervals_max + t->intervals_max / 16;

		for (size_t i = 1; i < t->site_count; i++)
			if (t->sites[i].count > most->count)
				most = &t->sites[i];
		if (some >= most->count)
			some = (most->count + 1) / 2;
		forget(most, some);
		n -= some;
		t->forgets = true;
	}
}

/* The slots in use, sorted, to the front. */
static void
sort(struct taken *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->slot_count; i++)
		if (t->slots[i].site != 0)
			t->slots[n++] = t->slots[i];
	qsort(t->slots, n, sizeof(*t->slots), compare);
}

bool
taken_settle(struct taken *t)
{
	size_t from = 0, to = 0;

	sort(t);
	while (from < t->pending) {
		uint32_t site = t->slots[from].site;

		while (to < t->pending && t->slots[to].site == site)
			to++;
		if (!settle_site(
			&t->sites[site - 1], t->slots + from, to - from))
			return false;
		from = to;
	}
	memset(t->slots, 0, t->slot_count * sizeof(*t->slots));
	t->pending = 0;
	keep_bound(t);
	return true;
}

/* --- text --- */

size_t
taken_bound(const struct taken *t)
{
	return 2 * LINE + t->site_count * (LINE + TAKEN_SITE_MAX) +
	       intervals(t) * INTERVAL_TEXT;
}

static char *
put_intervals(const struct site *site, char *out)
{
	uint64_t end = 0;

	for (size_t i = 0; i < site->count; i++) {
		const struct interval *in = &site->intervals[i];

		out = decimal_put(in->first - end, out);
		if (in->last > in->first) {
			*out++ = '+';
			out = decimal_put(in->last - in->first, out);
		}
		*out++ = ' ';
		end = in->last;
	}
	*out++ = '\n';
	return out;
}

static char *
put_site(const struct site *site, char *out)
{
	out += sprintf(out, "site %zu %" PRIu64 " %zu\n", site->n, site->floor,
	    site->count);
	memcpy(out, site->name, site->n);
	out += site->n;
	*out++ = '\n';
	return put_intervals(site, out);
}

size_t
taken_write(const struct taken *t, char *out)
{
	char *end = out;

	memcpy(end, MAGIC.p, MAGIC.n);
	end += MAGIC.n;
	end += sprintf(end, "source %" PRIu64 "\n", t->source);
	if (t->marker.set)
		end += sprintf(end, "marker %" PRId64 " %" PRIu64 "\n",
		    t->marker.time, t->marker.usn);
	for (size_t i = 0; i < t->site_count; i++)
		if (i == CONTENT || t->sites[i].count > 0)
			end = put_site(&t->sites[i], end);
	return (size_t)(end - out);
}

/* A decimal number at the start of *in, and the byte behind it. */
static bool
take_number(struct span *in, char behind, uint64_t *number)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; span_isdigit(span_at(*in, i)); i++)
		if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(in->p[i] - '0'), &n))
			return false;
	if (i == 0 || span_at(*in, i) != behind)
		return false;
	*in = span_skip(*in, i + 1);
	*number = n;
	return true;
}

static bool
take_word(struct span *in, struct span word)
{
	if (!span_starts(*in, word))
		return false;
	*in = span_skip(*in, word.n);
	return true;
}

static bool
read_interval(struct span *in, uint64_t end, struct interval *interval)
{
	uint64_t gap, more = 0;
	struct span copy = *in;

	if (!take_number(in, ' ', &gap)) {
		*in = copy;
		if (!take_number(in, '+', &gap) || !take_number(in, ' ', &more))
			return false;
	}
	return !__builtin_add_overflow(end, gap, &interval->first) &&
	       !__builtin_add_overflow(interval->first, more, &interval->last);
}

static bool
read_intervals(struct span *in, struct site *site)
{
	uint64_t end = 0;

	for (size_t i = 0; i < site->count; i++) {
		if (!read_interval(in, end, &site->intervals[i]) ||
		    (i > 0 && site->intervals[i].first - end < 2))
			return false;
		end = site->intervals[i].last;
	}
	return take_word(in, SPAN("\n"));
}

/* The site of that name, which is not there yet; NULL: it cannot be. */
static struct site *
new_site(struct taken *t, struct span name, bool first)
{
	if (first)
		return name.n == 0 ? &t->sites[CONTENT] : NULL;
	return site_index(t, name) == t->site_count - 1 &&
		       t->sites[t->site_count - 1].intervals == NULL
		   ? &t->sites[t->site_count - 1]
		   : NULL;
}

/* The text has two bytes or more for each interval that it says to have. */
static bool
read_site(struct taken *t, struct span *in, bool first)
{
	uint64_t n, floor, count;
	struct site *site;

	if (!take_number(in, ' ', &n) || !take_number(in, ' ', &floor) ||
	    !take_number(in, '\n', &count) || n > in->n || count > in->n / 2)
		return false;
	site = new_site(t, span_take(*in, (size_t)n), first);
	*in = span_skip(*in, (size_t)n);
	if (site == NULL || !take_word(in, SPAN("\n")))
		return false;
	site->intervals = calloc(count + 1, sizeof(*site->intervals));
	if (site->intervals == NULL)
		return false;
	site->floor = floor;
	site->count = (size_t)count;
	return read_intervals(in, site);
}

static bool
read_marker(struct taken *t, struct span *in)
{
	uint64_t time;

	if (!take_word(in, SPAN("marker ")))
		return true;
	t->marker.set = take_number(in, ' ', &time) && time <= INT64_MAX &&
			take_number(in, '\n', &t->marker.usn);
	t->marker.time = t->marker.set ? (int64_t)time : 0;
	return t->marker.set;
}

bool
taken_read(struct taken *t, struct span in)
{
	bool first = true;

	if (in.n == 0)
		return true;
	if (!take_word(&in, MAGIC) || !take_word(&in, SPAN("source ")) ||
	    !take_number(&in, '\n', &t->source) || !read_marker(t, &in))
		return false;
	for (; in.n > 0; first = false)
		if (!take_word(&in, SPAN("site ")) || !read_site(t, &in, first))
			return false;
	keep_bound(t);
	t->forgets = false;
	return true;
}
