/*
 * testing - what the tests of the parsers share: the sample messages, and
 * records written as text, so that a table can say what must be in them.
 */
#ifndef SEPMLOG_TEST_TESTING_H
#define SEPMLOG_TEST_TESTING_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "span.h"
#include "timestamp.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { TESTING_ROOM = 8192, TESTING_SAMPLES = 256 };

/* A whole file below tests/data, for the caller to free. */
static inline struct span
testing_file(const char *name)
{
	static char path[1024];
	char *bytes = malloc(1 << 20);
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", TEST_DATA, name);
	file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "%s", path);
	n = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	return span_of(bytes, n);
}

/* Every line of every sample log. They stay until the program ends. */
struct testing_samples {
	struct span line[TESTING_SAMPLES];
	size_t count;
};

static inline void
testing_add_lines(struct testing_samples *samples, struct span rest)
{
	while (rest.n > 0) {
		size_t n = span_find(rest, '\n');

		ck_assert_uint_lt(samples->count, TESTING_SAMPLES);
		samples->line[samples->count++] = span_take(rest, n);
		rest = span_skip(rest, n + 1);
	}
}

static inline const struct testing_samples *
testing_samples(void)
{
	static struct testing_samples samples;
	static char name[512];
	struct dirent *entry;
	DIR *dir;

	if (samples.count > 0)
		return &samples;
	dir = opendir(TEST_DATA "/samples");
	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (strstr(entry->d_name, ".log") == NULL)
			continue;
		snprintf(name, sizeof(name), "samples/%s", entry->d_name);
		testing_add_lines(&samples, testing_file(name));
	}
	closedir(dir);
	ck_assert_uint_gt(samples.count, 90);
	return &samples;
}

/* Text put together, cut off where the room ends. */
struct testing_text {
	char p[TESTING_ROOM];
	size_t n;
};

static inline void
testing_add(struct testing_text *t, struct span s)
{
	s = span_take(s, sizeof(t->p) - 1 - t->n);
	if (s.n > 0)
		memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
	t->p[t->n] = '\0';
}

static inline void
testing_add_number(struct testing_text *t, uint64_t number)
{
	char digits[32];

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
	testing_add(t, span_str(digits));
}

static inline void
testing_add_addresses(struct testing_text *t, const struct record *r)
{
	for (size_t i = 0; i < r->addresses; i++) {
		testing_add(t, span_str(i > 0 ? " " : ""));
		testing_add(t, r->address[i].ip);
		testing_add(t, SPAN("/"));
		testing_add(t, r->address[i].mac);
		testing_add(t, SPAN("/"));
		testing_add(t, r->address[i].gateway);
	}
}

static inline void
testing_add_extra(struct testing_text *t, const struct record *r)
{
	for (size_t i = 0; i < r->extras; i++) {
		testing_add(t, span_str(i > 0 ? "|" : ""));
		testing_add(t, r->extra[i].label);
		testing_add(t, SPAN("="));
		testing_add(t, r->extra[i].value);
	}
}

static inline void
testing_add_flags(struct testing_text *t, const struct record *r)
{
	for (size_t i = 0; i < RECORD_FLAG_COUNT; i++) {
		if (!(r->flags >> i & 1))
			continue;
		testing_add(t, span_str(t->n > 0 ? " " : ""));
		testing_add(t, record_flag_name[i]);
	}
}

/* A value as text: `8,0`, `a=b|c=d`, `truncated recoded`, an RFC 3339 time. */
static inline void
testing_value(
    const struct record *r, enum record_field f, struct testing_text *t)
{
	char stamp[TIMESTAMP_RFC3339_US];

	*t = (struct testing_text){.n = 0};
	switch (record_field_info[f].kind) {
	case RECORD_TEXT:
	case RECORD_WORD:
		testing_add(t, r->value[f].text);
		break;
	case RECORD_UINT:
		testing_add_number(t, r->value[f].number);
		break;
	case RECORD_TIME:
		timestamp_format(
		    r->value[f].time, &(struct timestamp_days){0}, stamp);
		testing_add(t, span_of(stamp, TIMESTAMP_RFC3339));
		break;
	case RECORD_TIME_US:
		timestamp_format_us(
		    r->value[f].time, &(struct timestamp_days){0}, stamp);
		testing_add(t, span_of(stamp, TIMESTAMP_RFC3339_US));
		break;
	case RECORD_PAIR:
		testing_add_number(t, r->value[f].pair[0]);
		testing_add(t, SPAN(","));
		testing_add_number(t, r->value[f].pair[1]);
		break;
	case RECORD_ADDRESSES:
		testing_add_addresses(t, r);
		break;
	case RECORD_EXTRA:
		testing_add_extra(t, r);
		break;
	case RECORD_FLAGS:
		testing_add_flags(t, r);
		break;
	}
}

/* One line of what is expected: `key=value`, or `!key` for an absent one. */
static inline void
testing_expect_one(const struct record *r, struct span line)
{
	static struct testing_text value;
	bool absent = span_at(line, 0) == '!';
	size_t equals = span_find(line, '=');
	struct span key = absent ? span_skip(line, 1) : span_take(line, equals);
	struct span wanted = span_skip(line, equals + 1);
	enum record_field f = record_field_find(key);

	ck_assert_msg(
	    f < RECORD_FIELD_COUNT, "no such key: %.*s", (int)line.n, line.p);
	value = (struct testing_text){.n = 0};
	if (record_has(r, f))
		testing_value(r, f, &value);
	ck_assert_msg(
	    record_has(r, f) != absent &&
		(absent || span_eq(span_of(value.p, value.n), wanted)),
	    "%.*s: it is %s", (int)line.n, line.p,
	    record_has(r, f) ? value.p : "absent");
}

/* `expected` is such lines, an LF between them. */
static inline void
testing_expect(const struct record *r, const char *expected)
{
	struct span rest = span_str(expected);

	while (rest.n > 0) {
		size_t n = span_find(rest, '\n');

		testing_expect_one(r, span_take(rest, n));
		rest = span_skip(rest, n + 1);
	}
}

#endif
