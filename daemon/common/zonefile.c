#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "zonefile.h"

/* The largest zone is about 4 KiB, in its fattest form. */
enum { ZONEFILE_MAX = 256 * 1024 };

static bool
is_zone_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789+-_/";

	return *name != '\0' && *name != '/' &&
	       name[strspn(name, allowed)] == '\0';
}

struct zone *
zonefile_load(const char *name)
{
	const char *directory = secure_getenv("TZDIR");
	char path[PATH_MAX];
	struct zone *zone;
	char *bytes;
	size_t n;
	int length;

	if (!is_zone_name(name))
		return NULL;
	if (!directory || !*directory)
		directory = "/usr/share/zoneinfo";
	length = snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (length < 0 || (size_t)length >= sizeof(path))
		return NULL;
	bytes = file_read(path, ZONEFILE_MAX, &n);
	if (!bytes)
		return NULL;
	zone = zone_new(span_of(bytes, n));
	free(bytes);
	return zone;
}
