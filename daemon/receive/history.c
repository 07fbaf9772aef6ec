#include "history.h"

#include <string.h>

void
history_init(struct history *h)
{
	memset(h, 0, sizeof *h);
	h->fine = (struct history_series){
	    .step = 1, .size = HISTORY_SECONDS, .points = h->seconds};
	h->coarse = (struct history_series){
	    .step = 60, .size = HISTORY_MINUTES, .points = h->minutes};
}

static struct history_point *
newest(struct history_series *s)
{
	return &s->points[(s->count - 1) % s->size];
}

static void
begin(struct history_series *s)
{
	s->count++;
	*newest(s) = (struct history_point){0};
}

/* Up to now; time in which nobody asked stays empty. */
static void
move(struct history_series *s, uint64_t second)
{
	uint64_t want = second - second % s->step;

	if (s->count == 0 || want > s->begun + s->step * s->size) {
		s->count = 0;
		s->begun = want;
		begin(s);
	}
	for (; s->begun < want; s->begun += s->step)
		begin(s);
}

static void
grow(struct history_point *p, const struct history_point *sums,
    const struct history_point *before)
{
#define ROW(name) p->name += sums->name - before->name;
	HISTORY_TABLE(ROW)
#undef ROW
	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		p->commits[i] += sums->commits[i] - before->commits[i];
}

void
history_add(struct history *h, const struct history_point *sums, uint64_t now)
{
	struct history_series *const all[] = {&h->fine, &h->coarse};

	for (size_t i = 0; i < 2; i++) {
		move(all[i], now / 1000);
		grow(newest(all[i]), sums, &h->last);
	}
	h->last = *sums;
}

size_t
history_count(const struct history_series *s)
{
	return s->count < s->size ? s->count : s->size;
}

const struct history_point *
history_get(const struct history_series *s, size_t index)
{
	return &s->points[(s->count - history_count(s) + index) % s->size];
}

struct history_point
history_sum(const struct history_series *s, size_t points)
{
	static const struct history_point zero;
	size_t count = history_count(s);
	struct history_point sum = {0};

	for (size_t i = points < count ? count - points : 0; i < count; i++)
		grow(&sum, history_get(s, i), &zero);
	return sum;
}

struct latency_counts
history_commits(const struct history_point *p)
{
	struct latency_counts c = {.sum = 0};

	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		c.count[i] = p->commits[i];
	return c;
}
