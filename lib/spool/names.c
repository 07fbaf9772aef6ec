#include <inttypes.h>
#include <stdio.h>

#include "internal.h"

#define NUMBER_DIGITS 16

static bool
name_islower(int c)
{
	return c >= 'a' && c <= 'z';
}

bool
name_stream_ok(const char *name)
{
	size_t n = strlen(name), i;

	if (n == 0 || n > SPOOL_NAME_MAX || !name_islower(name[0]))
		return false;
	for (i = 1; i < n; i++)
		if (!name_islower(name[i]) && !span_isdigit(name[i]) &&
		    name[i] != '_')
			return false;
	return true;
}

static bool
name_extension_span_ok(struct span extension)
{
	size_t i;

	for (i = 0; i < extension.n; i++)
		if (!name_islower(extension.p[i]) &&
		    !span_isdigit(extension.p[i]))
			return false;
	return extension.n > 0 && extension.n <= SPOOL_EXTENSION_MAX;
}

bool
name_extension_ok(const char *extension)
{
	return name_extension_span_ok(span_str(extension));
}

void
name_live(char name[SPOOL_PATH], uint64_t number, const char *extension)
{
	snprintf(name, SPOOL_PATH, "%016" PRIu64 ".%s.open", number, extension);
}

void
name_ready(char name[SPOOL_PATH], const struct segment *segment)
{
	const struct spool *spool = segment->stream->spool;

	snprintf(name, SPOOL_PATH, "%s-%s-%016" PRIu64 ".%s%s",
	    segment->stream->name, spool->instance, segment->number,
	    segment->extension, pack_extension(segment->compress));
}

/* The number at the start of `in`, which is moved behind it. */
static bool
name_number(struct span *in, uint64_t *number)
{
	size_t i;

	*number = 0;
	for (i = 0; i < NUMBER_DIGITS; i++) {
		if (!span_isdigit(span_at(*in, i)))
			return false;
		*number = *number * 10 + (uint64_t)(in->p[i] - '0');
	}
	*in = span_skip(*in, NUMBER_DIGITS);
	return *number < SPOOL_NUMBER_MAX;
}

bool
name_parse_live(
    const char *name, uint64_t *number, char extension[SPOOL_EXTENSION_MAX + 1])
{
	struct span in = span_str(name), between;

	if (!name_number(&in, number) || span_at(in, 0) != '.')
		return false;
	in = span_skip(in, 1);
	between = span_take(in, span_find(in, '.'));
	if (!name_extension_span_ok(between) ||
	    !span_eq(span_skip(in, between.n), SPAN(".open")))
		return false;
	memcpy(extension, between.p, between.n);
	extension[between.n] = '\0';
	return true;
}

bool
name_parse_ready(const char *name, struct span *stream, uint64_t *number)
{
	struct span in = span_str(name);

	*stream = span_take(in, span_find(in, '-'));
	in = span_skip(in, stream->n + 1);
	if (span_find(in, '-') != SPOOL_INSTANCE)
		return false;
	in = span_skip(in, SPOOL_INSTANCE + 1);
	return name_number(&in, number) && span_at(in, 0) == '.';
}

void
name_show(char *shown, size_t size, const char *name)
{
	size_t i;

	for (i = 0; i + 1 < size && name[i]; i++)
		shown[i] = name[i] > ' ' && name[i] < 0x7f ? name[i] : '?';
	shown[i] = '\0';
}
