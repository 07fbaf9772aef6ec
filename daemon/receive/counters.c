#include "counters.h"

#include <stdio.h>

static const struct {
	size_t offset;
	const char *name, *words;
	bool loss;
} rows[] = {
#define ROW(name, words, loss)                                                 \
	{offsetof(struct counters, name), #name, words, loss},
    COUNTERS_TABLE(ROW)
#undef ROW
};

enum { ROWS = sizeof rows / sizeof rows[0], ALWAYS_SHOWN = 3 };

static uint64_t
value(const struct counters *c, size_t row)
{
	return *(const uint64_t *)((const char *)c + rows[row].offset);
}

uint64_t
counters_losses(const struct counters *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].loss)
			sum += value(c, i);
	return sum;
}

bool
counters_row(const struct counters *c, size_t i, struct counters_row *row)
{
	if (i >= ROWS)
		return false;
	*row = (struct counters_row){
	    rows[i].name, rows[i].words, rows[i].loss, value(c, i)};
	return true;
}

void
counters_text(const struct counters *c, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < ROWS && n < size; i++) {
		if (i >= ALWAYS_SHOWN && value(c, i) == 0)
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s%s %llu",
		    i == 0 ? "" : ", ", rows[i].words,
		    (unsigned long long)value(c, i));
	}
}
