#include "fill.h"

enum { MINUTE = 60 * 1000 }; /* ms */

/* A larger part of its buffer; any is more than none. */
static bool
is_higher(const struct fill_mark *a, const struct fill_mark *b)
{
	return b->size == 0 ||
	       (uint64_t)a->used * b->size > (uint64_t)b->used * a->size;
}

static bool
is_recent(const struct fill_mark *mark, uint64_t now)
{
	return mark->size > 0 &&
	       now / MINUTE < mark->at / MINUTE + FILL_MINUTES;
}

static void
keep(struct fill *f, const struct fill_mark *mark)
{
	uint64_t minute = mark->at / MINUTE;
	struct fill_mark *slot = &f->minute[minute % FILL_MINUTES];

	if (slot->at / MINUTE < minute ||
	    (slot->at / MINUTE == minute && is_higher(mark, slot)))
		*slot = *mark;
}

void
fill_burst(struct fill *f, const struct fill_mark *mark)
{
	if (mark->size == 0)
		return;
	if (f->burst.size == 0)
		f->bursts++;
	if (is_higher(mark, &f->burst))
		f->burst = *mark;
}

void
fill_calm(struct fill *f)
{
	if (f->burst.size == 0)
		return;
	keep(f, &f->burst);
	f->burst.size = 0;
}

void
fill_over(struct fill *f, uint32_t size, uint64_t now)
{
	const struct fill_mark full = {size, size, now};

	keep(f, &full);
}

struct fill_mark
fill_highest(const struct fill *f, uint64_t now)
{
	struct fill_mark highest = {.size = 0};

	if (is_recent(&f->burst, now))
		highest = f->burst;
	for (unsigned i = 0; i < FILL_MINUTES; i++)
		if (is_recent(&f->minute[i], now) &&
		    is_higher(&f->minute[i], &highest))
			highest = f->minute[i];
	return highest;
}

unsigned
fill_percent(const struct fill_mark *mark)
{
	uint64_t percent =
	    mark->size > 0 ? (uint64_t)mark->used * 100 / mark->size : 0;

	/* The last datagram may go beyond the end. */
	return percent > 100 ? 100 : (unsigned)percent;
}
