#include "ctl.h"

#include <string.h>

#include "timestamp.h"

bool
ctl_time(const char *text, int64_t *seconds, unsigned *microsecond)
{
	struct timestamp stamp;
	bool twice = false;
	size_t n = strlen(text);

	if (timestamp_scan(span_of(text, n), TIMESTAMP_ISO, &stamp) != n ||
	    !timestamp_resolve(&stamp, zone_utc(), NULL, 0, seconds, &twice))
		return false;
	if (microsecond != NULL)
		*microsecond = (unsigned)stamp.microsecond;
	return true;
}

uint64_t
ctl_hash(struct span name)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < name.n; i++)
		hash =
		    (hash ^ (unsigned char)name.p[i]) * UINT64_C(1099511628211);
	return hash;
}
