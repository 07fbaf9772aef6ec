#include "span.h"

/* Bytes of the trimmable character that starts at s.p; 0 for any other. */
static size_t
trim_first(struct span s)
{
	switch (span_at(s, 0)) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
	case '\0':
		return 1;
	case 0xc2:
		return span_at(s, 1) == 0xa0 ? 2 : 0;
	default:
		return 0;
	}
}

/* The same for the one that ends the span. */
static size_t
trim_last(struct span s)
{
	if (s.n >= 2 && span_at(s, s.n - 1) == 0xa0)
		return span_at(s, s.n - 2) == 0xc2 ? 2 : 0;
	return s.n ? trim_first(span_skip(s, s.n - 1)) : 0;
}

struct span
span_trim_ends(struct span s)
{
	size_t n;

	while ((n = trim_first(s)) > 0)
		s = span_skip(s, n);
	while ((n = trim_last(s)) > 0)
		s.n -= n;
	return s;
}
